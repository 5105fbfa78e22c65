using System.IO.Hashing;
using System.Runtime.InteropServices;
using QedEdge.CommandLine;
using QedEdge.Memory;

namespace QedEdge.Cli.Commands;

/// <summary><c>qed logits</c>: raw logits of given tokens, for comparisons with other implementations.</summary>
internal sealed class LogitsCommand
{
    private readonly CommonOptions _common = new();
    private readonly TextOption _tokens = new("--tokens") { ValueName = "IDS", Description = "Token ids, 1,5,7", IsRequired = true };
    private readonly TextOption _output = new("--output", "-o") { ValueName = "FILE", Description = "Receives little-endian float32 [T, V]; without it only shape and hash are printed", IsWritten = true };
    private readonly TextOption _mask = new("--attention-mask") { ValueName = "BITS", Description = "1 for a real token, 0 for padding: 0,0,1,1" };
    private readonly TextOption _positions = new("--position-ids") { ValueName = "IDS", Description = "Positions for the rotary embedding; 0,1,2,… if not given" };
    private readonly IntegerOption _chunk = new("--chunk") { ValueName = "N", Description = "Feed N tokens at a time; never changes a bit" };
    private readonly Flag _force = new("--force") { Description = "Replace an existing output file" };

    public static Command Create()
    {
        var self = new LogitsCommand();
        var command = new Command("logits", "Write the logits of all positions.\n\nExample: qed logits --tokens 1,5,7 -o logits.f32",
            self._tokens, self._output, self._mask, self._positions, self._chunk, self._force);
        self._common.AddRunOptions(command);
        command.AddGroup(OptionGroups.Output, self._common.Json);
        command.Action = self.Run;
        return command;
    }

    private int Run(ParseResult parsed)
    {
        int[] tokens = CommonOptions.ParseNumbers("--tokens", parsed.GetValue(_tokens)!);
        byte[]? mask = parsed.GetValue(_mask) is { } bits ? [.. CommonOptions.ParseNumbers("--attention-mask", bits).Select(MaskByte)] : null;
        int[]? positions = parsed.GetValue(_positions) is { } ids ? CommonOptions.ParseNumbers("--position-ids", ids) : null;
        if (parsed.GetValue(_chunk) < 1)
            throw new UsageException("--chunk must be 1 or more");

        using var interrupt = new Interrupt();
        using QedModel model = _common.OpenModel(parsed);
        using Session session = model.CreateSession(_common.SessionOptions(parsed));
        using AtomicFile? output = parsed.GetValue(_output) is { } path ? new AtomicFile(path, parsed.GetValue(_force)) : null;
        var hash = new XxHash128();
        void Run(Stream? stream) => session.Feed(tokens, new FeedOptions
        {
            AttentionMask = mask,
            PositionIds = positions,
            ChunkSize = parsed.GetValue(_chunk) ?? 0,
            Cancellation = interrupt.Token,
            OnLogits = (_, logits) =>
            {
                ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(logits);
                hash.Append(bytes);
                stream?.Write(bytes);
            },
        });
        try
        {
            if (output is null)
                Run(null);
            else
                output.Fill(Run);
        }
        catch (OperationCanceledException)
        {
            return ExitCode.Interrupted;
        }

        string digest = Convert.ToHexStringLower(hash.GetCurrentHash());
        if (parsed.GetValue(_common.Json))
        {
            Terminal.WriteJson(json =>
            {
                json.WriteStartArray("shape");
                json.WriteNumberValue(tokens.Length);
                json.WriteNumberValue(model.Config.VocabSize);
                json.WriteEndArray();
                json.WriteString("xxh128", digest);
                json.WriteString("isa", model.InstructionSet);
            });
        }
        else
        {
            Terminal.WriteLine($"[{tokens.Length}, {model.Config.VocabSize}] xxh128 {digest}");
        }
        return ExitCode.Done;
    }

    private static byte MaskByte(int bit) => bit is 0 or 1 ? (byte)bit : throw new UsageException($"--attention-mask may hold only 0 and 1, got {bit}");
}
