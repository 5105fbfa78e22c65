using QedEdge.Architectures;
using QedEdge.Architectures.Families;
using QedEdge.Gguf;
using QedEdge.Model;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Conversion;

/// <summary>
/// The tensors of a file in the other layout, in the order that converting to it gives. In the plain layout queries, keys and values stand as other tools expect them: some families have them in
/// one tensor, some with the rows of queries and keys interleaved.
/// </summary>
internal sealed class RepackPlan
{
    private readonly GgufFile _source;
    private readonly Architecture _architecture;
    private readonly Family _family;
    private readonly FileLayout _layout;
    private readonly List<RepackedTensor> _tensors = [];

    /// <summary>Plans.</summary>
    /// <param name="source">The file.</param>
    /// <param name="architecture">What it describes.</param>
    /// <param name="layout">The layout to write.</param>
    /// <exception cref="ModelFormatException">A tensor is of a type that cannot be repacked.</exception>
    public RepackPlan(GgufFile source, Architecture architecture, FileLayout layout)
    {
        (_source, _architecture, _layout) = (source, architecture, layout);
        _family = FamilyRegistry.Find(architecture.Name)!;
        var places = new Dictionary<string, (int Layer, Slot? Slot, string End)>(); // of queries, keys, values; no slot: all in one
        for (int i = 0; i < architecture.Layers.Length; i++)
        {
            foreach (string end in (string[])[".weight", ".bias"])
            {
                foreach (Slot slot in FusedRows.Slots)
                    places.Add(Name(i, slot) + end, (i, slot, end));
                places.Add(Name(i, null) + end, (i, null, end));
            }
        }
        foreach (GgufTensorInfo tensor in source.Tensors)
        {
            if (tensor.IsBaked)
                continue;
            if (places.TryGetValue(tensor.Name, out var place))
                RequireShape(tensor, place.Slot);
            if (place.End is null || (place.Slot is null && layout == FileLayout.Plain))
                _tensors.Add(Plan(tensor));
            else if (place.Slot is null && place.End == ".weight")
                Split(place.Layer);
            else if (place.Slot is { } slot && !Fuses(place.Layer))
                _tensors.Add(Moved(tensor, place.Layer, slot));
            else if (place is { Slot: Slot.Query, End: ".weight" })
                Fuse(place.Layer);
        }
    }

    /// <summary>The tensors.</summary>
    public IReadOnlyList<RepackedTensor> Tensors => _tensors;

    private static string Name(int layer, Slot? slot) => slot is { } part ? $"blk.{layer}.{TensorSlots.NameOf(part)}" : FusedRows.NameIn(layer);

    /// <summary>Whether a layer's queries, keys and values become one tensor; calibration may have given them several types.</summary>
    private bool Fuses(int layer) => _layout == FileLayout.Plain && _family.Names.Fused is not null
        && Array.TrueForAll((string[])[".weight", ".bias"], end => FusedRows.Slots.Select(slot => _source.Find(Name(layer, slot) + end)?.Type).Distinct().Count() == 1);

    private void RequireShape(GgufTensorInfo tensor, Slot? slot)
    {
        AttentionShape attention = _architecture.Layers[0].Attention; // heads are the same in all
        FusedRows own = FusedRows.Of(attention, slot ?? Slot.Query)!;
        int rows = slot is null ? own.All : own.Count;
        tensor.RequireShape(_source.Name, tensor.Name.EndsWith(".bias", StringComparison.Ordinal) ? [rows] : [rows, _architecture.Width]);
    }

    private void Fuse(int layer)
    {
        foreach (string end in (string[])[".weight", ".bias"])
        {
            GgufTensorInfo[] parts = [.. FusedRows.Slots.Select(slot => _source.Find(Name(layer, slot) + end)).OfType<GgufTensorInfo>()];
            if (parts.Length < FusedRows.Slots.Length)
                continue; // no biases
            FusedRows[] rows = Array.ConvertAll(FusedRows.Slots, slot => FusedRows.Of(_architecture.Layers[layer].Attention, slot)!);
            _tensors.Add(Plan(parts[0]) with
            {
                Name = Name(layer, null) + end,
                Sources = parts,
                Rows = rows[0].All,
                Cols = end == ".weight" ? (int)parts[0].Dimensions[1] : 1,
                RowOf = row =>
                {
                    int part = Array.FindLastIndex(rows, own => own.First <= row);
                    return (part, row - rows[part].First);
                },
            });
        }
    }

    private void Split(int layer)
    {
        AttentionShape attention = _architecture.Layers[layer].Attention;
        foreach (Slot slot in FusedRows.Slots)
        {
            FusedRows own = FusedRows.Of(attention, slot)!;
            Func<int, int>? order = OrderOf(slot, attention.HeadSize, isOwn: false);
            foreach (string end in (string[])[".weight", ".bias"])
            {
                if (_source.Find(Name(layer, null) + end) is not { } tensor)
                    continue;
                _tensors.Add(Plan(tensor) with
                {
                    Name = Name(layer, slot) + end,
                    Rows = own.Count,
                    Cols = end == ".weight" ? (int)tensor.Dimensions[1] : 1,
                    RowOf = row => (0, own.First + (order is null ? row : order(row))),
                });
            }
        }
    }

    private RepackedTensor Moved(GgufTensorInfo tensor, int layer, Slot slot)
    {
        RepackedTensor plan = Plan(tensor);
        bool isOwn = _source.Find(Name(layer, slot) + ".weight") is { } weight && TensorTypes.IsPacked(weight.Type);
        if (OrderOf(slot, _architecture.HeadSize, isOwn) is not { } order)
            return plan;
        return plan with { Rows = (int)tensor.Dimensions[0], Cols = plan.IsMatrix ? plan.Cols : 1, RowOf = row => (0, order(row)) };
    }

    /// <summary>The row that is written as a row, where rows change places; or null.</summary>
    /// <param name="slot">Whose rows.</param>
    /// <param name="headSize">Rows of a head.</param>
    /// <param name="isOwn">Whether they are in our order now.</param>
    private Func<int, int>? OrderOf(Slot slot, int headSize, bool isOwn) =>
        slot == Slot.Value || !_family.InterleavesRows || isOwn == (_layout == FileLayout.Packed) ? null
            : isOwn ? row => InterleavedRows.Target(row, headSize) : row => InterleavedRows.Source(row, headSize);

    /// <summary>A tensor whose rows stay in their places.</summary>
    private RepackedTensor Plan(GgufTensorInfo tensor)
    {
        var packed = TensorTypes.PackedFormat(tensor.Type);
        var format = packed ?? TensorTypes.PlainFormat(tensor.Type)
            ?? throw Unsupported($"has type {TensorTypes.Name(tensor.Type)}; no matrix is of such a type");
        if (packed is not null && _layout == FileLayout.Plain && format.Info() is ImportedFormat)
            throw Unsupported($"has type {TensorTypes.Name(tensor.Type)}, from which there is no way back to the plain layout; keep the file that it was made from");
        if (tensor.Dimensions.Count > 2 || tensor.Dimensions.Any(static dimension => dimension is < 1 or > GgufLimits.Size))
            throw Unsupported("models have vectors and matrices of up to 2^20 rows and columns only");
        bool matrix = tensor.Dimensions.Count == 2;
        int rows = matrix ? (int)tensor.Dimensions[0] : 1, cols = (int)tensor.Dimensions[^1];
        bool toPacked = matrix && _layout == FileLayout.Packed;
        var to = !toPacked && format.Info().HasScales && cols % PackedLayout.BlockSize != 0 ? BlockFormat.F16 : format;
        return new RepackedTensor(tensor.Name, [tensor], rows, cols, matrix, format, packed is not null, to, toPacked);

        ModelFormatException Unsupported(string problem) =>
            new(ModelFault.Unsupported, _source.Name, problem, tensor: tensor.Name, offset: tensor.Offset);
    }
}
