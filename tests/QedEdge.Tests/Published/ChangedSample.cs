using QedEdge.Conversion;
using QedEdge.Gguf;

namespace QedEdge.Tests.Published;

/// <summary>The sample model as a file with one change, checksums included: only who knows the architecture sees that something is wrong.</summary>
internal static class ChangedSample
{
    private static readonly Lazy<byte[]> Sample = new(Convert);

    /// <summary>The file without a tensor.</summary>
    public static byte[] WithoutTensor(string name) => Write("", static (_, _) => { }, name, null);

    /// <summary>The file with another tensor in a tensor's place.</summary>
    public static byte[] WithTensor(string name, TensorType type, long[] shape) => Write("", static (_, _) => { }, name, (_, _) => (type, shape, new byte[Bytes(type, shape)]));

    /// <summary>The file with other data in a tensor.</summary>
    public static byte[] WithData(string name, Action<byte[]> change) => Write("", static (_, _) => { }, name, (tensor, data) =>
    {
        change(data);
        return (tensor.Type, [.. tensor.Dimensions], data);
    });

    /// <summary>The file with another value, or none, for a key.</summary>
    public static byte[] WithEntry(string key, Action<GgufWriter, GgufMetadata> add) => Write(key, add, "", null);

    private static byte[] Write(string key, Action<GgufWriter, GgufMetadata> add, string name, Func<GgufTensorInfo, byte[], (TensorType Type, long[] Shape, byte[] Data)>? change)
    {
        using GgufFile file = Gguf.GgufSample.Open(Sample.Value);
        var writer = new GgufWriter();
        foreach (string other in file.Metadata.Keys.Where(k => k != key))
            writer.Copy(file.Metadata, other);
        add(writer, file.Metadata);
        var parts = new List<byte[]>();
        foreach (GgufTensorInfo tensor in file.Tensors.Where(t => t.Name != name || change is not null))
        {
            byte[] data = file.Data(tensor).Span(0, (int)tensor.Bytes).ToArray();
            (TensorType type, long[] shape, data) = tensor.Name == name ? change!(tensor, data) : (tensor.Type, [.. tensor.Dimensions], data);
            writer.AddTensor(tensor.Name, type, shape, data.Length);
            parts.Add(data);
        }
        using var stream = new MemoryStream();
        Gguf.GgufSample.Write(writer, stream, parts);
        return stream.ToArray();
    }

    private static long Bytes(TensorType type, long[] shape) =>
        TensorTypes.TryBytes(type, shape, out long bytes) is null ? bytes : throw new ArgumentException($"{type}");

    private static byte[] Convert()
    {
        string folder = Directory.CreateTempSubdirectory("qed").FullName;
        try
        {
            string file = Path.Combine(folder, "sample.gguf");
            CheckpointConverter.Convert(TestData.TinyQed, file, new ConversionOptions());
            return File.ReadAllBytes(file);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
