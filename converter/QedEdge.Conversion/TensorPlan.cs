using QedEdge.Architectures;
using QedEdge.Architectures.Families;
using QedEdge.Conversion.Checkpoints;
using QedEdge.Gguf;
using QedEdge.Model;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

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
    /// <summary>The values themselves where they are no tensor's, or null.</summary>
    public float[]? Values { get; init; }

    /// <summary>The source's row (of a vector, value) that is written as a row; null: the same.</summary>
    public Func<int, int>? SourceRow { get; init; }

    /// <summary>The row of the packed layout that is written as a row; null: the same.</summary>
    public Func<int, int>? OwnRow { get; init; }

    /// <summary>The tensors of the packed layout whose rows stand in this one, one after another, and the first row of each; empty: the one of its name.</summary>
    public (string Name, int First)[] Parts { get; init; } = [];

    /// <summary>Whether the source is stored [columns, rows].</summary>
    public bool IsTransposed { get; init; }

    /// <summary>What is added to each value.</summary>
    public float Plus { get; init; }

    /// <summary>The tensor of the packed layout that has a row, and the row's index there.</summary>
    public (string Name, int Row) OwnRowOf(int row)
    {
        int part = Array.FindLastIndex(Parts, part => part.First <= row);
        return part >= 0 ? (Parts[part].Name, row - Parts[part].First) : (Name, OwnRow is null ? row : OwnRow(row));
    }

    /// <summary>The source's row of a row.</summary>
    public int SourceRowOf(int row) => SourceRow is null ? row : SourceRow(row);

    /// <summary>What an adapter adds to the source, or null.</summary>
    public LowRankUpdate? Update { get; init; }

    /// <summary>The type's number in the file.</summary>
    public TensorType Type => TensorTypes.Of(Format, Packed);

    /// <summary>The dimensions in the file.</summary>
    public long[] Dimensions => IsMatrix ? [Rows, Cols] : [Cols];

    /// <summary>Bytes of output of a group of rows.</summary>
    public int GroupBytes(int rows) =>
        checked((int)(Packed ? Format.Info().GroupBytes(Cols) : rows * Format.Info().RowBytes(Cols)));

    /// <summary>A value's place as error texts print it.</summary>
    public string Place(int row, int col) => IsMatrix ? $"[{row}, {col}]" : $"[{col}]";

    /// <summary>Bytes of the whole tensor.</summary>
    public long Bytes => Packed ? Format.Info().MatrixBytes(Rows, Cols) : checked(Rows * Format.Info().RowBytes(Cols));
}

/// <summary>
/// Maps a checkpoint's tensors to the file's: names, shapes and types, in the file's order. Every tensor of the checkpoint must be
/// used; one that is missing, unknown, of a wrong shape or of an unsupported type is an error that names it.
/// </summary>
internal sealed class TensorPlan
{
    private readonly Checkpoint _checkpoint;
    private readonly CheckpointNames _names;
    private readonly ConversionOptions _options;
    private readonly HashSet<string> _used = [];
    private readonly List<PlannedTensor> _tensors = [];
    private readonly Dictionary<string, List<int>> _places = []; // of matrices, by their names in the checkpoint
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
        _names = checkpoint.Names;
        Architecture source = checkpoint.Config.Architecture;
        Architecture = options.Architecture == FileArchitecture.Qwen2 ? AsQwen2(checkpoint, source) : source;
        var embedding = options.EffectiveEmbeddingType;
        Matrix(TensorSlots.Embedding, _names.Embedding + ".weight", source.VocabSize, source.Width, embedding, Whole);
        if (source.PositionTable > 0)
            Matrix(TensorSlots.Positions, _names.Positions + ".weight", source.PositionTable, source.Width, BlockFormat.F32, Whole); // small, and F32 in other tools
        for (int i = 0; i < source.Layers.Length; i++)
            Layer(i);
        Norm(source.OutputNorm, TensorSlots.OutputNorm, _names.OutputNorm, source.Width);
        if (source.TiedHead)
            Head = FindDuplicateHead();
        else
            Matrix(TensorSlots.Head, HeadName, source.VocabSize, source.Width, embedding, Whole);
        if (source.HeadBias)
            Vector(TensorSlots.HeadBias, _names.Head + ".bias", source.VocabSize, Whole);
        if (checkpoint.Config.RotaryFactors is { } factors)
            _tensors.Add(new PlannedTensor(TensorSlots.RotaryFactors, null, 1, factors.Length, false, BlockFormat.F32, false) { Values = factors });

        if (options.TensorTypes.FirstOrDefault(rule => !_matched.Contains(rule)) is { } unused)
            throw new QedException($"--tensor-type '{unused.Pattern}' decides on no matrix of this model; names are like blk.0.attn_q.weight, and the first expression that matches holds");
        foreach (var (name, tensor) in checkpoint.Tensors.OrderBy(static entry => entry.Key, StringComparer.Ordinal))
        {
            if (!_used.Contains(name))
                throw new ModelFormatException(ModelFault.Unsupported, tensor.File, ExplainUnknown(name), tensor: tensor.Name);
        }
    }

    /// <summary>What the file describes.</summary>
    public Architecture Architecture { get; }

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
        {
            foreach (int place in _places[matrix])
                _tensors[place] = _tensors[place] with { Update = update };
        }
    }

    private string HeadName => _names.Head + ".weight";

    private bool IsPlain => _options.Layout == FileLayout.Plain;

    private void Layer(int index)
    {
        SlotSet given = _checkpoint.Config.Architecture.Layers[index].Biases;
        LayerShape layer = Architecture.Layers[index];
        bool fuses = IsPlain && _names.Fused is not null; // as other tools expect it
        foreach (TensorSlot slot in TensorSlots.Of(layer, Architecture.Width))
        {
            string to = slot.NameIn(index), from = _names.NameOf(slot.Slot, index);
            FusedRows? fused = _names.FusedOf(layer.Attention, slot.Slot);
            if (slot.Norm is { } norm)
                Norm(norm, to, from, slot.Cols);
            else if (!fuses || fused is null)
                Linear(to, from, slot.Rows, slot.Cols, slot.HasBias, given.Contains(slot.Slot), SourceOf(layer.Attention, slot, fused));
            else if (slot.Slot == Slot.Query)
                Linear(FusedRows.NameIn(index), from, fused.All, slot.Cols, slot.HasBias, true, new(fused.All, Braided(layer.Attention, 0))
                {
                    Parts = Array.ConvertAll(FusedRows.Slots, part => ($"blk.{index}.{TensorSlots.NameOf(part)}.weight", FusedRows.Of(layer.Attention, part)!.First)),
                });
        }
    }

    /// <summary>Where a slot's rows stand in the checkpoint.</summary>
    private SourceRows SourceOf(AttentionShape attention, TensorSlot slot, FusedRows? fused)
    {
        if (fused is not null)
            return new SourceRows(fused.All, Braided(attention, fused.First));
        bool interleaves = IsPlain && slot.IsRotated && FamilyRegistry.Find(Architecture.Name)!.InterleavesRows, interleaved = slot.IsRotated && _checkpoint.HasInterleavedRows;
        Func<int, int> target = row => InterleavedRows.Target(row, attention.HeadSize);
        if (!interleaves)
            return interleaved ? new SourceRows(0, row => InterleavedRows.Source(row, attention.HeadSize)) : Whole;
        return new SourceRows(0, interleaved ? null : target) { Own = target };
    }

    /// <summary>The rows from <paramref name="first"/> on of [queries; keys; values], out of a tensor that may go head by head.</summary>
    private Func<int, int> Braided(AttentionShape attention, int first)
    {
        int size = attention.HeadSize, width = attention.QueryWidth;
        if (!_names.IsBraided)
            return row => first + row;
        return row => (first + row) % width / size * 3 * size + (first + row) / width * size + (first + row) % size;
    }

    private void Linear(string to, string from, int rows, int cols, bool hasBias, bool isGiven, SourceRows source)
    {
        Matrix(to + ".weight", from + ".weight", rows, cols, _options.Type, source with { IsTransposed = _names.IsTransposed });
        if (hasBias && !isGiven)
            _tensors.Add(new PlannedTensor(to + ".bias", null, 1, rows, false, BlockFormat.F32, false)); // zeros, which the architecture must have
        else if (hasBias)
            Vector(to + ".bias", from + ".bias", rows, source);
    }

    private void Norm(Norm norm, string to, string from, int size)
    {
        Vector(to + ".weight", from + ".weight", size, new SourceRows(0, null) { Plus = _names.NormsPlusOne ? 1f : 0f });
        if (norm.Kind == NormKind.Layer)
            Vector(to + ".bias", from + ".bias", size, Whole);
    }

    /// <summary>QED under the name that llama.cpp knows its arithmetic by, which has biases of queries, keys and values and no others.</summary>
    private Architecture AsQwen2(Checkpoint checkpoint, Architecture source)
    {
        if (source.Name != GgufKeys.Qed)
            throw new QedException($"--arch qwen2 writes a QED under a name that other tools know; '{source.Name}' has one already, leave it out");
        SlotSet biases = Qwen2Family.Biases;
        for (int i = 0; i < source.Layers.Length; i++)
        {
            foreach (TensorSlot slot in TensorSlots.Of(source.Layers[i], source.Width))
            {
                if (slot.HasBias && !biases.Contains(slot.Slot) && checkpoint.Tensors.TryGetValue(_names.NameOf(slot.Slot, i) + ".bias", out SafetensorsTensor? bias))
                    throw new ModelFormatException(ModelFault.Unsupported, bias.File, "the architecture qwen2 has no such bias; convert to the architecture qed", tensor: bias.Name);
            }
        }
        LayerShape[] layers = Array.ConvertAll(source.Layers, layer => layer with { Biases = biases });
        return source with { Name = "qwen2", Layers = layers };
    }

    private void Matrix(string to, string from, int rows, int cols, BlockFormat format, SourceRows source)
    {
        bool packed = !IsPlain;
        if (_options.TensorTypes.FirstOrDefault(rule => rule.Pattern.IsMatch(to)) is { } rule)
        {
            format = rule.Format;
            _matched.Add(rule);
        }
        if (!packed && format.Info().HasScales && cols % PackedLayout.BlockSize != 0)
        {
            format = BlockFormat.F16; // the plain types have no padding
            _fallbacks.Add(to);
        }
        if (!_places.TryGetValue(from, out List<int>? places))
            _places.Add(from, places = []);
        places.Add(_tensors.Count);
        int stored = source.All > 0 ? source.All : rows;
        SafetensorsTensor tensor = source.IsTransposed ? Require(from, cols, stored) : Require(from, stored, cols);
        _tensors.Add(new PlannedTensor(to, tensor, rows, cols, true, format, packed) { SourceRow = source.Of, OwnRow = source.Own, Parts = source.Parts, IsTransposed = source.IsTransposed });
    }

    private void Vector(string to, string from, int size, SourceRows source) =>
        _tensors.Add(new PlannedTensor(to, Require(from, source.All > 0 ? source.All : size), 1, size, false, BlockFormat.F32, false) { SourceRow = source.Of, Plus = source.Plus });

    /// <summary>All rows, in their order.</summary>
    private static readonly SourceRows Whole = new(0, null);

    /// <summary>Which rows of a checkpoint's tensor are written.</summary>
    /// <param name="All">Rows that the tensor has; 0: as many as are written.</param>
    /// <param name="Of">The row of each that is written; null: the same.</param>
    private sealed record SourceRows(int All, Func<int, int>? Of)
    {
        /// <summary>The row of the packed layout that each is; null: the same.</summary>
        public Func<int, int>? Own { get; init; }

        /// <summary>The tensors of the packed layout that are written as one (<see cref="PlannedTensor.Parts"/>).</summary>
        public (string Name, int First)[] Parts { get; init; } = [];

        /// <summary>Whether a matrix is stored [columns, rows].</summary>
        public bool IsTransposed { get; init; }

        /// <summary>What is added to each value.</summary>
        public float Plus { get; init; }
    }

    private SafetensorsTensor Require(string name, params ReadOnlySpan<long> shape)
    {
        if (!_checkpoint.Tensors.TryGetValue(name, out var tensor))
            throw Missing(name);
        _used.Add(name);
        if (!SafetensorsValues.CanRead(tensor))
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
        _checkpoint.Tensors.ContainsKey(HeadName) ? Require(HeadName, Architecture.VocabSize, Architecture.Width) : null;

    private string ExplainUnknown(string name) => name.EndsWith(".bias", StringComparison.Ordinal)
        ? "config.json says that there is no such bias ('bias', 'attention_bias' or 'mlp_bias' is not true), yet here is one"
        : $"models of the family '{Architecture.Name}' have no such tensor; converting without it could change what the model computes";
}
