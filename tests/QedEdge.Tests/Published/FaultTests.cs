namespace QedEdge.Tests.Published;

/// <summary>Every kind of system call fails once, at every place, in every command of both programs: tests/native/faults.py says what ends well.</summary>
public sealed class FaultTests : IDisposable
{
    private static readonly string Native = Path.Combine(TestData.Root, "tests", "native");

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void AFailingSystemCall_EndsInOneLine_AndLeavesNothing()
    {
        const string FirstOfAKind = "2"; // a spread of those behind them, and the last; faults.py --all takes every one
        Tools.Require("python3");
        ProgramResult result = Tools.Run("python3", [Path.Combine(Native, "faults.py"), "--qed", PublishedPrograms.File("qed", PublishedPrograms.Dynamic),
            "--convert", PublishedPrograms.File("qed-convert", PublishedPrograms.Dynamic),
            "--sample", TestData.TinyQed, "--shim", Shim(_folder), "--folder", _folder, "--first", FirstOfAKind]);
        Assert.True(result.ExitCode == 0, result.Output + result.Error);
        Assert.EndsWith("; 0 ended badly\n", result.Output);
    }

    /// <summary>The library that lets calls fail, put into a folder.</summary>
    internal static string Shim(string folder)
    {
        Tools.Require("gcc");
        string shim = Path.Combine(folder, "faults.so");
        ProgramResult compiled = Tools.Run("gcc", ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", Path.Combine(Native, "faults.c"), "-o", shim, "-ldl"]);
        Assert.True(compiled.ExitCode == 0, compiled.Error);
        return shim;
    }
}
