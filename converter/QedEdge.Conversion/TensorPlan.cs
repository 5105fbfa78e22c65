using QedEdge.Conversion.Checkpoints;
using QedEdge.Gguf;
using QedEdge.Quantization;

namespace QedEdge.Conversion;

/// <summary>A tensor of the file to be written.</summary>
/// <param name="Name">Its name there.</param>
/// <param name="Source">The checkpoint's tensor, or null for zeros.</param>
/// <param name="Rows">Rows of a matrix; 1 for a vector.</param>
/// <param name="Cols">Columns, or the vector's length.</param>
/// <param name="IsMatrix">Whether it has two dimensions.</param>
/// <param name="Format">How its values are encoded.</param>
/// <param name="Packed">Whether they lie in the packed order.</param>
internal sealed record PlannedTensor(string Name, SafetensorsTensor? Source, int Rows, int Cols, bool IsMatrix, BlockFormat Format, bool Packed)
{
    /// <summary>What an adapter adds to the source, or null.</summary>
    public LowRankUpdate? Update { get; init; }

    /// <summary>The type's number in the file.</summary>
    public TensorType Type => TensorTypes.Of(Format, Packed);

    /// <summary>The dimensions in the file.</summary>
    public long[] Dimensions => IsMatrix ? [Rows, Cols] : [Cols];

    /// <summary>Bytes of output of a group of rows.</summary>
    public int GroupBytes(int rows) =>
        checked((int)(Packed ? PackedLayout.GroupBytes(Format, Cols) : rows * BlockCodec.RowBytes(Format, Cols)));

    /// <summary>A value's place as error texts print it.</summary>
    public string Place(int row, int col) => IsMatrix ? $"[{row}, {col}]" : $"[{col}]";

    /// <summary>Bytes of the whole tensor.</summary>
    public long Bytes => Packed ? PackedLayout.MatrixBytes(Format, Rows, Cols) : checked(Rows * BlockCodec.RowBytes(Format, Cols));
}

/// <summary>
/// Maps a checkpoint's tensors to the file's: names, shapes and types, in the file's order. Every tensor of the checkpoint must be
/// used; one that is missing, unknown, of a wrong shape or of an unsupported type is an error that names it.
/// </summary>
internal sealed class TensorPlan
{
    private readonly Checkpoint _checkpoint;
    private readonly ConversionOptions _options;
    private readonly HashSet<string> _used = [];
    private readonly List<PlannedTensor> _tensors = [];
    private readonly Dictionary<string, int> _places = []; // of matrices, by their names in the checkpoint
    private readonly List<string> _fallbacks = [];
    private readonly HashSet<TensorTypeRule> _matched = [];

    /// <summary>Plans a conversion.</summary>
    /// <param name="checkpoint">What is converted.</param>
    /// <param name="options">What to write.</param>
    /// <exception cref="ModelFormatException">The checkpoint's tensors are not those that its configuration and the architecture require.</exception>
    /// <exception cref="QedException">A rule for types matches no matrix.</exception>
    public TensorPlan(Checkpoint checkpoint, ConversionOptions options)
    {
        _checkpoint = checkpoint;
        _options = options;
        var config = checkpoint.Config;
        var embedding = options.EffectiveEmbeddingType;
        Matrix("token_embd.weight", "embed_tokens.weight", config.VocabSize, config.HiddenSize, embedding);
        for (int i = 0; i < config.LayerCount; i++)
            Layer($"blk.{i}.", $"layers.{i}.");
        Vector("output_norm.weight", "norm.weight", config.HiddenSize);
        if (config.TiedHead)
            Head = FindDuplicateHead();
        else
            Matrix("output.weight", "lm_head.weight", config.VocabSize, config.HiddenSize, embedding);
        Vector("output.bias", "lm_head.bias", config.VocabSize);

        if (options.TensorTypes.FirstOrDefault(rule => !_matched.Contains(rule)) is { } unused)
            throw new QedException($"--tensor-type '{unused.Pattern}' decides on no matrix of this model; names are like blk.0.attn_q.weight, and the first expression that matches holds");
        foreach (var (name, tensor) in checkpoint.Tensors.OrderBy(static entry => entry.Key, StringComparer.Ordinal))
        {
            if (!_used.Contains(name))
                throw new ModelFormatException(ModelFault.Unsupported, tensor.File, ExplainUnknown(name), tensor: tensor.Name);
        }
    }

    /// <summary>The tensors, in the file's order.</summary>
    public IReadOnlyList<PlannedTensor> Tensors => _tensors;

    /// <summary>Matrices that had to become F16 because the plain layout cannot hold blocks of their width.</summary>
    public IReadOnlyList<string> Fallbacks => _fallbacks;

    /// <summary>A tied checkpoint's copy of the embedding, which must be equal to it; or null.</summary>
    public SafetensorsTensor? Head { get; }

    /// <summary>Has an adapter's updates merged into the matrices.</summary>
    public void Merge(LoraAdapter adapter)
    {
        foreach (var (matrix, update) in adapter.Updates)
            _tensors[_places[matrix]] = _tensors[_places[matrix]] with { Update = update };
    }

    private void Layer(string to, string from)
    {
        int hidden = _checkpoint.Config.HiddenSize, inner = _checkpoint.Config.FeedForwardSize;
        Vector(to + "attn_norm.weight", from + "input_norm.weight", hidden);
        Linear(to + "attn_q", from + "attention.q_proj", hidden, hidden, neededByQwen2: true);
        Linear(to + "attn_k", from + "attention.k_proj", hidden, hidden, neededByQwen2: true);
        Linear(to + "attn_v", from + "attention.v_proj", hidden, hidden, neededByQwen2: true);
        Linear(to + "attn_output", from + "attention.o_proj", hidden, hidden);
        Vector(to + "ffn_norm.weight", from + "post_attn_norm.weight", hidden);
        Linear(to + "ffn_gate", from + "mlp.gate_proj", inner, hidden);
        Linear(to + "ffn_up", from + "mlp.up_proj", inner, hidden);
        Linear(to + "ffn_down", from + "mlp.down_proj", hidden, inner);
    }

    private void Linear(string to, string from, int rows, int cols, bool neededByQwen2 = false)
    {
        Matrix(to + ".weight", from + ".weight", rows, cols, _options.Type);
        string bias = from + ".bias";
        bool present = _checkpoint.Tensors.TryGetValue(bias, out var source);
        if (_options.Architecture == FileArchitecture.Qwen2)
        {
            if (present && !neededByQwen2)
                throw new ModelFormatException(ModelFault.Unsupported, source!.File, "the architecture qwen2 has no such bias; convert to the architecture qed", tensor: source.Name);
            if (!present && neededByQwen2)
                _tensors.Add(new PlannedTensor(to + ".bias", null, 1, rows, false, BlockFormat.F32, false));
            else if (present)
                Vector(to + ".bias", bias, rows);
        }
        else if (_checkpoint.Config.Bias)
        {
            Vector(to + ".bias", bias, rows);
        }
    }

    private void Matrix(string to, string from, int rows, int cols, BlockFormat format)
    {
        bool packed = _options.Layout == FileLayout.Packed;
        if (_options.TensorTypes.FirstOrDefault(rule => rule.Pattern.IsMatch(to)) is { } rule)
        {
            format = rule.Format;
            _matched.Add(rule);
        }
        if (!packed && PackedLayout.HasScales(format) && cols % PackedLayout.BlockSize != 0)
        {
            format = BlockFormat.F16; // the plain types have no padding
            _fallbacks.Add(to);
        }
        _places.Add(from, _tensors.Count);
        _tensors.Add(new PlannedTensor(to, Require(from, rows, cols), rows, cols, true, format, packed));
    }

    private void Vector(string to, string from, int size) =>
        _tensors.Add(new PlannedTensor(to, Require(from, size), 1, size, false, BlockFormat.F32, false));

    private SafetensorsTensor Require(string name, params ReadOnlySpan<long> shape)
    {
        if (!_checkpoint.Tensors.TryGetValue(name, out var tensor))
            throw Missing(name);
        _used.Add(name);
        if (!SafetensorsValues.CanRead(tensor.Type))
            throw new ModelFormatException(ModelFault.Unsupported, tensor.File, $"its dtype is {tensor.Type}; F32, F16 and BF16 can be converted", tensor: tensor.Name);
        if (!shape.SequenceEqual(tensor.Shape))
            throw new ModelFormatException(ModelFault.Damaged, tensor.File, $"its shape is {tensor.ShapeText}, and config.json requires [{string.Join(", ", shape.ToArray())}]", tensor: tensor.Name);
        return tensor;
    }

    private ModelFormatException Missing(string name)
    {
        // Wrappers put a name before every one: torch.compile "_orig_mod.", DataParallel "module.".
        string? wrapped = _checkpoint.Tensors.Keys.FirstOrDefault(key => key.EndsWith('.' + name, StringComparison.Ordinal));
        string help = wrapped is null ? "" : $"; the file has '{ModelFormatException.OneLine(_checkpoint.Tensors[wrapped].Name)}': save the model itself, not what wraps it (torch.compile, DataParallel), so that names begin as they should";
        return new(ModelFault.MissingTensor, _checkpoint.WeightsFile, $"the tensor is missing, and config.json requires it{help}", tensor: name);
    }

    private SafetensorsTensor? FindDuplicateHead() =>
        _checkpoint.Tensors.ContainsKey("lm_head.weight") ? Require("lm_head.weight", _checkpoint.Config.VocabSize, _checkpoint.Config.HiddenSize) : null;

    private string ExplainUnknown(string name) => name.EndsWith(".bias", StringComparison.Ordinal) && !_checkpoint.Config.Bias
        ? "config.json says that the layers have no biases ('bias' is not true), yet here is one"
        : "QED models have no such tensor; converting without it could change what the model computes";
}
