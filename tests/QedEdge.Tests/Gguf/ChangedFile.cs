using QedEdge.Gguf;

namespace QedEdge.Tests.Gguf;

/// <summary>A model file with one change, checksums included: only who knows what the values mean sees that something is wrong.</summary>
internal static class ChangedFile
{
    /// <summary>The file with other data in a tensor.</summary>
    public static byte[] WithData(byte[] source, string name, Action<byte[]> change) => Write(source, "", static (_, _) => { }, name, (tensor, data) =>
    {
        change(data);
        return (tensor.Type, [.. tensor.Dimensions], data);
    });

    /// <summary>The file with another entry for a key and another tensor for a name.</summary>
    /// <param name="source">The file's bytes.</param>
    /// <param name="key">The entry that is left out.</param>
    /// <param name="add">Adds what takes its place.</param>
    /// <param name="name">The tensor that is changed.</param>
    /// <param name="change">What it becomes; null leaves it out.</param>
    public static byte[] Write(byte[] source, string key, Action<GgufWriter, GgufMetadata> add, string name, Func<GgufTensorInfo, byte[], (TensorType Type, long[] Shape, byte[] Data)>? change)
    {
        using GgufFile file = GgufSample.Open(source);
        Assert.True(name == "" || file.Find(name) is not null, name);
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
        GgufSample.Write(writer, stream, parts);
        return stream.ToArray();
    }
}
