namespace QedEdge.Tests.Published;

/// <summary>Outputs that cannot be written, or not to their end: code 1, one line, and no file left.</summary>
public sealed class FailedOutputTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;
    private readonly string _output;

    public FailedOutputTests() => _output = Directory.CreateDirectory(Path.Combine(_folder, "output")).FullName;

    public void Dispose()
    {
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(_output, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData("64k")] // less than a write buffer
    [InlineData("1m")]
    public void AFullDisk_LeavesNoFile(string size)
    {
        // A disk of its own in a namespace of its own, where the kernel lets anybody mount one. What it holds in the end goes to stdout.
        const string script = """
            mount -t tmpfs -o "size=$0" tmpfs "$1" || exit 99
            shift
            "$@"
            code=$?
            find "$OUTPUT" -type f
            exit $code
            """;
        Tools.Require("unshare", "mount");
        foreach (string[] command in (string[][])[Convert(_output), Random(_output), Logits(_output), Bake(_output)])
        {
            ProgramResult result = Tools.Run("unshare", ["--mount", "--user", "--map-root-user", "sh", "-c", script, size, _output, .. command], start => start.Environment["OUTPUT"] = _output);
            Assert.SkipWhen(result.ExitCode == 99 || result.Error.StartsWith("unshare:", StringComparison.Ordinal), $"no disk can be mounted here: {result.Error}");
            OneLine.AssertError(1, result);
            Assert.Contains("No space left", result.Error);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(65)]
    [InlineData(1000)]
    public void ALimitOnFileSizes_LeavesNoFile(int kilobytes)
    {
        foreach (string[] command in (string[][])[Convert(_output), Random(_output), Logits(_output), Bake(_output)])
        {
            ProgramResult result = Tools.Run("bash", ["-c", $"ulimit -f {kilobytes} && exec \"$@\"", "bash", .. command]);
            OneLine.AssertError(1, result);
            Assert.Contains("cannot be written", result.Error);
            Assert.Empty(Directory.EnumerateFiles(_output, "*", new EnumerationOptions { AttributesToSkip = default, RecurseSubdirectories = true }));
        }
    }

    [Fact]
    public void APromptCache_ThatHasNoRoom_IsAWarning_TheTextIsThere_AndNoFileIsLeft()
    {
        string[] command = [PublishedPrograms.File("qed", "x64"), "generate", "Once upon a time", "-n", "5", "--seed", "1", "--prompt-cache", Path.Combine(_output, "cache")];
        ProgramResult result = Tools.Run("bash", ["-c", "ulimit -f 8 && exec \"$@\"", "bash", .. command]);
        Assert.Equal(0, result.ExitCode);
        Assert.Equal(Tools.Run(command[0], command[1..7]).Output, result.Output);
        Assert.StartsWith("warning: ", result.Error);
        Assert.Contains("cache: cannot be written", result.Error);
        Assert.Single(result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_output));
    }

    [Fact]
    public void AFolderWithoutPermission_IsNamed()
    {
        foreach (string[] command in (string[][])[Convert(_output), Random(_output), Logits(_output), Bake(_output)])
        {
            ProgramResult result = WithoutPrivilege.Run(["chmod", "500", _output], command[0], command[1..]);
            OneLine.AssertError(1, result);
            Assert.Contains(_output, result.Error);
        }
        Assert.Empty(Directory.EnumerateFileSystemEntries(_output));
    }

    [Fact]
    public void AMissingFolder_IsNamed()
    {
        string missing = Path.Combine(_output, "missing");
        foreach (string[] command in (string[][])[Convert(missing), Logits(missing)])
        {
            ProgramResult result = Tools.Run(command[0], command[1..]);
            OneLine.AssertError(1, result);
            Assert.Contains("does not exist", result.Error);
        }
    }

    [Fact]
    public void AnExistingFile_StaysAsItIs()
    {
        string file = Path.Combine(_output, "model.gguf");
        File.WriteAllText(file, "precious");
        ProgramResult result = PublishedPrograms.Run("qed-convert", "x64", TestData.TinyQed, "-o", file);
        OneLine.AssertError(1, result);
        Assert.Contains("--force", result.Error);
        Assert.Equal("precious", File.ReadAllText(file));
    }

    [Fact]
    public void AnEmptyName_IsWrongUsage() => OneLine.AssertError(2, PublishedPrograms.Run("qed-convert", "x64", TestData.TinyQed, "-o", ""));

    private static string[] Convert(string folder) =>
        [PublishedPrograms.File("qed-convert", "x64"), TestData.TinyQed, "-o", Path.Combine(folder, "model.gguf")];

    private static string[] Random(string folder) =>
        [PublishedPrograms.File("qed-convert", "x64"), "random", Path.Combine(TestData.TinyQed, "config.json"), "-o", Path.Combine(folder, "checkpoint")];

    private static string[] Logits(string folder) =>
        [PublishedPrograms.File("qed", "x64"), "logits", "--tokens", string.Join(',', Enumerable.Range(1, 200)), "-o", Path.Combine(folder, "logits")];

    private static string[] Bake(string folder) =>
        [PublishedPrograms.File("qed", "x64"), "bake", "Once upon a time", "-o", Path.Combine(folder, "baked.gguf")];
}
