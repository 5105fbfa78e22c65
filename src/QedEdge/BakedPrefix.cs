using QedEdge.Gguf;
using QedEdge.Model;

namespace QedEdge;

/// <summary>
/// Keys and values of a prompt's beginning (a system message, examples) that stand in the model file, so that they need not be computed:
/// <code>
/// qed.baked.tokens       Int32 array: the ids
/// qed.baked.kv_type      "f32", "f16" or "q8_0"
/// qed.baked.fingerprint  UInt64: the weights that they were computed with
/// qed.baked.system       String: the system message that they are, if they are one
/// tensor qed.baked.kv    I8 [bytes]: keys, values and scales of each layer and head (KvCache.Part)
/// </code>
/// </summary>
public sealed class BakedPrefix
{
    private readonly GgufFile _file;
    private readonly GgufTensorInfo _tensor;
    private readonly int[] _tokens;
    private bool _checked;

    private BakedPrefix(GgufFile file, GgufTensorInfo tensor, int[] tokens, KvCacheType kvType)
    {
        _file = file;
        _tensor = tensor;
        _tokens = tokens;
        KvType = kvType;
        System = file.Metadata.FindString(GgufKeys.BakedSystem);
    }

    /// <summary>The tokens, from position 0 on.</summary>
    public ReadOnlySpan<int> Tokens => _tokens;

    /// <summary>How the keys and values are stored; only sessions of this type take them over.</summary>
    public KvCacheType KvType { get; }

    /// <summary>The system message that the tokens are, or null.</summary>
    public string? System { get; }

    /// <summary>The prefix of a file, or null.</summary>
    /// <exception cref="ModelFormatException">It is damaged.</exception>
    internal static BakedPrefix? Find(GgufFile file, ModelConfig config)
    {
        if (file.Metadata.FindArray(GgufKeys.BakedTokens) is not { } array)
            return null;
        int[] tokens = array.Int32().ToArray();
        if (tokens.Length == 0 || tokens.Length > config.ContextLength || tokens.AsSpan().ContainsAnyExceptInRange(0, config.VocabSize - 1))
            throw Damaged(file, $"{tokens.Length} token ids that the model cannot have", GgufKeys.BakedTokens);
        string? stored = file.Metadata.FindString(GgufKeys.BakedKvType);
        if (KvCacheTypes.Parse(stored) is not { } type)
            throw Damaged(file, $"'{ModelFormatException.OneLine(stored ?? "")}' is no type of keys and values", GgufKeys.BakedKvType);
        if (file.Find(GgufKeys.BakedTensor) is not { Type: TensorType.I8 } tensor)
            throw new ModelFormatException(ModelFault.MissingTensor, file.Name, "the baked prefix has no keys and values; bake it again", tensor: GgufKeys.BakedTensor);
        return new BakedPrefix(file, tensor, tokens, type);
    }

    /// <summary>Fills an empty sequence with the tokens that a prompt begins with, its last one left out; returns how many.</summary>
    /// <exception cref="ModelFormatException">The keys and values are damaged or were computed with other weights.</exception>
    internal int Take(QedModel model, Sequence sequence, ReadOnlySpan<int> prompt)
    {
        int common = Math.Min(prompt.CommonPrefixLength(_tokens), prompt.Length - 1);
        if (common <= 0 || sequence.Count > 0 || common > sequence.Window.Capacity)
            return 0;
        int reach = _tokens.Length > sequence.Cache.RingSlots ? _tokens.Length : common; // where a layer's slots wrapped around, they hold the last tokens
        if (reach > sequence.Window.Slots || !sequence.Cache.CanTake(reach) || !sequence.Cache.CanReturn(reach, common))
            return 0;
        Check(model, sequence.Cache, reach);
        sequence.Cache.CopyFrom(_file.Data(_tensor), _tokens.Length, reach, common);
        sequence.Restore(common, reach, plain: true, _tokens.AsSpan(0, common), default, default);
        return common;
    }

    /// <summary>Once: the data are read anyway.</summary>
    private void Check(QedModel model, KvCache cache, int reach)
    {
        if (_checked)
            return;
        if (!GgufChecksums.Present(_file))
            throw Damaged(_file, "a baked prefix is used only with checksums; bake it again", GgufKeys.TensorChecksums);
        if (_file.Metadata.FindUInt64(GgufKeys.BakedFingerprint) != model.Fingerprint)
            throw Damaged(_file, "the baked prefix was computed with other weights or by another version of this program; bake it again", GgufKeys.BakedFingerprint);
        if (_tensor.Bytes != cache.BytesOf(_tokens.Length, reach))
            throw new ModelFormatException(ModelFault.Damaged, _file.Name, $"{_tokens.Length} tokens take {cache.BytesOf(_tokens.Length, reach)} bytes of keys and values, not {_tensor.Bytes}; bake them again", tensor: GgufKeys.BakedTensor);
        GgufChecksums.Check(_file, _tensor, _file.Data(_tensor));
        if (!cache.AreSound(_file.Data(_tensor), _tokens.Length, reach))
            throw new ModelFormatException(ModelFault.Damaged, _file.Name, "keys or values are not finite numbers, or a scale is negative; bake them again", tensor: GgufKeys.BakedTensor);
        _checked = true;
    }

    private static ModelFormatException Damaged(GgufFile file, string problem, string key) => new(ModelFault.Damaged, file.Name, problem, key);
}
