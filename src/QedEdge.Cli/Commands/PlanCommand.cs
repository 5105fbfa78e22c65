using System.Globalization;
using QedEdge.CommandLine;
using QedEdge.Gguf;

namespace QedEdge.Cli.Commands;

/// <summary><c>qed plan</c>: what fits into an amount of memory.</summary>
internal sealed class PlanCommand
{
    private static readonly KvCacheType[] Types = [KvCacheType.Q8_0, KvCacheType.F16, KvCacheType.F32];

    private const long Least = 1_000_000; // bytes: who asks for less means a larger unit

    private readonly CommonOptions _common = new();
    private readonly TextOption _memory = new("--ram") { ValueName = "SIZE", Description = "The memory there is: 300M, 1.5G; what is free now if not given" };

    public static Command Create()
    {
        var self = new PlanCommand();
        var command = new Command("plan", "Say what fits into memory, before anything is allocated.\n\nExample: qed plan --ram 300M --ctx-size 512",
            self._common.Model, self._memory, self._common.ContextSize, self._common.Threads, self._common.Json);
        command.Action = self.Run;
        return command;
    }

    private int Run(ParseResult parsed)
    {
        long memory = parsed.GetValue(_memory) is { } text ? FreeMemory.Parse("--ram", text) : FreeMemory.Bytes();
        if (memory < Least && parsed.Has(_memory))
            throw new UsageException($"--ram: {memory} bytes are less than any machine has; give megabytes or gigabytes, 300M or 1.5G");
        int threads = parsed.GetValue(_common.Threads) ?? RuntimeInfo.Detect().Threads;
        if (threads < 1)
            throw new UsageException($"--threads must be 1 or more, got {threads}");
        using GgufFile file = ModelSource.OpenFile(parsed.GetValue(_common.Model));
        MemoryNeed need = MemoryNeed.Of(file, parsed.GetValue(_common.ContextSize), threads)
            ?? throw new ModelFormatException(ModelFault.Unsupported, file.Name, "is of no family that runs here; what it holds is shown by 'qed inspect'");
        if (parsed.GetValue(_common.Json))
            WriteJson(file, need, memory);
        else
            WriteText(file, need, memory);
        return ExitCode.Done;
    }

    private static void WriteText(GgufFile file, MemoryNeed need, long memory)
    {
        Line($"{file.Name} in {ByteSize.Text(memory)}, {need.Threads} threads, {need.Context} positions of {need.LargestContext}");
        Line($"  weights {ByteSize.Text(need.Weights)}, workspace {ByteSize.Text(need.Workspace)}, the program itself {ByteSize.Text(MemoryNeed.Program)} at most");
        Line($"  {"--kv-type",-9} {"keys and values",15} {"peak",10}  {"fits",-5} longest context that fits");
        foreach (KvCacheType type in Types)
        {
            string name = KvCacheTypes.NameOf(type) + (type == need.AutoKvType ? " *" : "");
            Line($"  {name,-9} {ByteSize.Text(need.Kv(type)),15} {ByteSize.Text(need.Peak(type)),10}  {(need.Peak(type) <= memory ? "yes" : "no"),-5} {need.LongestContext(type, memory)}");
        }
        Line($"  * unless another is asked for");
        if (need.Weights > memory)
            Line($"not even the weights fit: it would be read from the disk again and again; convert it with a smaller --type, or take a smaller model");
        else if (need.Fixed > memory)
            Line($"the weights fit, but not with what the program itself takes; fewer --threads take less of it");

        static void Line(FormattableString text) => Terminal.WriteLine(text.ToString(CultureInfo.InvariantCulture));
    }

    private static void WriteJson(GgufFile file, MemoryNeed need, long memory) => Terminal.WriteJson(json =>
    {
        json.WriteString("model", file.Name);
        json.WriteNumber("ram", memory);
        json.WriteNumber("context", need.Context);
        json.WriteNumber("threads", need.Threads);
        json.WriteNumber("weights", need.Weights);
        json.WriteNumber("workspace", need.Workspace);
        json.WriteNumber("program", MemoryNeed.Program);
        json.WriteString("default_kv_type", KvCacheTypes.NameOf(need.AutoKvType));
        json.WriteStartArray("kv_types");
        foreach (KvCacheType type in Types)
        {
            json.WriteStartObject();
            json.WriteString("kv_type", KvCacheTypes.NameOf(type));
            json.WriteNumber("kv", need.Kv(type));
            json.WriteNumber("peak", need.Peak(type));
            json.WriteBoolean("fits", need.Peak(type) <= memory);
            json.WriteNumber("longest_context", need.LongestContext(type, memory));
            json.WriteEndObject();
        }
        json.WriteEndArray();
    });
}
