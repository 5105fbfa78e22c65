using QedEdge.Architectures;
using QedEdge.Conversion;
using QedEdge.Conversion.Checkpoints;
using QedEdge.Gguf;
using QedEdge.Model;
using QedEdge.Quantization;
using QedEdge.Tests.Model;

namespace QedEdge.Tests.Conversion;

/// <summary>What config.json describes is what the converted file describes.</summary>
public sealed class DescriptionTests : IDisposable
{
    private static readonly LayerShape[] None = [];

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public static TheoryData<string> Cases => [.. TestData.GoldenCases.Select(folder => Path.GetFileName(folder))];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [MemberData(nameof(Cases))]
    public void OfTheFile_IsTheCheckpoints(string name)
    {
        string folder = Path.Combine(TestData.Root, "tests", "golden", name);
        CheckpointConfig config = CheckpointConfig.ReadFolder(folder);
        Architecture expected = config.Architecture;
        foreach (FileLayout layout in Enum.GetValues<FileLayout>())
        {
            string path = Path.Combine(_folder, $"{layout}.gguf");
            CheckpointConverter.Convert(folder, path, new ConversionOptions { Type = BlockFormat.F32, Layout = layout, Threads = 1 });
            using QedModel model = QedModel.Open(path);
            Architecture actual = model.Config.Architecture;
            Assert.Equal(expected with { Layers = None }, actual with { Layers = None }); // records compare arrays by identity
            Assert.Equal(expected.Layers, actual.Layers);
            Assert.Equal(ModelFingerprintTests.Fingerprint(expected), ModelFingerprintTests.Fingerprint(actual));
            Assert.Equal(config.RotaryFactors, model.Weights.RotaryFactors?[..(expected.HeadSize / 2)]);
        }
    }

    /// <summary>A branch that both halves make has no norm of either: the forward pass would drop it.</summary>
    [Fact]
    public void AParallelLayerWithANormBehindAHalf_IsRefused()
    {
        string path = Path.Combine(_folder, "model.gguf");
        CheckpointConverter.Convert(TestData.GoldenCases.First(), path, new ConversionOptions());
        using GgufFile file = GgufFile.Open(path);
        var source = new Hyperparameters(new GgufHyperparameters(file, file.Metadata.GetString(GgufKeys.Architecture)));
        var norm = new Norm(NormKind.Rms, 1e-5f);
        var layer = new LayerShape(new AttentionShape(norm, 1, 1, 8) { Scale = 1 }, new FeedForwardShape(norm, 8, Activation.Silu, IsGated: true)) { Parallel = true };
        Assert.Equal(layer, source.Decoder("x", norm, layer).Layers[0]);
        Assert.Throws<ArgumentException>(() => source.Decoder("x", norm, layer with { Attention = layer.Attention with { PostNorm = norm } }));
        Assert.Throws<ArgumentException>(() => source.Decoder("x", norm, layer with { FeedForward = layer.FeedForward with { PostNorm = norm } }));
    }
}
