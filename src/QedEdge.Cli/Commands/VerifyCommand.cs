using System.CommandLine;
using QedEdge.Gguf;

namespace QedEdge.Cli.Commands;

/// <summary><c>qed verify</c>: recomputes every checksum and names damaged tensors.</summary>
internal static class VerifyCommand
{
    public static Command Create()
    {
        var common = new CommonOptions();
        var file = new Argument<string?>("FILE") { Description = "The model file", Arity = ArgumentArity.ZeroOrOne };
        var command = new Command("verify", "Check a model file against its checksums.\n\nExample: qed verify -m qed.gguf") { file, common.Model, common.Json };
        command.SetAction(parsed =>
        {
            using GgufFile gguf = ModelSource.OpenFile(parsed.GetValue(file) ?? parsed.GetValue(common.Model));
            IReadOnlyList<string> damaged = GgufChecksums.Verify(gguf);
            if (parsed.GetValue(common.Json))
            {
                Terminal.WriteJson(json =>
                {
                    json.WriteString("file", gguf.Name);
                    json.WriteBoolean("ok", damaged.Count == 0);
                    json.WriteNumber("tensors", gguf.Tensors.Count);
                    json.WriteStartArray("damaged");
                    foreach (string name in damaged)
                        json.WriteStringValue(name);
                    json.WriteEndArray();
                });
            }
            else if (damaged.Count == 0)
            {
                Terminal.WriteLine($"{gguf.Name}: {gguf.Tensors.Count} tensors and the header match their checksums");
            }
            return damaged.Count == 0
                ? ExitCode.Done
                : Terminal.Fail(ExitCode.Failed, $"{gguf.Name}: damaged: {string.Join(", ", damaged)}; copy or download the file again");
        });
        return command;
    }
}
