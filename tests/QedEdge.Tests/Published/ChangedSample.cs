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

    /// <summary>The file with a token of any text, under the id of &lt;pad&gt;; it is part of texts like any other.</summary>
    public static byte[] WithToken(string text)
    {
        const int userDefined = 4;
        byte[] renamed = Write(GgufKeys.Tokens, (writer, metadata) =>
        {
            GgufArray tokens = metadata.GetArray(GgufKeys.Tokens);
            writer.Add(GgufKeys.Tokens, (string[])[text, .. Enumerable.Range(1, tokens.Count - 1).Select(tokens.String)]);
        }, "", null);
        return ChangedFile.Write(renamed, GgufKeys.TokenType, (writer, metadata) => writer.Add(GgufKeys.TokenType, (int[])[userDefined, .. metadata.GetArray(GgufKeys.TokenType).Int32()[1..]]), "", null);
    }

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
