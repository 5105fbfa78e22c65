namespace QedEdge.Architectures.Families;

/// <summary>The families that there are; a new one is a line here.</summary>
internal static class FamilyRegistry
{
    /// <summary>All of them.</summary>
    public static Family[] All { get; } =
    [
        new QedFamily(), new LlamaFamily(), new SmolLM3Family(), new Qwen2Family(), new Qwen3Family(), new Gpt2Family(), new GptNeoFamily(), new GptNeoXFamily(),
        new Gemma3Family(),
    ];

    /// <summary>Their names, for people.</summary>
    public static string Names => string.Join(", ", Array.ConvertAll(All, static family => $"'{family.Name}'"));

    /// <summary>Their names in checkpoints, for people.</summary>
    public static string CheckpointNames => string.Join(", ", Array.ConvertAll(All, static family => $"'{family.Checkpoint}'"));

    /// <summary>The family of a file's <c>general.architecture</c>, or null.</summary>
    public static Family? Find(string? name) => Array.Find(All, family => family.Name == name);

    /// <summary>The family of the decoder in a larger model of a <c>model_type</c>, or null.</summary>
    public static Family? FindLarger(string type) => Array.Find(All, family => family.Larger == type);

    /// <summary>The family of a checkpoint's <c>model_type</c>, or null.</summary>
    public static Family? FindCheckpoint(string type) => Array.Find(All, family => family.Checkpoint == type);
}
