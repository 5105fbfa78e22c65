using QedEdge.Kernels;
using QedEdge.Tests.Published;

namespace QedEdge.Tests.Kernels;

/// <summary>Every operation of every kernel set gives the bits that stand in answers.txt (<see cref="KnownAnswers"/>).</summary>
public sealed class KnownAnswerTests
{
    private static string Path => System.IO.Path.Combine(TestData.Root, "tests", "QedEdge.KnownAnswers", "answers.txt");

    private static readonly Dictionary<string, string> Answers = File.ReadLines(Path).Select(line => line.Split('\t')).ToDictionary(parts => parts[0], parts => parts[1]);

    public static TheoryData<string> Sets => [.. TestKernels.All.Select(set => set.Name)];

    [Theory]
    [MemberData(nameof(Sets))]
    public void Bits_AreTheCanonicalOnes(string name)
    {
        KernelSet set = TestKernels.All.First(known => known.Name == name).Set;
        Check(KnownAnswers.Operations.Select(operation => (operation.Name, operation.Run(set).ToString())));
    }

    /// <summary>The sets of other processors, emulated: NEON with and without the dot product, AVX2 of a processor that has nothing newer.</summary>
    [Theory]
    [InlineData("cortex-a72", "neon scalar")]
    [InlineData("cortex-a76", "neon-dp neon scalar")]
    [InlineData("haswell", "avx2 scalar")]
    public void Bits_OfOtherProcessors_AreTheCanonicalOnes(string machine, string sets)
    {
        ProgramResult result = PublishedPrograms.Run("known-answers", machine);
        Assert.True(result.ExitCode == 0, result.Error);
        var lines = result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split('\t')).GroupBy(parts => parts[0]).ToList();
        Assert.Equal(sets.Split(' '), lines.Select(group => group.Key));
        foreach (IGrouping<string, string[]> set in lines)
            Check(set.Select(parts => (parts[1], parts[2])));
    }

    /// <summary>AVX-512 as the executable for it has it, with the dot product of bytes that the framework of these tests lacks.</summary>
    [Fact]
    public void Bits_OfTheBuildForAvx512_AreTheCanonicalOnes()
    {
        string processor = File.ReadAllText("/proc/cpuinfo");
        Assert.SkipUnless(processor.Contains(" avx512bw"), "this processor has no AVX-512, and no emulator here does");
        ProgramResult result = PublishedPrograms.Run("known-answers", "x64-v4");
        Assert.True(result.ExitCode == 0, result.Error);
        var lines = result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split('\t')).GroupBy(parts => parts[0]).ToList();
        Assert.Equal("avx512", lines[0].Key);
        foreach (IGrouping<string, string[]> set in lines)
            Check(set.Select(parts => (parts[1], parts[2])));
    }

    private static void Check(IEnumerable<(string Name, string Bits)> results)
    {
        Dictionary<string, string> actual = results.ToDictionary(result => result.Name, result => result.Bits);
        Assert.Equal(Answers.Keys.Order(), actual.Keys.Order());
        Assert.Empty(Answers.Where(answer => actual[answer.Key] != answer.Value).Select(answer => $"{answer.Key}: {actual[answer.Key]}, should be {answer.Value}"));
    }
}
