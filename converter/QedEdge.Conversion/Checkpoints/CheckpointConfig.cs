using QedEdge.Model;

namespace QedEdge.Conversion.Checkpoints;

/// <summary>A checkpoint's <c>config.json</c>, checked to the limits that the runtime has.</summary>
internal sealed record CheckpointConfig
{
    /// <summary>The file's name in a checkpoint.</summary>
    public const string FileName = "config.json";

    /// <summary>The model's name where the configuration carries one: the last part of <c>_name_or_path</c>.</summary>
    public string? Name { get; private init; }

    /// <summary><c>vocab_size</c>: rows of the embedding.</summary>
    public int VocabSize { get; private init; }

    /// <summary><c>d_model</c>: width of the residual stream.</summary>
    public int HiddenSize { get; private init; }

    /// <summary><c>n_layers</c>.</summary>
    public int LayerCount { get; private init; }

    /// <summary><c>n_heads</c>.</summary>
    public int HeadCount { get; private init; }

    /// <summary>Width / heads; even.</summary>
    public int HeadSize => HiddenSize / HeadCount;

    /// <summary><c>ffn_hidden_dim</c>.</summary>
    public int FeedForwardSize { get; private init; }

    /// <summary><c>max_seq_len</c>.</summary>
    public int ContextLength { get; private init; }

    /// <summary><c>rope_theta</c>; 10,000 where absent.</summary>
    public float RopeTheta { get; private init; }

    /// <summary><c>rms_norm_eps</c>; 1e-5 where absent.</summary>
    public float RmsNormEpsilon { get; private init; }

    /// <summary><c>tie_word_embeddings</c>: the head is the embedding; true where absent, as in the reference.</summary>
    public bool TiedHead { get; private init; }

    /// <summary><c>bias</c>: the layers' linear maps have biases; false where absent.</summary>
    public bool Bias { get; private init; }

    /// <summary><c>pad_token_id</c>, or null.</summary>
    public int? PadId { get; private init; }

    /// <summary><c>bos_token_id</c>, or null.</summary>
    public int? BosId { get; private init; }

    /// <summary><c>eos_token_id</c>, a number or a list; empty where absent.</summary>
    public IReadOnlyList<int> EosIds { get; private init; } = [];

    /// <summary>Keys that nobody here knows: they may be notes, or change what the model computes.</summary>
    public IReadOnlyList<string> UnknownKeys { get; private init; } = [];

    /// <summary>Reads a configuration.</summary>
    /// <param name="path">The JSON file.</param>
    /// <exception cref="ModelFormatException">It cannot be read, is of another model family, asks for what QED models do not have, or a value is missing, of a wrong kind or out of range.</exception>
    public static CheckpointConfig Read(string path)
    {
        using var document = CheckpointJson.ReadObject(path, CheckpointLimits.ConfigBytes);
        var json = new JsonValues(document.RootElement, path);
        if (json.FindString("model_type") is string type && type != ModelConfig.Architecture)
        {
            throw new ModelFormatException(ModelFault.UnknownArchitecture, path,
                $"the model's architecture is '{ModelFormatException.OneLine(type)}', and only '{ModelConfig.Architecture}' checkpoints can be converted", "model_type");
        }
        int vocabSize = json.GetInt32("vocab_size", 1, CheckpointLimits.Size);
        var config = new CheckpointConfig
        {
            Name = json.FindString("_name_or_path") is string name && name.TrimEnd('/', '\\').Split('/', '\\')[^1] is { Length: > 0 } last ? last : null,
            VocabSize = vocabSize,
            HiddenSize = json.GetInt32("d_model", 1, CheckpointLimits.Size),
            LayerCount = json.GetInt32("n_layers", 1, CheckpointLimits.Layers),
            HeadCount = json.GetInt32("n_heads", 1, CheckpointLimits.Size),
            FeedForwardSize = json.GetInt32("ffn_hidden_dim", 1, CheckpointLimits.Size),
            ContextLength = json.GetInt32("max_seq_len", 1, CheckpointLimits.Context),
            RopeTheta = RopeParameters.Base(json),
            RmsNormEpsilon = Positive(json, "rms_norm_eps", 1e-5f),
            TiedHead = json.FindBool("tie_word_embeddings") ?? true,
            Bias = json.FindBool("bias") ?? false,
            PadId = json.FindIdOrNone("pad_token_id", vocabSize),
            BosId = json.FindInt32("bos_token_id", 0, vocabSize - 1),
            EosIds = json.FindIds("eos_token_id", vocabSize),
        };
        if (config.HiddenSize % config.HeadCount != 0)
            throw json.Wrong("n_heads", $"{config.HeadCount} heads do not divide d_model = {config.HiddenSize}");
        if (config.HeadSize % 2 != 0)
            throw json.Wrong("n_heads", $"a head size of {config.HeadSize} is odd, and rotary positions need pairs");
        if (config.HeadSize > CheckpointLimits.HeadSize)
            throw json.Wrong("n_heads", $"a head size of {config.HeadSize}; at most {CheckpointLimits.HeadSize} are possible");
        return config with { UnknownKeys = ConfigFeatures.Check(json, config) };
    }

    /// <summary>Reads the configuration in a checkpoint's folder.</summary>
    public static CheckpointConfig ReadFolder(string folder) => Read(Path.Combine(folder, FileName));

    /// <summary>Reads <c>initializer_range</c>, the standard deviation of fresh weights; 0.02 where absent. Only those who make weights need it.</summary>
    /// <param name="path">The JSON file.</param>
    /// <exception cref="ModelFormatException">The file cannot be read, or the value is no positive number.</exception>
    public static float ReadInitializerRange(string path)
    {
        using var document = CheckpointJson.ReadObject(path, CheckpointLimits.ConfigBytes);
        return Positive(new JsonValues(document.RootElement, path), "initializer_range", 0.02f);
    }

    private static float Positive(JsonValues json, string key, float absent)
    {
        float value = json.FindFloat32(key) ?? absent;
        return value > 0 ? value : throw json.Wrong(key, "the value is not positive");
    }
}
