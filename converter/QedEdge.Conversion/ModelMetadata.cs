using QedEdge.Architectures;
using QedEdge.Architectures.Families;
using QedEdge.Conversion.Checkpoints;
using QedEdge.Gguf;

namespace QedEdge.Conversion;

/// <summary>Writes a file's general keys, hyperparameters and sampling defaults.</summary>
internal static class ModelMetadata
{
    /// <summary>The version of the block types' definitions, as llama.cpp counts them.</summary>
    private const uint QuantizationVersion = 2;

    /// <summary>Writes the keys that every file has.</summary>
    /// <param name="writer">The file.</param>
    /// <param name="name">The model's name, or null.</param>
    /// <param name="architecture">What the file describes.</param>
    public static void WriteModel(GgufWriter writer, string? name, Architecture architecture)
    {
        AttentionShape attention = architecture.Layers[0].Attention;
        writer.Add(GgufKeys.Architecture, architecture.Name);
        if (name is not null)
            writer.Add(GgufKeys.Name, name);
        writer.Add(GgufKeys.QuantizationVersion, QuantizationVersion);
        writer.Add(Key(GgufKeys.ContextLength), architecture.ContextLength);
        writer.Add(Key(GgufKeys.EmbeddingLength), architecture.Width);
        writer.Add(Key(GgufKeys.BlockCount), architecture.Layers.Length);
        writer.Add(Key(GgufKeys.FeedForwardLength), architecture.Inner);
        writer.Add(Key(GgufKeys.HeadCount), attention.Heads);
        writer.Add(Key(GgufKeys.HeadCountKv), attention.KvHeads);
        if (attention.QueryWidth != architecture.Width)
        {
            writer.Add(Key(GgufKeys.KeyLength), attention.HeadSize);
            writer.Add(Key(GgufKeys.ValueLength), attention.HeadSize);
        }
        Norm norm = architecture.OutputNorm;
        writer.Add(Key(norm.Kind == NormKind.Rms ? GgufKeys.RmsNormEpsilon : GgufKeys.LayerNormEpsilon), norm.Epsilon);
        if (Array.Find(architecture.Layers, static layer => layer.Attention.Rotary is not null && layer.Attention.Window is null)?.Attention.Rotary is { } rotary)
            WriteRotary(writer, Key, rotary);
        writer.Add(Key(GgufKeys.VocabSize), architecture.VocabSize);
        WriteKinds(writer, Key, architecture);
        if (architecture.Name == GgufKeys.Qed)
            writer.Add(GgufKeys.TieWordEmbeddings, architecture.TiedHead);

        string Key(string key) => GgufKeys.For(architecture.Name, key);
    }

    private static void WriteRotary(GgufWriter writer, Func<string, string> key, Rotary rotary)
    {
        writer.Add(key(GgufKeys.RopeFreqBase), rotary.Theta);
        writer.Add(key(GgufKeys.RopeDimensionCount), rotary.Dimensions);
        if (rotary.Factor == 1 && rotary.Yarn is null)
            return;
        writer.Add(key(GgufKeys.RopeScalingType), rotary.Yarn is null ? "linear" : "yarn");
        writer.Add(key(GgufKeys.RopeScalingFactor), rotary.Factor);
        if (rotary.Yarn is not { } yarn)
            return;
        writer.Add(key(GgufKeys.RopeScalingOriginal), yarn.Original);
        writer.Add(key(GgufKeys.RopeScalingAttention), yarn.Attention);
        writer.Add(key(GgufKeys.RopeYarnBetaFast), yarn.BetaFast);
        writer.Add(key(GgufKeys.RopeYarnBetaSlow), yarn.BetaSlow);
    }

    /// <summary>What layers differ in, and where the model differs from its family's usual.</summary>
    private static void WriteKinds(GgufWriter writer, Func<string, string> key, Architecture architecture)
    {
        LayerShape[] layers = architecture.Layers;
        Family family = FamilyRegistry.Find(architecture.Name)!;
        if (Array.Find(layers, static layer => layer.Attention.Window is not null) is { } narrow)
        {
            writer.Add(key(GgufKeys.SlidingWindow), narrow.Attention.Window!.Value);
            writer.Add(key(GgufKeys.WindowLayers), Array.ConvertAll(layers, static layer => layer.Attention.Window is not null));
            if (narrow.Attention.Rotary is { } local)
                writer.Add(key(GgufKeys.RopeLocalBase), local.Theta);
        }
        if (family is SmolLM3Family)
            writer.Add(key(GgufKeys.RotatedLayers), Array.ConvertAll(layers, static layer => layer.Attention.Rotary is not null));
        if (family is GptNeoXFamily)
            writer.Add(key(GgufKeys.ParallelResidual), layers[0].Parallel);
        AttentionShape attention = layers[0].Attention;
        if (family is Gemma3Family && attention.Scale != 1f / MathF.Sqrt(Gemma3Family.UsualQueryScalar(layers.Length, architecture.Width, attention)))
            writer.Add(key(GgufKeys.QueryScalar), MathF.Round(1f / (attention.Scale * attention.Scale)));
        if (layers[0].FeedForward.Activation is var activation && activation != family.Activation)
            writer.Add(key(GgufKeys.Activation), Hyperparameters.NameOf(activation));
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
