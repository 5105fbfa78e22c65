using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using QedEdge.Conversion;
using QedEdge.Conversion.Checkpoints;

namespace QedEdge.Tests.Conversion;

/// <summary>A tensor as tests write it: its name, type, shape and values.</summary>
internal sealed record TestTensor(string Name, string Type, int[] Shape, float[] Values)
{
    /// <summary>The values as the type stores them; written here once more, so that tests do not believe the converter's own rounding.</summary>
    public byte[] Bytes => [.. Values.SelectMany(value => Type switch
    {
        "F32" => BitConverter.GetBytes(value),
        "F16" => BitConverter.GetBytes((Half)value),
        "BF16" => BitConverter.GetBytes((ushort)(BitConverter.SingleToUInt32Bits(value) >> 16)),
        "F64" => BitConverter.GetBytes((double)value),
        _ => throw new NotSupportedException(Type),
    })];

    /// <summary>The values that a reader finds.</summary>
    public double[] Stored => [.. Values.Select(value => Type switch
    {
        "F16" => (double)(Half)value,
        "BF16" => BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(value) & 0xFFFF0000),
        _ => value,
    })];
}

/// <summary>A folder with a small random checkpoint (<c>model</c>) and an adapter for it (<c>adapter</c>).</summary>
internal sealed class AdapterFolder : IDisposable
{
    public const int Vocab = 43, Width = 48, Inner = 72; // no multiples of 32

    private readonly CheckpointFolder _folder = new();
    private readonly Random _random = new(20261126);

    public AdapterFolder(bool tied = true, bool bias = false, CheckpointType type = CheckpointType.F32)
    {
        File.WriteAllText(_folder["c.json"], $$"""
            {"model_type":"qed","vocab_size":{{Vocab}},"d_model":{{Width}},"n_layers":2,"n_heads":2,"ffn_hidden_dim":{{Inner}},"max_seq_len":64,
            "tie_word_embeddings":{{(tied ? "true" : "false")}},"bias":{{(bias ? "true" : "false")}}}
            """);
        RandomCheckpoint.Write(_folder["c.json"], Model, 7, type, overwrite: false);
        Directory.CreateDirectory(Adapter);
        Config = new JsonObject { ["peft_type"] = "LORA", ["r"] = 4, ["lora_alpha"] = 6, ["target_modules"] = new JsonArray("q_proj"), ["bias"] = "none" };
    }

    public string Model => _folder["model"];

    public string Adapter => _folder["adapter"];

    /// <summary>adapter_config.json.</summary>
    public JsonObject Config { get; }

    /// <summary>The adapter's tensors.</summary>
    public List<TestTensor> Tensors { get; } = [];

    public string this[string name] => _folder[name];

    /// <summary>A tensor with random values.</summary>
    public TestTensor Random(string name, string type, params int[] shape) =>
        new(name, type, shape, [.. Enumerable.Range(0, shape.Aggregate(1, static (product, size) => product * size)).Select(_ => (float)(_random.NextDouble() - 0.5))]);

    /// <summary>Adds both halves of an update of a linear map.</summary>
    public AdapterFolder Add(string module, int outputs, int inputs, int rank = 4, string type = "F32", string end = ".weight", string root = "base_model.model.")
    {
        Tensors.Add(Random($"{root}{module}.lora_A{end}", type, rank, inputs));
        Tensors.Add(Random($"{root}{module}.lora_B{end}", type, outputs, rank));
        return this;
    }

    /// <summary>Writes the adapter.</summary>
    public AdapterFolder Save()
    {
        File.WriteAllText(Path.Combine(Adapter, "adapter_config.json"), Config.ToJsonString());
        Write(Path.Combine(Adapter, "adapter_model.safetensors"), Tensors);
        return this;
    }

    /// <summary>The checkpoint's tensors by name, read without the converter's arithmetic.</summary>
    public Dictionary<string, TestTensor> Checkpoint() => Read(Path.Combine(Model, "model.safetensors"));

    /// <summary>A file's tensors by name.</summary>
    public static Dictionary<string, TestTensor> Read(string file)
    {
        byte[] bytes = File.ReadAllBytes(file);
        return SafetensorsHeader.Read(file).ToDictionary(static tensor => tensor.Name, tensor =>
        {
            int size = tensor.Type == "F32" ? 4 : 2, count = (int)tensor.Bytes / size;
            IEnumerable<float> values = Enumerable.Range(0, count).Select(i => (int)tensor.Offset + (i * size)).Select(at => tensor.Type switch
            {
                "F32" => BitConverter.ToSingle(bytes, at),
                "F16" => (float)BitConverter.ToHalf(bytes, at),
                _ => BitConverter.UInt32BitsToSingle((uint)BitConverter.ToUInt16(bytes, at) << 16),
            });
            return new TestTensor(tensor.Name, tensor.Type, [.. tensor.Shape.Select(static size => (int)size)], [.. values]);
        });
    }

    /// <summary>A safetensors file.</summary>
    public static void Write(string file, IEnumerable<TestTensor> tensors)
    {
        var header = new JsonObject();
        using var data = new MemoryStream();
        foreach (TestTensor tensor in tensors)
        {
            long begin = data.Length;
            data.Write(tensor.Bytes);
            header[tensor.Name] = new JsonObject
            {
                ["dtype"] = tensor.Type,
                ["shape"] = JsonSerializer.SerializeToNode(tensor.Shape),
                ["data_offsets"] = new JsonArray(begin, data.Length),
            };
        }
        byte[] text = Encoding.UTF8.GetBytes(header.ToJsonString());
        File.WriteAllBytes(file, [.. BitConverter.GetBytes((long)text.Length), .. text, .. data.ToArray()]);
    }

    /// <summary>W + scaling · B A, in double precision and in an order of its own.</summary>
    public static double[] Merged(TestTensor weight, double[] a, double[] b, double scaling)
    {
        (int rows, int cols) = (weight.Shape[0], weight.Shape[1]);
        int rank = a.Length / cols;
        double[] merged = weight.Stored;
        for (int k = rank - 1; k >= 0; k--)
        {
            for (int i = 0; i < rows; i++)
            {
                for (int j = 0; j < cols; j++)
                    merged[(i * cols) + j] += scaling * b[(i * rank) + k] * a[(k * cols) + j];
            }
        }
        return merged;
    }

    public void Dispose() => _folder.Dispose();
}
