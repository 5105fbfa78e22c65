using QedEdge.Gguf;
using QedEdge.Tests.Gguf;

namespace QedEdge.Tests.Model;

/// <summary>Files as other tools write them, made from files in plain layout.</summary>
internal static class ForeignFiles
{
    /// <summary>Writes a file anew under another architecture, without what only QedEdge writes; returns the new file's path.</summary>
    /// <param name="source">A file in plain layout, of architecture "qed" where nothing else is said.</param>
    /// <param name="architecture">"qwen2", or "llama": then rows of queries and keys change places as that architecture has them.</param>
    /// <param name="entries">Further keys; a string, uint, float or bool, or null to leave a key out.</param>
    /// <param name="without">A tensor to leave out.</param>
    /// <param name="extra">A tensor to add, or to have in the place of one of the same name, filled with zeros.</param>
    /// <param name="checksums">Whether the new file has checksums of its own.</param>
    /// <param name="from">The source's architecture, if another; its rows stay where they are then.</param>
    public static string Write(string source, string architecture, Dictionary<string, object?>? entries = null, string? without = null,
        (string Name, TensorType Type, long[] Shape)? extra = null, bool checksums = false, string from = "qed")
    {
        string target = $"{source}.{architecture}";
        entries ??= [];
        using GgufFile file = GgufFile.Open(source);
        var writer = new GgufWriter(alignment: 32, checksums);
        foreach (string key in file.Metadata.Keys)
        {
            string name = key.StartsWith(from + ".", StringComparison.Ordinal) ? architecture + key[from.Length..] : key;
            if (key == GgufKeys.Architecture)
                writer.Add(key, architecture);
            else if (!entries.ContainsKey(name) && !IsQedsAlone(key))
                Copy(writer, file.Metadata, key, name);
        }
        foreach ((string key, object? value) in entries)
            GgufSample.Add(writer, key, value);

        int heads = (int)file.Metadata.GetUInt32($"{from}.attention.head_count");
        var parts = new List<byte[]>();
        foreach (GgufTensorInfo tensor in file.Tensors.Where(t => t.Name != without && t.Name != extra?.Name))
        {
            byte[] data = file.Data(tensor).Span(0, (int)tensor.Bytes).ToArray();
            bool rotary = tensor.Name.Contains("attn_q.", StringComparison.Ordinal) || tensor.Name.Contains("attn_k.", StringComparison.Ordinal);
            writer.AddTensor(tensor.Name, tensor.Type, [.. tensor.Dimensions], data.Length);
            parts.Add(rotary && architecture == "llama" && from == "qed" ? Interleave(data, (int)tensor.Dimensions[0], heads) : data);
        }
        if (extra is { } more)
        {
            Assert.Null(TensorTypes.TryBytes(more.Type, more.Shape, out long bytes));
            writer.AddTensor(more.Name, more.Type, more.Shape, bytes);
            parts.Add(new byte[bytes]);
        }
        using FileStream stream = File.Create(target);
        GgufSample.Write(writer, stream, parts);
        return target;
    }

    /// <summary>What a converter to "llama" does to queries and keys: in each head, row j becomes row 2j, and row size/2 + j becomes row 2j + 1.</summary>
    private static byte[] Interleave(byte[] data, int rows, int heads)
    {
        int rowBytes = data.Length / rows, size = rows / heads;
        var result = new byte[data.Length];
        for (int head = 0; head < heads; head++)
        {
            for (int j = 0; j < size / 2; j++)
            {
                Move(head * size + j, head * size + 2 * j);
                Move(head * size + size / 2 + j, head * size + 2 * j + 1);
            }
        }
        return result;

        void Move(int from, int to) => data.AsSpan(from * rowBytes, rowBytes).CopyTo(result.AsSpan(to * rowBytes));
    }

    private static bool IsQedsAlone(string key) => key == GgufKeys.TieWordEmbeddings || key.StartsWith("qed.checksum.", StringComparison.Ordinal)
        || key.StartsWith("qed.conversion.", StringComparison.Ordinal) || key.StartsWith("qed.digest.", StringComparison.Ordinal);

    private static void Copy(GgufWriter writer, GgufMetadata from, string key, string name)
    {
        if (key == name)
            writer.Copy(from, key);
        else if (from.TypeOf(key) == GgufValueType.Float32)
            writer.Add(name, from.GetFloat32(key));
        else
            writer.Add(name, from.GetUInt32(key));
    }
}
