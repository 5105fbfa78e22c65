using System.Diagnostics;
using QedEdge.Conversion;

namespace QedEdge.Tests.Published;

/// <summary>Files that cannot be mapped, and mapped files that are cut off: tests/native/mappings.c in front of the C library.</summary>
public sealed class MappingTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;
    private readonly string _model;
    private readonly string _shim;

    public MappingTests()
    {
        _model = Path.Combine(_folder, "model.gguf");
        _shim = Path.Combine(_folder, "mappings.so");
        CheckpointConverter.Convert(TestData.TinyQed, _model, new ConversionOptions());
        Tools.Require("gcc");
        ProgramResult built = Tools.Run("gcc", ["-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", NativeProgram.Source("mappings"), "-o", _shim, "-ldl"]);
        Assert.True(built.ExitCode == 0, built.Error);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void WhereOnlyPrivateMappingsAreToBeHad_NothingIsDifferent()
    {
        Assert.Equal(Qed(null, Generate()), Qed("shared", Generate()));
        AssertConverts("shared");
    }

    [Theory]
    [InlineData("packed")]
    [InlineData("plain")]
    public void WhereNothingCanBeMapped_TheFileIsRead_AndThatIsSaid(string layout)
    {
        string model = Path.Combine(_folder, layout + ".gguf"), bundle = Path.Combine(_folder, "bundle.gguf"), session = Path.Combine(_folder, "cache.session");
        CheckpointConverter.Convert(TestData.TinyQed, model, new ConversionOptions { Layout = layout == "plain" ? FileLayout.Plain : FileLayout.Packed });
        string[] generate = Generate(model);
        ProgramResult expected = Qed(null, generate), read = Qed("all", generate);
        Assert.Equal((0, expected.Output), (read.ExitCode, read.Output));
        Assert.Equal($"warning: {model} cannot be mapped where it is (No such device); it was read into memory as with --load ram\n", read.Error);
        Assert.Equal(expected, Qed("all", [.. generate, "--load", "ram"]));

        Assert.Equal(Qed(null, "inspect", "-m", model), Qed("all", "inspect", "-m", model));
        Assert.Equal(Qed(null, "verify", "-m", model), Qed("all", "verify", "-m", model));
        string[] cached = [.. generate, "--load", "ram", "--prompt-cache", session];
        Assert.Equal(expected, Qed("all", cached));
        Assert.Equal(expected, Qed("all", cached)); // now it is read
        Assert.Equal(0, Qed("all", "bundle", "-m", model, "-o", bundle).ExitCode);
        Assert.Equal(expected, Qed("all", ["generate", "-m", bundle, .. generate[3..], "--load", "ram"]));
    }

    [Fact]
    public void WhereNothingCanBeMapped_TheConverterReads() => AssertConverts("all");

    [Theory]
    [InlineData("generate", "-m", "FILE", "Once", "--load", "ram")]
    [InlineData("generate", "-m", "FILE", "Once", "-t", "2")]
    [InlineData("verify", "-m", "FILE")]
    [InlineData("inspect", "-m", "FILE")]
    public void AModelThatIsCutOff_IsOneLine(params string[] arguments)
    {
        ProgramResult result = Qed("cut", [.. arguments.Select(argument => argument == "FILE" ? _model : argument)]);
        OneLine.AssertError(3, result);
        Assert.StartsWith($"error: {_model}: was cut off", result.Error);
    }

    [Fact]
    public void ACheckpointThatIsCutOff_IsOneLine()
    {
        string copy = Checkpoint();
        ProgramResult result = Run("cut", "qed-convert", copy, "-o", Path.Combine(_folder, "out.gguf"));
        OneLine.AssertError(3, result);
        Assert.StartsWith($"error: {Path.Combine(copy, "model.safetensors")}: was cut off", result.Error);
        Assert.False(File.Exists(Path.Combine(_folder, "out.gguf")));
    }

    [Theory]
    [InlineData("x64", "1")]
    [InlineData("x64", "2")]
    [InlineData("arm64", "2")]
    public async Task AModelCutOffBetweenTwoAnswers_IsOneLine(string architecture, string threads)
    {
        using Process process = Chat(architecture, threads);
        Task<string> errors = process.StandardError.ReadToEndAsync();
        File.WriteAllBytes(_model, []);
        try
        {
            process.StandardInput.WriteLine("Hello");
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // The first answer was not yet at its end: it is gone already.
        }
        await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        string error = await errors;
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        error = error[Math.Max(0, error.IndexOf("error", StringComparison.Ordinal))..]; // behind the conversation's first lines
        OneLine.AssertError(3, new ProgramResult(process.ExitCode, "", error));
        Assert.StartsWith($"error: {_model}: was cut off", error);
    }

    [Fact]
    public void AnotherBusError_EndsTheProcessAsEver()
    {
        using Process process = Chat("x64", "1");
        Assert.Equal(0, Tools.Run("kill", ["-BUS", $"{process.Id}"]).ExitCode);
        process.WaitForExit();
        Assert.Equal(128 + 7, process.ExitCode);
    }

    [Theory]
    [InlineData("map")]
    [InlineData("ram")]
    public void AnAddressSpaceThatIsTooSmall_IsOneLine(string load)
    {
        using (FileStream file = File.OpenWrite(_model))
            file.SetLength(8L << 30); // what stands behind the last tensor does not matter, but takes room
        ProgramResult result = Tools.Run("bash", ["-c", "ulimit -v 2000000; ulimit -m 1000; MALLOC_ARENA_MAX=1 exec \"$@\"", "bash", PublishedPrograms.File("qed", "x64"), .. Generate(), "--load", load]);
        OneLine.AssertError(3, result);
        Assert.Contains("under 'ulimit -v', MALLOC_ARENA_MAX=1", result.Error);
    }

    /// <summary>A conversation that has given the beginning of its first answer.</summary>
    private Process Chat(string architecture, string threads)
    {
        string program = PublishedPrograms.File("qed", architecture);
        string[] emulator = architecture == "arm64" ? ["qemu-aarch64-static"] : [];
        if (emulator.Length > 0)
            Tools.Require(emulator[0]);
        string[] command = [.. emulator, program, "chat", "-m", _model, "-n", "3", "--greedy", "-t", threads];
        var process = Process.Start(new ProcessStartInfo(command[0], command[1..]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })!;
        process.StandardInput.WriteLine("Hello");
        process.StandardInput.Flush();
        Assert.NotEqual(-1, process.StandardOutput.Read());
        return process;
    }

    private void AssertConverts(string mode)
    {
        string output = Path.Combine(_folder, mode + "-out.gguf"), repacked = Path.Combine(_folder, mode + "-plain.gguf"), again = Path.Combine(_folder, mode + "-again.gguf");
        ProgramResult converted = Run(mode, "qed-convert", Checkpoint(), "-o", output);
        Assert.True(converted.ExitCode == 0, converted.Error);
        Assert.Equal(File.ReadAllBytes(_model), File.ReadAllBytes(output));
        Assert.Equal(0, Run(mode, "qed-convert", "repack", output, "-o", repacked, "--layout", "plain").ExitCode);
        Assert.Equal(0, Run(mode, "qed-convert", "repack", repacked, "-o", again, "--layout", "packed").ExitCode);
        Assert.Equal(Qed(null, Generate()), Qed(null, Generate(again)));
    }

    private string[] Generate(string? model = null) => ["generate", "-m", model ?? _model, "Once upon a time", "-n", "20", "--seed", "1"];

    private string Checkpoint()
    {
        string copy = Directory.CreateDirectory(Path.Combine(_folder, "checkpoint")).FullName;
        foreach (string file in Directory.EnumerateFiles(TestData.TinyQed))
            File.Copy(file, Path.Combine(copy, Path.GetFileName(file)), overwrite: true);
        return copy;
    }

    private ProgramResult Qed(string? mode, params string[] arguments) => Run(mode, "qed", arguments);

    private ProgramResult Run(string? mode, string program, params string[] arguments) => Tools.Run(PublishedPrograms.File(program, PublishedPrograms.Dynamic), arguments, start =>
    {
        if (mode is null)
            return;
        start.Environment["LD_PRELOAD"] = _shim;
        start.Environment["MAPPINGS"] = mode;
    });
}
