using System.Runtime.InteropServices;
using QedEdge.CommandLine;

namespace QedEdge.Cli.Commands;

/// <summary><c>qed info</c>: version, processor, kernels.</summary>
internal static class InfoCommand
{
    /// <summary>What the processor has, and what of it this build uses.</summary>
    public static string Processor(RuntimeInfo info)
    {
        string used = string.Join(", ", info.ProcessorFeatures);
        bool wider = info.MachineFeatures.Contains("avx512bw") && !info.ProcessorFeatures.Contains("avx512bw");
        return $"processor: {string.Join(", ", info.MachineFeatures)}\nthis build uses: {(used == "" ? "none of them" : used)}"
            + (wider ? "\nwith qed-v4 beside it, the build for x86-64-v4, it is faster here" : "");
    }

    public static Command Create()
    {
        var common = new CommonOptions();
        var command = new Command("info", "Show version, processor features, kernels and threads.\n\nExample: qed info --json",
            common.Isa, common.Json);
        command.Action = parsed =>
        {
            string isa = parsed.GetValue(common.Isa)!;
            RuntimeInfo info = RuntimeInfo.Detect(isa == "auto" ? null : isa);
            const string version = ProgramVersion.Full;
            string platform = RuntimeInformation.RuntimeIdentifier;
            if (parsed.GetValue(common.Json))
            {
                Terminal.WriteJson(json =>
                {
                    json.WriteString("version", version);
                    json.WriteString("platform", platform);
                    json.WriteString("isa", info.InstructionSet);
                    json.WriteStartArray("available");
                    foreach (string name in info.AvailableInstructionSets)
                        json.WriteStringValue(name);
                    json.WriteEndArray();
                    json.WriteStartArray("features");
                    foreach (string name in info.ProcessorFeatures)
                        json.WriteStringValue(name);
                    json.WriteEndArray();
                    json.WriteStartArray("machine_features");
                    foreach (string name in info.MachineFeatures)
                        json.WriteStringValue(name);
                    json.WriteEndArray();
                    json.WriteNumber("threads", info.Threads);
                    json.WriteBoolean("native", info.IsNativeCode);
                    json.WriteString("model", ModelSource.Default);
                });
            }
            else
            {
                Terminal.WriteLine($"qed {version} on {platform}{(info.IsNativeCode ? "" : " (not ahead-of-time compiled)")}");
                Terminal.WriteLine($"kernels:   {info.InstructionSet} (available: {string.Join(", ", info.AvailableInstructionSets)})");
                Terminal.WriteLine($"threads:   {info.Threads}");
                Terminal.WriteLine(Processor(info));
                Terminal.WriteLine($"model: {ModelSource.Default}");
            }
            return ExitCode.Done;
        };
        return command;
    }
}
