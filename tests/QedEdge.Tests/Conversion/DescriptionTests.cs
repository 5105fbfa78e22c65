using QedEdge.Architectures;
using QedEdge.Conversion;
using QedEdge.Conversion.Checkpoints;
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
}
