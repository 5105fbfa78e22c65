using QedEdge.Gguf;
using QedEdge.Memory;

namespace QedEdge.Tests.Gguf;

/// <summary>Small files that the tests of the format share.</summary>
internal static class GgufSample
{
    /// <summary>Opens bytes as a file at an address of no alignment at all.</summary>
    public static GgufFile Open(byte[] bytes, string name = "sample")
    {
        var buffer = new AlignedBuffer<byte>(bytes.Length + 7);
        bytes.CopyTo(buffer.Slice(7, bytes.Length));
        return GgufFile.Open(buffer.View.Slice(7, bytes.Length), name, buffer);
    }

    /// <summary>Opens bytes that must be refused, and returns the error.</summary>
    public static ModelFormatException Refuse(byte[] bytes) =>
        Assert.Throws<ModelFormatException>(() => Open(bytes).Dispose());

    /// <summary>A small file of architecture "qed" with all hyperparameters, a vocabulary and four tensors.</summary>
    public static byte[] Qed(bool checksums = true, Action<GgufWriter>? more = null, IReadOnlyDictionary<string, object?>? changes = null)
    {
        var values = new Dictionary<string, object?>
        {
            [GgufKeys.Architecture] = "qed",
            [GgufKeys.Name] = "sample",
            [GgufKeys.ContextLength] = 64u,
            [GgufKeys.EmbeddingLength] = 32u,
            [GgufKeys.BlockCount] = 2u,
            [GgufKeys.FeedForwardLength] = 96u,
            [GgufKeys.HeadCount] = 4u,
            [GgufKeys.HeadCountKv] = 4u,
            [GgufKeys.RmsNormEpsilon] = 1e-5f,
            [GgufKeys.RopeFreqBase] = 10000f,
            [GgufKeys.RopeDimensionCount] = 8u,
            [GgufKeys.VocabSize] = 5u,
            [GgufKeys.Tokens] = new[] { "<pad>", "<bos>", "<eos>", "<unk>", "Ġé" },
            [GgufKeys.TokenType] = new[] { 3, 3, 3, 3, 1 },
            [GgufKeys.BosTokenId] = 1u,
            [GgufKeys.EosTokenId] = 2u,
            [GgufKeys.PaddingTokenId] = 0u,
            [GgufKeys.AddBosToken] = true,
        };
        foreach (var (key, value) in changes ?? new Dictionary<string, object?>())
            values[key] = value;

        var writer = new GgufWriter(checksums: checksums);
        foreach (var (key, value) in values)
            Add(writer, key, value);
        more?.Invoke(writer);
        writer.AddTensor("token_embd.weight", TensorType.Q8_0, [5, 32], 5 * 34);
        writer.AddTensor("empty", TensorType.F32, [0, 32], 0);
        writer.AddTensor("output_norm.weight", TensorType.F32, [32], 32 * 4);
        writer.AddTensor("packed", TensorType.PackedQ4_0, [9, 33], 2 * 320);
        var random = new Random(7);
        var stream = new MemoryStream();
        writer.Begin(stream);
        foreach (var (index, size) in new[] { (0, 170), (2, 128), (3, 640) })
        {
            var data = new byte[size];
            random.NextBytes(data);
            writer.WriteTensor(index, data.AsSpan(0, 100));
            writer.WriteTensor(index, data.AsSpan(100));
        }
        writer.End();
        return stream.ToArray();
    }

    /// <summary>Writes announced tensors' data.</summary>
    public static void Write(GgufWriter writer, Stream stream, IReadOnlyList<byte[]> parts)
    {
        writer.Begin(stream);
        for (int i = 0; i < parts.Count; i++)
            writer.WriteTensor(i, parts[i]);
        writer.End();
    }

    /// <summary>Adds a value of whatever type a test names; null adds nothing.</summary>
    public static void Add(GgufWriter writer, string key, object? value)
    {
        switch (value)
        {
            case null: break;
            case string text: writer.Add(key, text); break;
            case uint number: writer.Add(key, number); break;
            case ulong number: writer.Add(key, number); break;
            case float number: writer.Add(key, number); break;
            case bool truth: writer.Add(key, truth); break;
            case string[] texts: writer.Add(key, texts); break;
            case uint[] numbers when value.GetType() == typeof(uint[]): writer.Add(key, numbers); break; // the runtime lets either pass for the other
            case int[] numbers: writer.Add(key, numbers); break;
            case float[] numbers: writer.Add(key, numbers); break;
            case ulong[] numbers: writer.Add(key, numbers); break;
            default: throw new ArgumentException(value.GetType().Name);
        }
    }
}
