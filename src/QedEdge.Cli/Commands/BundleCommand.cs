using QedEdge.CommandLine;
using QedEdge.Gguf;
using QedEdge.Memory;

namespace QedEdge.Cli.Commands;

/// <summary><c>qed bundle</c>: this executable and a model as one file.</summary>
internal sealed class BundleCommand
{
    private const string Executable = "qed", Model = "model.gguf", Defaults = "defaults.json"; // what a bundle is taken apart into

    private readonly TextOption _model = new("--model", "-m") { ValueName = "FILE", Description = $"The model file to bundle; without it the one that ${ModelSource.Variable} names" };
    private readonly TextOption _output = new("--output", "-o") { ValueName = "FILE", Description = "The executable to write; with --extract, the folder", IsRequired = true, IsWritten = true };
    private readonly TextOption _runtime = new("--runtime") { ValueName = "FILE", Description = "The 'qed' to bundle, of any system and processor; this one if not given" };
    private readonly TextOption _defaults = new("--defaults") { ValueName = "FILE", Description = "Options the bundle runs with unless told otherwise, as JSON: {\"command\": \"chat\", \"system\": \"You are a poet.\", \"temp\": 0.7}" };
    private readonly TextOption _extract = new("--extract") { ValueName = "FILE", Description = $"Take this bundle apart instead, into {Executable}, {Model} and {Defaults}" };
    private readonly Flag _force = new("--force") { Description = "Replace existing files" };

    public static Command Create()
    {
        var self = new BundleCommand();
        var command = new Command("bundle", "Make one executable of this program and a model: it runs without any option.\n\nExample: qed bundle -m qed.gguf -o story",
            self._model, self._output, self._runtime, self._defaults, self._extract, self._force);
        command.Action = self.Run;
        return command;
    }

    private int Run(ParseResult parsed)
    {
        using var interrupt = new Interrupt();
        try
        {
            return Run(parsed, interrupt.Token);
        }
        catch (OperationCanceledException)
        {
            return ExitCode.Interrupted;
        }
    }

    private int Run(ParseResult parsed, CancellationToken cancellation)
    {
        string output = parsed.GetValue(_output)!;
        if (parsed.GetValue(_extract) is { } bundle)
        {
            if (parsed.GetValue(_model) is not null || parsed.GetValue(_runtime) is not null || parsed.GetValue(_defaults) is not null)
                throw new UsageException("--extract goes with --output alone");
            Extract(bundle, output, parsed.GetValue(_force), cancellation);
            Terminal.Note($"{output}: holds {Executable}, {Model} and, where there were any, {Defaults}");
            return ExitCode.Done;
        }
        string runtime = parsed.GetValue(_runtime) ?? (RuntimeInfo.Detect().IsNativeCode ? Environment.ProcessPath : null)
            ?? throw new UsageException("this is no native executable; name one with --runtime FILE (README: dotnet publish)");
        string model = ModelSource.File(parsed.GetValue(_model)) ?? throw new UsageException("name a model file with --model FILE; the built-in one is in every executable");
        if (!Bundled.LooksForItself(runtime))
            throw new QedException($"{runtime}: is no executable 'qed' that can carry a model; name one with --runtime (README: dotnet publish)");
        byte[] defaults = parsed.GetValue(_defaults) is { } file ? Bundled.ReadDefaults(parsed.Command.Root, file) : [];
        ModelBundle.Write(runtime, model, defaults, output, parsed.GetValue(_force), cancellation);
        string shown = Path.IsPathRooted(output) ? output : Path.Combine(".", output), first = Bundled.CommandOf(defaults) == "generate" ? " \"Once upon a time\"" : "";
        Terminal.Note($"{output}: {ByteSize.Text(InputSource.Length(output))} with {Path.GetFileName(model)}; it runs '{Bundled.CommandOf(defaults)}' unless another command is given: {shown}{first}");
        return ExitCode.Done;
    }

    private static void Extract(string path, string folder, bool force, CancellationToken cancellation)
    {
        ModelBundle bundle = ModelBundle.Find(path) ?? throw new QedException($"{path}: is no bundle, or cannot be read");
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new QedException($"{folder}: the folder cannot be created: {e.Message}", e);
        }
        string executable = Path.Combine(folder, Executable), model = Path.Combine(folder, Model), defaults = Path.Combine(folder, Defaults);
        SeparateFiles.Check([executable, model, defaults], Environment.ProcessPath); // the bundle is compared by who takes it apart
        bundle.Extract(executable, model, defaults, force, cancellation);
    }
}
