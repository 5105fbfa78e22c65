using QedEdge.Conversion;
using QedEdge.Gguf;
using QedEdge.Quantization.Formats;
using QedEdge.Tests.Gguf;

namespace QedEdge.Tests.Model;

/// <summary>Damaged blocks of other tools' types: a scale or a min that is no finite number is refused by tensor, all else is harmless.</summary>
public sealed class DamagedTypesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public static TheoryData<string> Cases => OtherTypesTests.Cases;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [MemberData(nameof(Cases))]
    public void ScalesThatAreNotFinite_AreRefusedByName_InPlainAndInPackedFiles(string name)
    {
        byte[] source = File.ReadAllBytes(Path.Combine(TestData.Root, "tests", "types", name, "model.gguf"));
        using GgufFile file = GgufSample.Open(source);
        var seen = new HashSet<TensorType>();
        foreach (GgufTensorInfo tensor in file.Tensors.Where(tensor => tensor.Dimensions.Count == 2 && tensor.Type != TensorType.F32 && seen.Add(tensor.Type)))
        {
            FormatInfo format = TensorTypes.PlainFormat(tensor.Type)!.Value.Info();
            int step = Math.Max(format.ColumnStep, format.HasScales ? 32 : 1), bytes = (int)format.RowBytes(step);
            var before = new float[step];
            var after = new float[step];
            bool refused = false;
            int length = tensor.Type == TensorType.IQ1_M ? 4 : 2; // whose half is spread over four words
            for (int at = 0; at + length <= bytes; at++)
            {
                byte[] damaged = (byte[])source.Clone();
                Span<byte> block = damaged.AsSpan((int)tensor.Offset, bytes);
                format.DecodeRow(block, before);
                block.Slice(at, length).Fill(0xFF); // a half that is not a number, where a half is
                format.DecodeRow(block, after);
                if (Array.TrueForAll(after, float.IsFinite))
                    continue; // quants, scales and signs may be anything
                refused = true;
                ModelFormatException error = Refuse(damaged);
                Assert.Equal((ModelFault.Damaged, tensor.Name), (error.Fault, error.Tensor));
                Assert.Contains("not finite", error.Message);
                string path = Path.Combine(_folder, "damaged.gguf"), packed = Path.Combine(_folder, "packed.gguf");
                File.WriteAllBytes(path, damaged);
                error = Assert.Throws<ModelFormatException>(() => FileRepacker.Repack(path, packed, FileLayout.Packed, 1, overwrite: true));
                Assert.Equal((ModelFault.Damaged, tensor.Name), (error.Fault, error.Tensor));
                Assert.False(File.Exists(packed));
            }
            Assert.Equal(tensor.Type != TensorType.NVFP4, refused); // whose scales are all finite: 127 counts 0
        }
    }

    /// <summary>Whatever quants and small scales are, a file with finite halves runs and gives numbers.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void AnyOtherBytes_AreHarmless(string name)
    {
        byte[] source = File.ReadAllBytes(Path.Combine(TestData.Root, "tests", "types", name, "model.gguf"));
        var random = new Random(5);
        using GgufFile file = GgufSample.Open(source);
        foreach (GgufTensorInfo tensor in file.Tensors.Where(static tensor => tensor.Dimensions.Count == 2 && tensor.Type != TensorType.F32))
        {
            FormatInfo format = TensorTypes.PlainFormat(tensor.Type)!.Value.Info();
            int step = Math.Max(format.ColumnStep, format.HasScales ? 32 : 1), bytes = (int)format.RowBytes(step);
            var values = new float[step];
            for (int trial = 0; trial < 20; trial++)
            {
                Span<byte> block = source.AsSpan((int)(tensor.Offset + random.Next((int)(tensor.Bytes / bytes)) * bytes), bytes);
                byte[] kept = block.ToArray();
                block[random.Next(bytes)] = (byte)random.Next(256);
                format.DecodeRow(block, values);
                if (!Array.TrueForAll(values, static value => Math.Abs(value) < 100))
                    kept.CopyTo(block); // absurdly large weights overflow activations, which is refused when it happens
            }
        }
        using QedModel model = QedModel.Open(GgufSample.Open(source), null);
        using Session session = model.CreateSession();
        session.Feed([1, 2, 3]);
        Assert.True(Array.TrueForAll(session.Logits.ToArray(), float.IsFinite));
    }

    private static ModelFormatException Refuse(byte[] bytes) => Assert.Throws<ModelFormatException>(() => QedModel.Open(GgufSample.Open(bytes), null).Dispose());
}
