using QedEdge.Conversion;
using QedEdge.Gguf;
using QedEdge.Tests.Gguf;

namespace QedEdge.Tests.Published;

/// <summary>The sample model with one change (<see cref="ChangedFile"/>).</summary>
internal static class ChangedSample
{
    private static readonly Lazy<byte[]> Sample = new(Convert);

    /// <summary>The file without a tensor.</summary>
    public static byte[] WithoutTensor(string name) => Write("", static (_, _) => { }, name, null);

    /// <summary>The file with another tensor in a tensor's place.</summary>
    public static byte[] WithTensor(string name, TensorType type, long[] shape) => Write("", static (_, _) => { }, name, (_, _) => (type, shape, new byte[Bytes(type, shape)]));

    /// <summary>The file with other data in a tensor.</summary>
    public static byte[] WithData(string name, Action<byte[]> change) => ChangedFile.WithData(Sample.Value, name, change);

    /// <summary>The file with another value, or none, for a key.</summary>
    public static byte[] WithEntry(string key, Action<GgufWriter, GgufMetadata> add) => Write(key, add, "", null);

    private static byte[] Write(string key, Action<GgufWriter, GgufMetadata> add, string name, Func<GgufTensorInfo, byte[], (TensorType Type, long[] Shape, byte[] Data)>? change) =>
        ChangedFile.Write(Sample.Value, key, add, name, change);

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
