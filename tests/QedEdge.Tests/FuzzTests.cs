using System.Diagnostics;

namespace QedEdge.Tests;

/// <summary>
/// Every reader on changed inputs (tests/QedEdge.Fuzz): a refusal that the library documents or success, nothing else, whatever the bytes. In processes of their own, since an
/// overflowing stack ends a process.
/// </summary>
public sealed class FuzzTests(ITestOutputHelper output)
{
    private const int Executions = 200_000;
    private const int Seed = 20261130;

    [Fact]
    public async Task KeptInputs_AreNoFaultsAnyMore() => await NoFault("--replay", Path.Combine(TestData.Root, "tests", "fuzz-cases"));

    /// <summary>One half is the same each time, the other is new; its seed is printed.</summary>
    [Fact]
    public async Task ChangedInputs_AreReadOrRefused()
    {
        int other = Random.Shared.Next();
        output.WriteLine($"seeds {Seed} and {other}");
        await Task.WhenAll(new[] { Seed, other }.Select(seed => NoFault("--count", $"{Executions / 2}", "--seed", $"{seed}")));
    }

    private async Task NoFault(params string[] words)
    {
        using Process run = Start(words);
        string said = await run.StandardOutput.ReadToEndAsync();
        await run.WaitForExitAsync();
        output.WriteLine(said);
        Assert.True(run.ExitCode == 0, said);
    }

    private static Process Start(params string[] words)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "it asks Linux for its memory");
        string configuration = Path.GetFileName(AppContext.BaseDirectory.TrimEnd('/'));
        string program = Path.Combine(TestData.Root, "artifacts", "bin", "QedEdge.Fuzz", configuration, "QedEdge.Fuzz.dll");
        return Process.Start(new ProcessStartInfo("dotnet", ["exec", program, "--faults", Path.Combine(TestData.Root, "artifacts", "fuzz-faults"), .. words]) { RedirectStandardOutput = true })!;
    }
}
