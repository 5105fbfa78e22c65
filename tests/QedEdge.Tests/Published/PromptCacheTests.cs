using QedEdge.Conversion;
using QedEdge.Quantization;

namespace QedEdge.Tests.Published;

/// <summary>A prompt cache that cannot be used is a miss: a warning, and the text that there would be without it.</summary>
public sealed class PromptCacheTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    private string Cache => Path.Combine(_folder, "cache");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void ACacheOfAnotherModelOrStorage_IsAMiss_AndReplaced()
    {
        string model = Path.Combine(_folder, "other.gguf");
        CheckpointConverter.Convert(TestData.TinyQed, model, new ConversionOptions { Type = BlockFormat.Q4_0 });
        foreach (string[] maker in (string[][])[["-m", model], ["--kv-type", "f16"]])
        {
            Assert.Equal(0, Generate(["--prompt-cache", Cache, .. maker]).ExitCode);
            AssertIsAMiss();
            AssertIsAHit();
            File.Delete(Cache);
        }
    }

    [Fact]
    public void AnEmptyOrDamagedCache_IsAMiss()
    {
        File.WriteAllBytes(Cache, []);
        AssertIsAMiss();
        File.Delete(Cache);
        Generate(["--prompt-cache", Cache]);
        byte[] whole = File.ReadAllBytes(Cache), damaged = [.. whole];
        damaged[^1] ^= 1;
        foreach (byte[] content in (byte[][])[damaged, whole[..^1]])
        {
            File.WriteAllBytes(Cache, content);
            AssertIsAMiss();
        }
    }

    /// <summary>What is no cache is not replaced by one.</summary>
    [Fact]
    public void AFileOfAnotherKind_StaysAsItIs()
    {
        File.WriteAllText(Cache, "precious, and longer than the header of a saved session, which is why there is so much of it to read");
        AssertIsAMiss();
        Assert.StartsWith("precious", File.ReadAllText(Cache));
    }

    private void AssertIsAMiss()
    {
        ProgramResult result = Generate(["--prompt-cache", Cache]), plain = Generate([]);
        Assert.Equal((0, plain.Output), (result.ExitCode, result.Output));
        Assert.StartsWith("warning: ", Assert.Single(result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries)));
    }

    private void AssertIsAHit()
    {
        ProgramResult result = Generate(["--prompt-cache", Cache]);
        Assert.Equal((0, Generate([]).Output, ""), (result.ExitCode, result.Output, result.Error));
    }

    private static ProgramResult Generate(string[] more) => PublishedPrograms.Run("qed", "x64", ["generate", "Once upon a time", "-n", "5", "--seed", "1", .. more]);
}
