namespace QedEdge.Tests.Published;

/// <summary>Every kind of system call fails once, at every place, in every command of both programs: tests/native/faults.py says what ends well.</summary>
public sealed class FaultTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void AFailingSystemCall_EndsInOneLine_AndLeavesNothing()
    {
        const string FirstOfAKind = "4"; // and a spread of those behind it; faults.py --all takes every one
        Tools.Require("gcc", "python3");
        string native = Path.Combine(TestData.Root, "tests", "native"), shim = Path.Combine(_folder, "faults.so");
        ProgramResult compiled = Tools.Run("gcc", ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", Path.Combine(native, "faults.c"), "-o", shim, "-ldl"]);
        Assert.True(compiled.ExitCode == 0, compiled.Error);
        ProgramResult result = Tools.Run("python3", [Path.Combine(native, "faults.py"), "--qed", PublishedPrograms.File("qed", "x64"), "--convert", PublishedPrograms.File("qed-convert", "x64"),
            "--sample", TestData.TinyQed, "--shim", shim, "--folder", _folder, "--first", FirstOfAKind]);
        Assert.True(result.ExitCode == 0, result.Output + result.Error);
        Assert.EndsWith("; 0 ended badly\n", result.Output);
    }
}
