using QedEdge.Conversion;
using QedEdge.Quantization;

namespace QedEdge.Tests.Model;

/// <summary>Tests that use the sample model, converted into a folder of their own.</summary>
public abstract class SampleModelTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    /// <summary>Converts and opens the model with matrices of a type.</summary>
    private protected SampleModelTests(BlockFormat format)
    {
        ModelFile = Path.Combine(_folder, "tiny.gguf");
        CheckpointConverter.Convert(TestData.TinyQed, ModelFile, new ConversionOptions { Type = format });
        Model = QedModel.Open(ModelFile);
    }

    /// <summary>The model's file.</summary>
    protected string ModelFile { get; }

    /// <summary>The model.</summary>
    protected QedModel Model { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        Model.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
