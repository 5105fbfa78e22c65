using System.CommandLine;

namespace QedEdge.Conversion.Cli;

/// <summary><c>qed-convert random CONFIG.json -o MODEL_DIR</c>: a checkpoint of any shape with random weights, for benchmarks.</summary>
internal static class RandomCommand
{
    /// <summary>The command.</summary>
    public static Command Create()
    {
        var config = new Argument<string>("CONFIG.json") { Description = "configuration of the model to invent" };
        var output = Options.Output("MODEL_DIR", "folder to write config.json and model.safetensors to");
        var seed = new Option<ulong>("--seed", "-s") { Description = "which random numbers", HelpName = "N", DefaultValueFactory = static _ => 0 };
        var type = Options.OneOf("--dtype", "how weights are stored", "f32", "f32", "f16", "bf16");
        var force = Options.Force();
        var command = new Command("random", "Writes a checkpoint with random weights.\n\nExample: qed-convert random config.json -o random-model --seed 1") { config, output, seed, type, force };
        command.SetAction((parsed, cancellation) => Outcome.Of(() =>
        {
            var dtype = parsed.GetValue(type) switch { "f16" => CheckpointType.F16, "bf16" => CheckpointType.BF16, _ => CheckpointType.F32 };
            string to = parsed.GetValue(output)!;
            long bytes = 0;
            Terminal.WithProgress(progress => bytes = RandomCheckpoint.Write(parsed.GetValue(config)!, to, parsed.GetValue(seed), dtype, parsed.GetValue(force), progress, cancellation));
            return () => Terminal.Note($"wrote {to} ({bytes / (1024.0 * 1024):F1} MB of weights)");
        }));
        return command;
    }
}
