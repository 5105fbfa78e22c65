using QedEdge.Architectures;
using QedEdge.Gguf;

namespace QedEdge.Model;

/// <summary>Hyperparameters in a GGUF file's metadata, and what the tensors that are there say.</summary>
/// <param name="file">The file.</param>
/// <param name="architecture">Its architecture, whose name the keys begin with.</param>
internal sealed class GgufHyperparameters(GgufFile file, string architecture) : IHyperparameterSource
{
    /// <summary>Keys that change nothing where they have this value, or whatever it is (null); other values ask for what no family here has.</summary>
    private static readonly (string Key, string? Neutral)[] Unused =
    [
        ("rope.scale_linear", "1"), ("rope.scaling.attn_factor", "1"), ("rope.scaling.finetuned", null), ("attention.causal", "true"), ("attention.scale", "0"), ("attention.clamp_kqv", "0"),
        ("attention.max_alibi_bias", "0"), ("attention.sliding_window", "0"), ("embedding_scale", "0"), ("expert_count", "0"), ("expert_used_count", "0"),
        ("tensor_data_layout", null),
    ];

    private readonly HashSet<string> _read = [];

    /// <inheritdoc/>
    public bool HasDefaults => false;

    /// <inheritdoc/>
    public uint? FindNumber(string key) => key switch
    {
        GgufKeys.VocabSize when architecture != GgufKeys.Qed => file.Metadata.FindUInt32(Own(key)) ?? EmbeddingRows(), // other tools need not say it
        GgufKeys.WindowInterval when !file.Metadata.IsArray(Own(GgufKeys.WindowLayers)) => file.Metadata.FindUInt32(Own(GgufKeys.WindowLayers)), // a list or a number
        _ => file.Metadata.FindUInt32(Own(key)),
    };

    /// <inheritdoc/>
    public float? FindReal(string key) => file.Metadata.FindFloat32(Own(key));

    /// <inheritdoc/>
    public bool? FindFlag(string key) => file.Metadata.FindBool(Own(key));

    /// <inheritdoc/>
    public string? FindText(string key) => file.Metadata.FindString(Own(key));

    /// <inheritdoc/>
    public bool[]? FindFlags(string key) => file.Metadata.IsArray(Own(key)) ? file.Metadata.FindArray(Own(key))!.Flags() : null;

    /// <inheritdoc/>
    public bool? HasBias(Slot slot) => file.Find($"blk.0.{TensorSlots.NameOf(slot)}.bias") is not null
        || (slot is Slot.Query or Slot.Key or Slot.Value && file.Find(FusedRows.NameIn(0) + ".bias") is not null);

    /// <inheritdoc/>
    public bool? HasHead() => file.Find(TensorSlots.Head) is not null;

    /// <inheritdoc/>
    public bool? HasHeadBias() => file.Find(TensorSlots.HeadBias) is not null;

    /// <inheritdoc/>
    public bool HasRotaryFactors() => file.Find(TensorSlots.RotaryFactors) is not null;

    /// <inheritdoc/>
    public ModelFormatException Wrong(string key, string problem) => new(ModelFault.Damaged, file.Name, problem, Own(key));

    /// <inheritdoc/>
    public ModelFormatException Unsupported(string key, string problem) => new(ModelFault.Unsupported, file.Name, problem, Own(key));

    /// <summary>Refuses hyperparameters that no family asked for: passing over one would compute something else.</summary>
    /// <exception cref="ModelFormatException">There is one; it is named.</exception>
    public void RefuseUnread()
    {
        string begin = architecture + ".";
        foreach (string key in file.Metadata.Keys)
        {
            if (!key.StartsWith(begin, StringComparison.Ordinal) || _read.Contains(key) || GgufKeys.IsRecord(key))
                continue;
            string value = ModelFormatException.OneLine(file.Metadata.Describe(key)), name = key[begin.Length..];
            int known = Array.FindIndex(Unused, unused => unused.Key == name);
            if (known < 0)
                throw new ModelFormatException(ModelFault.Unsupported, file.Name, $"the key (value {value}) is not known here and may change what the model computes; a newer version may run the file", key);
            if (Unused[known].Neutral is string neutral && neutral != value)
                throw new ModelFormatException(ModelFault.Unsupported, file.Name, $"only '{neutral}' is supported here, not '{value}'", key);
        }
    }

    private string Own(string key)
    {
        string own = GgufKeys.For(architecture, key);
        _read.Add(own);
        return own;
    }

    private uint? EmbeddingRows() => file.Find(TensorSlots.Embedding)?.Dimensions[0] is >= 1 and <= GgufLimits.Size and var rows ? (uint)rows : null;
}
