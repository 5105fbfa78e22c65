using QedEdge.Conversion;
using QedEdge.Gguf;
using QedEdge.Memory;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;
using QedEdge.Tests.Gguf;

namespace QedEdge.Tests.Model;

/// <summary>Files whose header is sound and whose tensors are not what the model needs.</summary>
public sealed class ModelWeightsTests : IDisposable
{
    private static readonly byte[] NotANumber = [0x00, 0x7E];

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("token_embd.weight")]
    [InlineData("blk.1.attn_norm.weight")]
    [InlineData("blk.0.attn_q.weight")]
    [InlineData("blk.2.ffn_down.weight")]
    [InlineData("output_norm.weight")]
    [InlineData("output.weight")]
    public void Open_WithoutATensor_NamesIt(string name)
    {
        ModelFormatException error = Refuse(Rewrite("untied-bias-bf16", without: name));
        Assert.Equal(ModelFault.MissingTensor, error.Fault);
        Assert.Equal(name, error.Tensor);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public unsafe void Open_FromTheCallersMemory_LeavesItAsItIs(bool plain)
    {
        string path = Path.Combine(_folder, "model.gguf");
        CheckpointConverter.Convert(TestData.TinyQed, path, new ConversionOptions { Layout = plain ? FileLayout.Plain : FileLayout.Packed });
        byte[] bytes = File.ReadAllBytes(path);
        using var memory = new AlignedBuffer<byte>(bytes.Length);
        bytes.CopyTo(memory.Span);
        using (QedModel.Open(new UnmanagedMemoryStream(memory.Pointer, bytes.Length), "memory"))
            Assert.True(memory.Span.SequenceEqual(bytes));
    }

    [Fact]
    public void Open_AMatrixOfAnotherShape_NamesIt()
    {
        ModelFormatException error = Refuse(Rewrite("untied-bias-bf16", change: ("blk.0.ffn_up.weight", TensorType.F32, [256, 127])));
        Assert.Equal((ModelFault.Damaged, "blk.0.ffn_up.weight"), (error.Fault, error.Tensor));
    }

    [Fact]
    public void Open_AMatrixOfAnUnsupportedType_SaysWhichAreSupported()
    {
        ModelFormatException error = Refuse(Rewrite("untied-bias-bf16", change: ("blk.0.ffn_up.weight", TensorType.I8, [256, 128])));
        Assert.Equal((ModelFault.Unsupported, "blk.0.ffn_up.weight"), (error.Fault, error.Tensor));
        Assert.Contains("Q4_K_M", error.Message);
    }

    [Theory]
    [InlineData("Q4_0", "blk.1.attn_k.weight", -2)] // the last scale of the last row group
    [InlineData("Q8_0", "token_embd.weight", -2)]
    [InlineData("F16", "blk.0.ffn_gate.weight", 0)]
    [InlineData("F32", "blk.0.ffn_gate.weight", 2)] // the upper half of a float: an exponent of all ones
    [InlineData("F32", "output_norm.weight", 2)]
    [InlineData("F32", "output.bias", -2)]
    public void Open_ValuesThatAreNotFinite_NamesTheTensor(string formatName, string name, int offset)
    {
        BlockFormat format = Enum.Parse<BlockFormat>(formatName);
        byte[] bad = format == BlockFormat.F32 ? [0x80, 0x7F] : NotANumber;
        void Damage(byte[] data) => bad.CopyTo(data, offset >= 0 ? offset : data.Length + offset);
        string path = Rewrite("tied-f32", format, damage: (name, Damage));
        ModelFormatException error = Refuse(path);
        Assert.Equal((ModelFault.Damaged, name), (error.Fault, error.Tensor));
    }

    [Fact]
    public void Open_AnUnknownTensor_IsRefused()
    {
        ModelFormatException error = Refuse(Rewrite("tied-f32", extra: "something.else"));
        Assert.Equal((ModelFault.Unsupported, "something.else"), (error.Fault, error.Tensor));
    }

    [Fact]
    public void Repack_ThereAndBack_GivesTheBytesOfConverting()
    {
        foreach (BlockFormat format in BlockFormats.Written)
        {
            string packed = Path.Combine(_folder, "packed"), plain = Path.Combine(_folder, "plain"), again = Path.Combine(_folder, "again");
            CheckpointConverter.Convert(TestData.TinyQed, packed, new ConversionOptions { Type = format, Overwrite = true });
            CheckpointConverter.Convert(TestData.TinyQed, plain, new ConversionOptions { Type = format, Layout = FileLayout.Plain, Overwrite = true });
            FileRepacker.Repack(plain, again, FileLayout.Packed, 1, overwrite: true, cancellation: default);
            Assert.Equal(File.ReadAllBytes(packed), File.ReadAllBytes(again));
            FileRepacker.Repack(packed, again, FileLayout.Plain, 2, overwrite: true, cancellation: default);
            Assert.Equal(File.ReadAllBytes(plain), File.ReadAllBytes(again));
        }
    }

    private static ModelFormatException Refuse(string path) => Assert.Throws<ModelFormatException>(() => QedModel.Open(path).Dispose());

    /// <summary>Converts a golden case and writes it anew with one change, checksums included.</summary>
    private string Rewrite(string name, BlockFormat format = BlockFormat.F32, string? without = null, string? extra = null,
        (string Name, TensorType Type, long[] Shape)? change = null, (string Name, Action<byte[]> Change)? damage = null)
    {
        string source = Path.Combine(_folder, "source.gguf"), target = Path.Combine(_folder, "target.gguf");
        CheckpointConverter.Convert(Path.Combine(TestData.Root, "tests", "golden", name), source, new ConversionOptions { Type = format, Overwrite = true });
        using GgufFile file = GgufFile.Open(source);
        var writer = new GgufWriter();
        foreach (string key in file.Metadata.Keys)
            writer.Copy(file.Metadata, key);
        if (extra is not null)
            writer.Add(extra, "value");
        var parts = new List<byte[]>();
        foreach (GgufTensorInfo tensor in file.Tensors.Where(t => t.Name != without))
        {
            byte[] data = file.Data(tensor).Span(0, (int)tensor.Bytes).ToArray();
            if (damage is { } d && d.Name == tensor.Name)
                d.Change(data);
            TensorType type = tensor.Type;
            long[] shape = [.. tensor.Dimensions];
            if (change is { } c && c.Name == tensor.Name)
            {
                (type, shape) = (c.Type, c.Shape);
                data = new byte[shape.Aggregate(1L, (a, b) => a * b) * (type == TensorType.I8 ? 1 : 4)];
            }
            writer.AddTensor(tensor.Name, type, shape, data.Length);
            parts.Add(data);
        }
        if (extra is not null)
        {
            writer.AddTensor(extra, TensorType.I64, [1], 8);
            parts.Add(new byte[8]);
        }
        using FileStream stream = File.Create(target);
        GgufSample.Write(writer, stream, parts);
        return target;
    }
}
