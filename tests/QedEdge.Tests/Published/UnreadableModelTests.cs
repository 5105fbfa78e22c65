using QedEdge.Tests.Gguf;

namespace QedEdge.Tests.Published;

/// <summary>Paths that lead to no model file at all: code 3 and one line, from every command that opens one.</summary>
public sealed class UnreadableModelTests : IDisposable
{
    private static readonly string[] Commands = ["generate", "inspect", "verify"];

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void AFolder_IsNamed() => AssertRefused(_folder, "is a folder");

    [Fact]
    public void AMissingFile_IsNamed() => AssertRefused(Path.Combine(_folder, "missing.gguf"), "no such file");

    [Fact]
    public void AMissingFolder_IsNamed() => AssertRefused(Path.Combine(_folder, "missing", "model.gguf"), "no such file");

    [Fact]
    public void APipe_IsNoFile()
    {
        foreach (string command in Commands)
        {
            ProgramResult result = Tools.Run("bash", ["-c", """exec "$0" "$1" -m <(echo GGUF)""", PublishedPrograms.File("qed", "x64"), command]);
            OneLine.AssertError(3, result);
            Assert.Contains("a pipe or device", result.Error);
        }
    }

    [Fact]
    public void ANamedPipe_IsNotWaitedFor()
    {
        foreach (string command in Commands)
        {
            string script = """mkfifo "$2/pipe"; ln -s pipe "$2/link"; for name in pipe link; do timeout 20 "$0" "$1" -m "$2/$name"; code=$?; done; rm "$2/pipe" "$2/link"; exit $code""";
            ProgramResult result = Tools.Run("bash", ["-c", script, PublishedPrograms.File("qed", "x64"), command, _folder]);
            Assert.Equal(3, result.ExitCode);
            Assert.Equal(2, result.Error.Split("a pipe or device").Length - 1);
        }
    }

    [Fact]
    public void AFileWithoutPermission_IsNamed()
    {
        string path = Path.Combine(_folder, "secret.gguf");
        File.WriteAllBytes(path, GgufSample.Qed());
        foreach (string command in Commands)
        {
            ProgramResult result = WithoutPrivilege.Run(["chmod", "000", path], PublishedPrograms.File("qed", "x64"), command, "-m", path);
            OneLine.AssertError(3, result);
            Assert.Contains(path, result.Error);
            Assert.Contains("no permission", result.Error);
        }
    }

    private static void AssertRefused(string path, string says)
    {
        foreach (string command in Commands)
        {
            ProgramResult result = PublishedPrograms.Run("qed", "x64", command, "-m", path);
            OneLine.AssertError(3, result);
            Assert.Contains(path, result.Error);
            Assert.Contains(says, result.Error);
        }
    }
}
