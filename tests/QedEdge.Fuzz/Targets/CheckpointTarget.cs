using System.IO.Hashing;
using QedEdge.Conversion;
using QedEdge.Conversion.Checkpoints;
using QedEdge.Fuzz.Mutation;
using QedEdge.Gguf;
using QedEdge.Quantization;

namespace QedEdge.Fuzz.Targets;

/// <summary>
/// A checkpoint's folder: config.json, generation_config.json, tokenizer.json with its companions, weights in one file or parts with an index. Read and planned; some that
/// are sound are converted, and what comes out must run.
/// </summary>
internal sealed class CheckpointTarget : Target
{
    private const int ConvertedOneIn = 64; // a conversion takes a hundred times as long as reading
    private string _folder = "", _output = "";

    public override int Share => 5;

    public override IEnumerable<byte[]> Seeds(string folder)
    {
        _folder = Path.Combine(folder, "checkpoint");
        _output = Path.Combine(folder, "model.gguf");
        Samples.Checkpoint(_folder);
        yield return FileSet.Of(_folder).ToArray();
        Samples.Checkpoint(_folder, tied: false, bias: true, CheckpointType.BF16);
        FileSet whole = FileSet.Of(_folder);
        yield return whole.ToArray();
        yield return Sharded(whole).ToArray();
        foreach (string config in FamilyConfigs.All)
        {
            Samples.Checkpoint(_folder, config);
            yield return FileSet.Of(_folder).ToArray();
        }
    }

    public override byte[] Mutate(Random random, byte[] input, byte[] other) => FileSet.Mutate(random, input, other);

    public override string Execute(Input input)
    {
        FileSet.Read(input.Bytes).Write(_folder);
        var options = new ConversionOptions { Type = (BlockFormat)(input.Bytes.Length % 5), Threads = 1, Overwrite = true };
        if (XxHash3.HashToUInt64(input.Bytes) % ConvertedOneIn == 0)
        {
            CheckpointConverter.Convert(_folder, _output, options);
            return "converted, " + Runs.Model(open => QedModel.Open(_output, open));
        }
        Checkpoint checkpoint = Checkpoint.Open(_folder);
        var plan = new TensorPlan(checkpoint, options);
        var writer = new GgufWriter();
        List<string> warnings = [];
        ModelMetadata.WriteModel(writer, checkpoint.Config.Name, plan.Architecture);
        ModelMetadata.WriteSampling(writer, checkpoint.Generation, warnings);
        TokenizerConversion.Write(writer, checkpoint, options, warnings);
        return $"planned, {plan.Tensors.Count} tensors";
    }

    /// <summary>The same weights in two files, with an index.</summary>
    private static FileSet Sharded(FileSet set)
    {
        const string single = "model.safetensors";
        var parts = new FileSet();
        foreach ((string name, byte[] bytes) in set.Files)
        {
            if (name != single)
                parts.Files.Add(name, bytes);
        }
        byte[] file = set.Files[single];
        int header = 8 + BitConverter.ToInt32(file);
        var json = System.Text.Json.Nodes.JsonNode.Parse(file.AsSpan(8, header - 8))!.AsObject();
        var map = new System.Text.Json.Nodes.JsonObject();
        for (int part = 0; part < 2; part++)
        {
            var own = new System.Text.Json.Nodes.JsonObject();
            var data = new List<byte>();
            foreach (var (name, tensor) in json.Where((_, i) => i % 2 == part))
            {
                int begin = (int)tensor!["data_offsets"]![0]!, end = (int)tensor["data_offsets"]![1]!;
                var entry = tensor.DeepClone();
                entry["data_offsets"] = new System.Text.Json.Nodes.JsonArray(data.Count, data.Count + end - begin);
                data.AddRange(file.AsSpan(header + begin, end - begin));
                own[name] = entry;
                map[name] = $"p{part}.safetensors";
            }
            byte[] text = System.Text.Encoding.UTF8.GetBytes(own.ToJsonString());
            parts.Files.Add($"p{part}.safetensors", [.. BitConverter.GetBytes((long)text.Length), .. text, .. data]);
        }
        parts.Files.Add("model.safetensors.index.json", System.Text.Encoding.UTF8.GetBytes($$"""{"metadata":{"total_size":1},"weight_map":{{map.ToJsonString()}}}"""));
        return parts;
    }
}
