using QedEdge.Architectures;
using QedEdge.Gguf;
using QedEdge.Memory;
using QedEdge.Quantization;

namespace QedEdge.Model;

/// <summary>
/// The file's tensors as the forward pass uses them: packed ones in place, standard ones (plain layout) repacked into memory, with the rows
/// of queries and keys in our order. Every tensor's presence and shape is checked here, and that all values are finite, so that kernels need not.
/// </summary>
internal sealed class FileWeights : IDisposable
{
    private readonly GgufFile _file;
    private readonly ModelConfig _config;
    private readonly RepackedWeights _repacked;

    /// <summary>Finds and checks all weights of a file.</summary>
    /// <param name="file">The file.</param>
    /// <param name="config">What it describes.</param>
    /// <param name="progress">Is told the share of a plain file that is repacked, or null.</param>
    /// <exception cref="ModelFormatException">A tensor is missing, of a wrong shape or type, or holds values that are not finite, or is none of the family's.</exception>
    public FileWeights(GgufFile file, ModelConfig config, Action<double>? progress = null)
    {
        _file = file;
        _config = config;
        TensorCheck.Run(file, config.Architecture);
        _repacked = new RepackedWeights(file, progress);
        if (file.HasPackedLayout)
            PageAdvice.PreferHuge(file.View); // those of a plain layout are copied and not read again
        try
        {
            Architecture architecture = config.Architecture;
            PackedMatrix embedding = Matrix(TensorSlots.Embedding, architecture.VocabSize, architecture.Width);
            var layers = new LayerWeights[architecture.Layers.Length];
            for (int i = 0; i < layers.Length; i++)
                layers[i] = Layer(architecture, i);
            var output = new Linear(architecture.TiedHead ? embedding : Matrix(TensorSlots.Head, architecture.VocabSize, architecture.Width),
                architecture.HeadBias ? Vector(TensorSlots.HeadBias, architecture.VocabSize) : null);
            Weights = new ModelWeights(embedding, layers, Norm(architecture.OutputNorm, TensorSlots.OutputNorm, architecture.Width), output)
            {
                EmbeddingScale = architecture.EmbeddingScale,
                Positions = architecture.PositionTable == 0 ? null : Matrix(TensorSlots.Positions, architecture.PositionTable, architecture.Width),
                RotaryFactors = file.Find(TensorSlots.RotaryFactors) is null ? null : Factors(architecture.HeadSize / 2),
            };
            _repacked.End();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The weights; valid until this is disposed.</summary>
    public ModelWeights Weights { get; }

    /// <summary>Frees what was repacked.</summary>
    public void Dispose() => _repacked.Dispose();

    private LayerWeights Layer(Architecture architecture, int index)
    {
        var layer = new LayerWeights(architecture.Layers[index]);
        foreach (TensorSlot slot in TensorSlots.Of(layer.Shape, architecture.Width))
        {
            string name = slot.NameIn(index);
            if (!slot.IsMatrix)
                layer.Set(slot.Slot, Norm(slot.Norm!, name, slot.Cols));
            else if (FusedTensors.Find(_file, layer.Shape.Attention, slot, index) is var (tensor, rows))
                layer.Set(slot.Slot, Fused(slot, index, tensor, rows));
            else
                layer.Set(slot.Slot, new Linear(Matrix(name + ".weight", slot.Rows, slot.Cols, IsInterleaved(slot)), Bias(slot, name)));
        }
        return layer;
    }

    /// <summary>Whether the plain layout has a slot's rows as llama.cpp turns them.</summary>
    private bool IsInterleaved(TensorSlot slot) => slot.IsRotated && _config.HasInterleavedRows;

    /// <summary>Queries, keys or values out of the one matrix that other tools store them in.</summary>
    private Linear Fused(TensorSlot slot, int index, GgufTensorInfo tensor, FusedRows rows)
    {
        NativeView data = _file.Data(tensor);
        long rowBytes = data.Length / rows.All;
        PackedMatrix matrix = Checked(tensor, Repack(tensor, data.Slice(rows.First * rowBytes, slot.Rows * rowBytes), slot.Rows, slot.Cols, IsInterleaved(slot)));
        if (!slot.HasBias)
            return new Linear(matrix, null);
        var bias = new float[Workspace.Pad(slot.Rows)];
        Vector(FusedRows.NameIn(index) + ".bias", rows.All).AsSpan(rows.First, slot.Rows).CopyTo(bias);
        return new Linear(matrix, IsInterleaved(slot) ? Halves(bias, slot.Rows) : bias);
    }

    private NormWeights Norm(Norm norm, string name, int size) => new(norm, Vector(name + ".weight", size), norm.Kind == NormKind.Layer ? Vector(name + ".bias", size) : null);

    private float[]? Bias(TensorSlot slot, string name)
    {
        if (!slot.HasBias)
            return null;
        float[] bias = Vector(name + ".bias", slot.BiasSize);
        return IsInterleaved(slot) && !IsOwnOrder(name) ? Halves(bias, slot.Rows) : bias;
    }

    /// <summary>A bias whose values stand as llama.cpp turns them, in our order.</summary>
    private float[] Halves(float[] stored, int rows)
    {
        var bias = new float[stored.Length];
        for (int row = 0; row < rows; row++)
            bias[row] = stored[InterleavedRows.Source(row, _config.HeadSize)];
        return bias;
    }

    /// <summary>Packed matrices, and the biases beside them, have rows in our order whatever the family is.</summary>
    private bool IsOwnOrder(string name) => TensorTypes.IsPacked(_file.Find(name + ".weight")!.Type);

    private float[] Factors(int count)
    {
        float[] factors = Vector(TensorSlots.RotaryFactors, count);
        for (int i = 0; i < count; i++)
        {
            if (!(factors[i] > 0))
                throw new ModelFormatException(ModelFault.Damaged, _file.Name, $"holds the value {factors[i]}, and frequencies are divided by it: it must be positive", tensor: TensorSlots.RotaryFactors);
        }
        return factors;
    }

    private float[] Vector(string name, int size)
    {
        GgufTensorInfo tensor = _file.Find(name)!;
        var padded = new float[PackedLayout.Blocks(size) * PackedLayout.BlockSize];
        _file.Data(tensor).Span<float>(0, size).CopyTo(padded);
        if (!FiniteCheck.Floats(padded))
            throw NotFinite(tensor);
        return padded;
    }

    private PackedMatrix Matrix(string name, int rows, int cols, bool interleaved = false)
    {
        GgufTensorInfo tensor = _file.Find(name)!;
        NativeView data = _file.Data(tensor);
        // Packed types are qed-convert's own, with rows in our order.
        PackedMatrix matrix = TensorTypes.PackedFormat(tensor.Type) is { } format
            ? new PackedMatrix(format, rows, cols, data)
            : Repack(tensor, data, rows, cols, interleaved);
        return Checked(tensor, matrix);
    }

    private PackedMatrix Checked(GgufTensorInfo tensor, PackedMatrix matrix)
    {
        if (!FiniteCheck.Matrix(matrix))
            throw NotFinite(tensor);
        return PaddingCheck.Rows(matrix) ? matrix : throw new ModelFormatException(ModelFault.Damaged, _file.Name,
            "the padding after its last row is not zero; the file was not written by qed-convert, convert the checkpoint again", tensor: tensor.Name, offset: tensor.Offset);
    }

    private PackedMatrix Repack(GgufTensorInfo tensor, NativeView data, int rows, int cols, bool interleaved) =>
        _repacked.Pack(TensorTypes.PlainFormat(tensor.Type)!.Value, data, rows, cols, interleaved ? _config.HeadSize : 0);

    private ModelFormatException NotFinite(GgufTensorInfo tensor) =>
        new(ModelFault.Damaged, _file.Name, "holds values that are not finite numbers" + (_file.IsOwn ? "; the file is damaged, see 'qed verify'" : ", or a scale that no half-precision number holds; download it again, or take the model in another type"), tensor: tensor.Name, offset: tensor.Offset);
}
