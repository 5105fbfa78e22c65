using QedEdge.Conversion.Checkpoints;
using QedEdge.Gguf;

namespace QedEdge.Conversion;

/// <summary>Writes a file's general keys, hyperparameters and sampling defaults.</summary>
internal static class ModelMetadata
{
    /// <summary>The version of the block types' definitions, as llama.cpp counts them.</summary>
    private const uint QuantizationVersion = 2;

    /// <summary>An architecture's name in the file.</summary>
    public static string NameOf(FileArchitecture architecture) => architecture == FileArchitecture.Qwen2 ? "qwen2" : GgufKeys.Qed;

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

        string Key(string key) => GgufKeys.For(name, key);
    }

    /// <summary>Writes a checkpoint's sampling defaults; keys that are absent are left to the runtime's defaults, which are the reference's.</summary>
    /// <param name="writer">The file.</param>
    /// <param name="generation">The checkpoint's wishes, or null.</param>
    /// <param name="warnings">Takes what cannot be stored.</param>
    public static void WriteSampling(GgufWriter writer, GenerationConfig? generation, List<string> warnings)
    {
        if (generation is null)
            return;
        if (generation.Temperature is float temperature)
            writer.Add(GgufKeys.SamplingTemperature, temperature);
        if (generation.TopK is int topK)
            writer.Add(GgufKeys.SamplingTopK, topK);
        if (generation.TopP is float topP)
            writer.Add(GgufKeys.SamplingTopP, topP);
        if (generation.MaxNewTokens is int maxNewTokens)
            writer.Add(GgufKeys.SamplingMaxNewTokens, maxNewTokens);
        if (generation.DoSample is bool doSample)
            writer.Add(GgufKeys.SamplingDoSample, doSample);
        if (generation.Dropped.Count > 0)
            warnings.Add($"{GenerationConfig.FileName} sets {string.Join(", ", generation.Dropped)}, which a model file cannot hold: give it when generating, where the program can do it");
    }
}
