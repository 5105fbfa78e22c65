using QedEdge.CommandLine;
using QedEdge.Generation;
using QedEdge.Gguf;

namespace QedEdge.Cli.Commands;

/// <summary><c>qed verify</c>: recomputes every checksum, names damaged tensors, and runs the file's digest: does this machine compute what the file says?</summary>
internal sealed class VerifyCommand
{
    private readonly CommonOptions _common = new();
    private readonly Argument _file = new("FILE") { Description = "The model file" };

    public static Command Create()
    {
        var self = new VerifyCommand();
        var command = new Command("verify", "Check a model file against its checksums, and what this machine computes with it against its digest.\n\nExample: qed verify -m qed.gguf",
            self._file, self._common.Model, self._common.Threads, self._common.Isa, self._common.Json);
        command.Action = self.Run;
        return command;
    }

    private int Run(ParseResult parsed)
    {
        if (parsed.GetValue(_file) is not null && parsed.GetValue(_common.Model) is not null)
            throw new UsageException("give the file once: as FILE or with --model");
        string? path = parsed.GetValue(_file) ?? parsed.GetValue(_common.Model);
        using GgufFile file = ModelSource.OpenFile(path);
        ModelBundle? bundle = ModelSource.File(path) is { } given ? ModelBundle.Find(given) : null;
        IReadOnlyList<string> damaged = [.. GgufChecksums.Verify(file), .. bundle?.Verify() ?? []];
        string digest = damaged.Count > 0 || !GoldenDigest.IsIn(file) ? "none" : CheckDigest(parsed, path);
        if (parsed.GetValue(_common.Json))
        {
            Terminal.WriteJson(json =>
            {
                json.WriteString("file", file.Name);
                json.WriteBoolean("ok", damaged.Count == 0 && digest != "differs");
                json.WriteNumber("tensors", file.Tensors.Count);
                json.WriteStartArray("damaged");
                foreach (string name in damaged)
                    json.WriteStringValue(name);
                json.WriteEndArray();
                json.WriteString("digest", digest);
            });
        }
        else if (damaged.Count == 0 && digest != "differs")
        {
            Terminal.WriteLine($"{file.Name}: {file.Tensors.Count} tensors and the header{(bundle is null ? "" : ", the executable and its defaults")} match their checksums");
            if (digest == "matches")
                Terminal.WriteLine("this machine computes the digest that the file names");
            else if (digest == "incomparable")
                Terminal.WriteLine("the digest belongs to another version's arithmetic and was not compared");
        }
        if (damaged.Count > 0)
            throw new QedException($"{file.Name}: damaged: {string.Join(", ", damaged)}; copy or download the file again");
        return digest != "differs"
            ? ExitCode.Done
            : throw new QedException($"{file.Name}: this machine computes something else than the file's digest, though all its data are sound; try --isa scalar, and report it");
    }

    private string CheckDigest(ParseResult parsed, string? path)
    {
        string? isa = parsed.GetValue(_common.Isa);
        using QedModel model = ModelSource.Open(path, new ModelOptions { InstructionSet = isa == "auto" ? null : isa });
        if (GoldenDigest.Find(model) is not { IsComparable: true } stored)
            return "incomparable";
        return GoldenDigest.Compute(model, stored.Prompt, stored.Count, parsed.GetValue(_common.Threads)).Value == stored.Value ? "matches" : "differs";
    }
}
