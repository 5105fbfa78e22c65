using QedEdge.Architectures;
using QedEdge.Architectures.Families;
using QedEdge.Gguf;
using QedEdge.Model;

namespace QedEdge.Conversion.Checkpoints;

/// <summary>A checkpoint's <c>config.json</c>, checked to the limits that the runtime has.</summary>
internal sealed record CheckpointConfig
{
    /// <summary>The file's name in a checkpoint.</summary>
    public const string FileName = "config.json";

    /// <summary>The model's name where the configuration carries one: the last part of <c>_name_or_path</c>.</summary>
    public string? Name { get; private init; }

    /// <summary>The family that <c>model_type</c> names.</summary>
    public required Family Family { get; init; }

    /// <summary>What the model computes.</summary>
    public required Architecture Architecture { get; init; }

    /// <summary>What each frequency of rotary positions is divided by [head size / 2], or null.</summary>
    public float[]? RotaryFactors { get; private init; }

    /// <summary>Rows of the embedding.</summary>
    public int VocabSize => Architecture.VocabSize;

    /// <summary>Positions.</summary>
    public int ContextLength => Architecture.ContextLength;

    /// <summary>Whether the head is the embedding.</summary>
    public bool TiedHead => Architecture.TiedHead;

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
        JsonValues outer = json;
        string type = json.FindString("model_type") ?? GgufKeys.Qed;
        Family? larger = FamilyRegistry.FindLarger(type);
        if (larger is not null)
            json = TextPart(json, larger);
        Family family = larger ?? FamilyRegistry.FindCheckpoint(type) ?? throw new ModelFormatException(ModelFault.UnknownArchitecture, path,
            $"the model's architecture is '{ModelFormatException.OneLine(type)}', and only {FamilyRegistry.CheckpointNames} checkpoints can be converted", "model_type");
        var source = new ConfigHyperparameters(json, family);
        Architecture architecture = family.Describe(new Hyperparameters(source));
        int vocabSize = architecture.VocabSize;
        return new CheckpointConfig
        {
            Family = family,
            Architecture = architecture,
            RotaryFactors = source.RotaryFactors(architecture),
            Name = outer.FindString("_name_or_path") is string name && name.TrimEnd('/', '\\').Split('/', '\\')[^1] is { Length: > 0 } last ? last : null,
            PadId = outer.FindIdOrNone("pad_token_id", vocabSize) ?? json.FindIdOrNone("pad_token_id", vocabSize),
            BosId = outer.FindInt32("bos_token_id", 0, vocabSize - 1) ?? json.FindInt32("bos_token_id", 0, vocabSize - 1),
            EosIds = outer.FindIds("eos_token_id", vocabSize) is { Count: > 0 } ids ? ids : json.FindIds("eos_token_id", vocabSize),
            UnknownKeys = ConfigFeatures.Check(json, architecture, source.Read),
        };
    }

    /// <summary>The configuration that a GGUF file describes.</summary>
    public static CheckpointConfig Of(GgufFile file, ModelConfig config) => new()
    {
        Family = FamilyRegistry.Find(config.Architecture.Name)!,
        Architecture = config.Architecture,
        RotaryFactors = GgufTensors.RotaryFactors(file),
        Name = file.Metadata.FindString(GgufKeys.Name),
    };

    /// <summary>The decoder's part of a larger model's configuration.</summary>
    private static JsonValues TextPart(JsonValues json, Family family)
    {
        const string key = "text_config";
        if (json.Find(key) is not { ValueKind: System.Text.Json.JsonValueKind.Object } text)
            throw json.Wrong(key, "the key is missing or no object; it describes the part of the model that reads text");
        JsonValues part = json.Object(text, key);
        if (part.FindString("model_type") is string type && type != family.Checkpoint)
            throw part.Unsupported("model_type", $"'{ModelFormatException.OneLine(type)}' instead of '{family.Checkpoint}' in a model of the kind '{family.Larger}'");
        if (json.FindBool("tie_word_embeddings") is bool tied && tied != (part.FindBool("tie_word_embeddings") ?? true))
            throw json.Wrong("tie_word_embeddings", $"the value contradicts the one of {key}; correct one of the two");
        return part;
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
