using QedEdge.Conversion.Checkpoints;
using QedEdge.Gguf;

namespace QedEdge.Conversion;

/// <summary>Writes a file's general keys, hyperparameters and sampling defaults.</summary>
internal static class ModelMetadata
{
    /// <summary>The version of the block types' definitions, as llama.cpp counts them.</summary>
    private const uint QuantizationVersion = 2;

    private const string Prefix = "qed.";
    private const string GenerationConfigFile = "generation_config.json";

    /// <summary>An architecture's name in the file.</summary>
    public static string NameOf(FileArchitecture architecture) => architecture == FileArchitecture.Qwen2 ? "qwen2" : "qed";

    /// <summary>Writes the keys that every file has.</summary>
    public static void WriteModel(GgufWriter writer, CheckpointConfig config, FileArchitecture architecture)
    {
        string name = NameOf(architecture);
        writer.Add(GgufKeys.Architecture, name);
        if (config.Name is not null)
            writer.Add(GgufKeys.Name, config.Name);
        writer.Add(GgufKeys.QuantizationVersion, QuantizationVersion);
        writer.Add(Key(GgufKeys.ContextLength), config.ContextLength);
        writer.Add(Key(GgufKeys.EmbeddingLength), config.HiddenSize);
        writer.Add(Key(GgufKeys.BlockCount), config.LayerCount);
        writer.Add(Key(GgufKeys.FeedForwardLength), config.FeedForwardSize);
        writer.Add(Key(GgufKeys.HeadCount), config.HeadCount);
        writer.Add(Key(GgufKeys.HeadCountKv), config.HeadCount);
        writer.Add(Key(GgufKeys.RmsNormEpsilon), config.RmsNormEpsilon);
        writer.Add(Key(GgufKeys.RopeFreqBase), config.RopeTheta);
        writer.Add(Key(GgufKeys.RopeDimensionCount), config.HeadSize);
        writer.Add(Key(GgufKeys.VocabSize), config.VocabSize);
        if (architecture == FileArchitecture.Qed)
            writer.Add(GgufKeys.TieWordEmbeddings, config.TiedHead);

        string Key(string key) => $"{name}.{key[Prefix.Length..]}";
    }

    /// <summary>Writes the sampling defaults of a folder's generation_config.json, where there is one.</summary>
    /// <exception cref="ModelFormatException">A value is of a wrong kind or out of range.</exception>
    public static void WriteSampling(GgufWriter writer, string folder)
    {
        string path = Path.Combine(folder, GenerationConfigFile);
        using var document = CheckpointFiles.FindObject(path);
        if (document is null)
            return;
        var json = new JsonValues(document.RootElement, path);
        if (json.FindFloat32("temperature") is float temperature)
            writer.Add(GgufKeys.SamplingTemperature, temperature >= 0 ? temperature : throw json.Wrong("temperature", "the value is negative"));
        if (json.FindInt32("top_k", 0, int.MaxValue) is int topK)
            writer.Add(GgufKeys.SamplingTopK, topK);
        if (json.FindFloat32("top_p") is float topP)
            writer.Add(GgufKeys.SamplingTopP, topP is >= 0 and <= 1 ? topP : throw json.Wrong("top_p", "the value is not from 0 to 1"));
        if (json.FindInt32("max_new_tokens", 0, int.MaxValue) is int maxNewTokens)
            writer.Add(GgufKeys.SamplingMaxNewTokens, maxNewTokens);
        if (json.FindBool("do_sample") is bool doSample)
            writer.Add(GgufKeys.SamplingDoSample, doSample);
    }
}
