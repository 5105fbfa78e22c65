using QedEdge.Architectures;
using QedEdge.Gguf;

namespace QedEdge.Model;

/// <summary>
/// Whether a file has all tensors of the model that it describes, in shapes and types that are run, and no other: known from the table alone, before any weight is
/// read.
/// </summary>
internal sealed class TensorCheck
{
    private readonly GgufFile _file;
    private readonly HashSet<string> _known = [];

    private TensorCheck(GgufFile file) => _file = file;

    /// <summary>Checks a file.</summary>
    /// <param name="file">The file.</param>
    /// <param name="architecture">What it describes.</param>
    /// <exception cref="ModelFormatException">A tensor is missing, of a wrong shape or type, or none of the family's.</exception>
    public static void Run(GgufFile file, Architecture architecture)
    {
        var check = new TensorCheck(file);
        check.Matrix(TensorSlots.Embedding, architecture.VocabSize, architecture.Width);
        for (int i = 0; i < architecture.Layers.Length; i++)
            check.Layer(architecture.Layers[i], architecture.Width, i);
        if (!architecture.TiedHead)
            check.Matrix(TensorSlots.Head, architecture.VocabSize, architecture.Width);
        if (architecture.HeadBias)
            check.Vector(TensorSlots.HeadBias, architecture.VocabSize);
        check.Norm(architecture.OutputNorm, TensorSlots.OutputNorm, architecture.Width);
        if (architecture.PositionTable > 0)
            check.Matrix(TensorSlots.Positions, architecture.PositionTable, architecture.Width);
        if (file.Find(TensorSlots.RotaryFactors) is not null)
            check.Vector(TensorSlots.RotaryFactors, architecture.HeadSize / 2);
        // One that is passed over would change what the model computes.
        foreach (GgufTensorInfo tensor in file.Tensors)
        {
            if (!tensor.IsBaked && !check._known.Contains(tensor.Name))
                throw new ModelFormatException(ModelFault.Unsupported, file.Name, $"models of the family '{architecture.Name}' have no such tensor", tensor: tensor.Name, offset: tensor.Offset);
        }
    }

    private void Layer(LayerShape shape, int width, int index)
    {
        foreach (TensorSlot slot in TensorSlots.Of(shape, width))
        {
            string name = slot.NameIn(index);
            if (!slot.IsMatrix)
                Norm(slot.Norm!, name, slot.Cols);
            else if (FusedTensors.Find(_file, shape.Attention, slot, index) is var (tensor, fused))
            {
                if (TensorTypes.IsPacked(tensor.Type))
                    throw Unsupported(tensor, "queries, keys and values in one matrix must be of a plain type");
                Matrix(tensor.Name, fused.All, slot.Cols);
                if (slot.HasBias)
                    Vector(FusedRows.NameIn(index) + ".bias", fused.All);
            }
            else
            {
                Matrix(name + ".weight", slot.Rows, slot.Cols);
                if (slot.HasBias)
                    Vector(name + ".bias", slot.BiasSize);
            }
        }
    }

    private void Norm(Norm norm, string name, int size)
    {
        Vector(name + ".weight", size);
        if (norm.Kind == NormKind.Layer)
            Vector(name + ".bias", size);
    }

    private void Vector(string name, int size)
    {
        GgufTensorInfo tensor = Require(name, size);
        if (tensor.Type != TensorType.F32)
            throw Unsupported(tensor, "norms and biases must be F32");
    }

    private void Matrix(string name, int rows, int cols)
    {
        GgufTensorInfo tensor = Require(name, rows, cols);
        if (!TensorTypes.IsPacked(tensor.Type) && TensorTypes.PlainFormat(tensor.Type) is null)
            throw Unsupported(tensor, "no matrix is of such a type; quantize the model again as Q8_0 or Q4_K_M, or convert the checkpoint with qed-convert");
    }

    private GgufTensorInfo Require(string name, params ReadOnlySpan<long> shape)
    {
        GgufTensorInfo tensor = _file.Find(name) ?? throw new ModelFormatException(ModelFault.MissingTensor, _file.Name,
            "the tensor is missing; " + (_file.IsOwn ? "convert the checkpoint again" : "download the file again"), tensor: name);
        tensor.RequireShape(_file.Name, shape);
        _known.Add(name);
        return tensor;
    }

    private ModelFormatException Unsupported(GgufTensorInfo tensor, string supported) =>
        new(ModelFault.Unsupported, _file.Name, $"has type {TensorTypes.Name(tensor.Type)}; {supported}", tensor: tensor.Name, offset: tensor.Offset);
}
