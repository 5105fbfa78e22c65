using QedEdge.CommandLine;

namespace QedEdge.Conversion.Cli;

/// <summary><c>qed-convert random CONFIG.json -o MODEL_DIR</c>: a checkpoint of any shape with random weights, for benchmarks.</summary>
internal static class RandomCommand
{
    /// <summary>The command.</summary>
    /// <param name="cancellation">Ends the work.</param>
    public static Command Create(CancellationToken cancellation)
    {
        var config = new Argument("CONFIG.json") { Description = "configuration of the model to invent", IsRequired = true };
        var output = Options.Output("MODEL_DIR", "folder to write config.json and model.safetensors to");
        var seed = new SeedOption("--seed", "-s") { Description = "which random numbers", ValueName = "N", Default = 0 };
        var type = new TextOption("--dtype") { Description = "how weights are stored", Words = ["f32", "f16", "bf16"], Default = "f32" };
        var force = Options.Force();
        var command = new Command("random", "Writes a checkpoint with random weights.\n\nExample: qed-convert random config.json -o random-model --seed 1",
            config, output, seed, type, force);
        command.Action = parsed =>
        {
            var dtype = parsed.GetValue(type) switch { "f16" => CheckpointType.F16, "bf16" => CheckpointType.BF16, _ => CheckpointType.F32 };
            string to = parsed.GetValue(output)!;
            long bytes = 0;
            Terminal.WithProgress(progress => bytes = RandomCheckpoint.Write(parsed.GetValue(config)!, to, parsed.GetValue(seed)!.Value, dtype, parsed.GetValue(force), progress, cancellation));
            Terminal.Note($"wrote {to} ({ByteSize.Text(bytes)} of weights)");
            return ExitCode.Done;
        };
        return command;
    }
}
