namespace QedEdge.Architectures.Families;

/// <summary>A family of decoders: what its hyperparameters describe, and what its checkpoints call the tensors. It cannot compute.</summary>
/// <param name="name">Its name in GGUF files, <c>general.architecture</c>.</param>
/// <param name="checkpoint">Its name in config.json, <c>model_type</c>.</param>
internal abstract class Family(string name, string checkpoint)
{
    /// <summary>Its name in GGUF files.</summary>
    public string Name => name;

    /// <summary>Its name in checkpoints.</summary>
    public string Checkpoint => checkpoint;

    /// <summary>The name in checkpoints of a larger model that the decoder is a part of, whose <c>text_config</c> describes it; or null.</summary>
    public virtual string? Larger => null;

    /// <summary>What a checkpoint's configuration means that does not say a size; null: it must.</summary>
    public virtual int? Usual(string key) => null;

    /// <summary>
    /// Whether files in the plain layout hold the rows of queries and keys as llama.cpp turns them, neighbours (2j, 2j + 1) in place of halves
    /// (<see cref="Model.InterleavedRows"/>).
    /// </summary>
    public virtual bool InterleavesRows => false;

    /// <summary>The activation, unless a model says otherwise.</summary>
    public virtual Activation Activation => Activation.Silu;

    /// <summary>The model that the hyperparameters describe.</summary>
    public abstract Architecture Describe(Hyperparameters h);

    /// <summary>What checkpoints call the tensors.</summary>
    public abstract CheckpointNames Names { get; }
}
