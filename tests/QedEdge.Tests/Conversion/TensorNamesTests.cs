using QedEdge.Conversion;
using QedEdge.Conversion.Checkpoints;

#pragma warning disable xUnit1051 // every call here takes milliseconds; none needs to be cancelled

namespace QedEdge.Tests.Conversion;

/// <summary>Tensors under other names than expected: those that share their data, those of a wrapped model, buffers, and parts without an index.</summary>
public sealed class TensorNamesTests : IDisposable
{
    private const string Weights = "model.safetensors", Index = Weights + ".index.json";
    private const string Embedding = "embed_tokens.weight", Head = "lm_head.weight";

    private readonly CheckpointFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("\"format\":\"pt\",\"embed_tokens.weight\":\"lm_head.weight\"", "")]
    [InlineData("\"model.embed_tokens.weight\":\"lm_head.weight\",\"nested\":{\"a\":[1]}", "")]
    [InlineData("\"model.embed_tokens.weight\":\"model.lm_head.weight\"", "model.")]
    public void Convert_ATiedEmbeddingUnderTheHeadsName_IsFound(string metadata, string prefix)
    {
        _folder.With("tied-f32");
        CheckpointConverter.Convert(_folder.Path, _folder["expected"], new());
        Rename(name => prefix + (name == Embedding ? Head : name), metadata);
        CheckpointConverter.Convert(_folder.Path, _folder["found"], new());
        Assert.Equal(File.ReadAllBytes(_folder["expected"]), File.ReadAllBytes(_folder["found"]));
    }

    [Theory]
    [InlineData("")]                                              // nothing says that they are one
    [InlineData("\"embed_tokens.weight\":\"other.weight\"")]      // nor does this, of a tensor that is not there
    [InlineData("\"embed_tokens.weight\":[\"lm_head.weight\"]")]
    public void Convert_ATensorWithoutAnAlias_IsMissing(string metadata)
    {
        _folder.With("tied-f32");
        Rename(name => name == Embedding ? Head : name, metadata);
        Assert.Equal((Embedding, ModelFault.MissingTensor), (Refuse().Tensor, Refuse().Fault));
    }

    [Theory]
    [InlineData("_orig_mod.")]
    [InlineData("module.")]
    [InlineData("_orig_mod.model.")]
    public void Convert_NamesOfAWrappedModel_AreNamed(string prefix)
    {
        _folder.With("tied-f32");
        Rename(name => prefix + name, "");
        var refused = Refuse();
        Assert.Contains($"the file has '{prefix}{Embedding}'", refused.Message, StringComparison.Ordinal);
        Assert.Contains("wraps", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Convert_BuffersOfAnyTypeAndShape_AreIgnored()
    {
        _folder.With("tied-f32");
        CheckpointConverter.Convert(_folder.Path, _folder["expected"], new());
        Rename(name => name, "", "\"layers.0.rotary.inv_freq\":{\"dtype\":\"F8_NEW\",\"shape\":[7],\"data_offsets\":[0,1]},\"layers.0.attention.mask\":{\"strange\":[1.5]},");
        CheckpointConverter.Convert(_folder.Path, _folder["found"], new());
        Assert.Equal(File.ReadAllBytes(_folder["expected"]), File.ReadAllBytes(_folder["found"]));
    }

    [Fact]
    public void Open_PartsWithoutTheirIndex_AreNamed()
    {
        _folder.With("sharded-f16-model-prefix");
        File.Delete(_folder[Index]);
        string message = Refuse().Message;
        Assert.Contains("model-00001-of-00003.safetensors", message, StringComparison.Ordinal);
        Assert.Contains(Index, message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_AMissingPart_IsNamedWithItsIndex()
    {
        _folder.With("sharded-f16-model-prefix");
        File.Delete(_folder["model-00002-of-00003.safetensors"]);
        string message = Refuse().Message;
        Assert.Contains("model-00002-of-00003.safetensors: there is no such file", message, StringComparison.Ordinal);
        Assert.Contains(Index, message, StringComparison.Ordinal);
    }

    /// <summary>Writes the header anew: other names, metadata, further entries.</summary>
    private void Rename(Func<string, string> name, string metadata, string further = "")
    {
        var tensors = SafetensorsHeader.Read(_folder[Weights]);
        byte[] data = File.ReadAllBytes(_folder[Weights]);
        long start = tensors.Min(static tensor => tensor.Offset);
        string entries = string.Join(',', tensors.Select(tensor =>
            $$"""  "{{name(tensor.Name)}}":{"dtype":"{{tensor.Type}}","shape":{{tensor.ShapeText}},"data_offsets":[{{tensor.Offset - start}},{{tensor.Offset - start + tensor.Bytes}}]}"""));
        byte[] file = CheckpointFolder.Safetensors($$"""{"__metadata__":{{{metadata}}},{{further}}{{entries}}}""", data.Length - (int)start);
        data.AsSpan((int)start).CopyTo(file.AsSpan(file.Length - data.Length + (int)start));
        File.WriteAllBytes(_folder[Weights], file);
    }

    private ModelFormatException Refuse() => Assert.Throws<ModelFormatException>(() => CheckpointConverter.Convert(_folder.Path, _folder["refused"], new()));
}
