using QedEdge.Gguf;
using QedEdge.Memory;
using QedEdge.Quantization;

namespace QedEdge.Model;

/// <summary>
/// The file's tensors as the forward pass uses them: packed ones in place, standard ones (plain layout) repacked into memory, with the rows
/// of queries and keys in QED's order. Every tensor's presence and shape is checked here, and that all values are finite, so that kernels need not.
/// </summary>
internal sealed class FileWeights : IDisposable
{
    private readonly GgufFile _file;
    private readonly ModelConfig _config;
    private readonly HashSet<string> _used = [];
    private readonly List<AlignedBuffer<byte>> _repacked = [];

    /// <summary>Finds and checks all weights of a file.</summary>
    /// <exception cref="ModelFormatException">A tensor is missing, of a wrong shape or type, or holds values that are not finite, or (in another tool's file) is none of QED's.</exception>
    public FileWeights(GgufFile file, ModelConfig config)
    {
        _file = file;
        _config = config;
        int hidden = config.HiddenSize, inner = config.FeedForwardSize;
        if (file.HasPackedLayout)
            PageAdvice.PreferHuge(file.View); // those of a plain layout are copied and not read again
        try
        {
            PackedMatrix embedding = Matrix("token_embd.weight", config.VocabSize, hidden);
            var layers = new LayerWeights[config.LayerCount];
            for (int i = 0; i < layers.Length; i++)
            {
                string block = $"blk.{i}.";
                layers[i] = new LayerWeights
                {
                    AttentionNorm = Vector(block + "attn_norm.weight", hidden),
                    Query = Linear(block + "attn_q", hidden, hidden, rotary: true),
                    Key = Linear(block + "attn_k", hidden, hidden, rotary: true),
                    Value = Linear(block + "attn_v", hidden, hidden),
                    AttentionOutput = Linear(block + "attn_output", hidden, hidden),
                    FeedForwardNorm = Vector(block + "ffn_norm.weight", hidden),
                    Gate = Linear(block + "ffn_gate", inner, hidden),
                    Up = Linear(block + "ffn_up", inner, hidden),
                    Down = Linear(block + "ffn_down", hidden, inner),
                };
            }
            float[] outputNorm = Vector("output_norm.weight", hidden);
            var output = new Linear(config.TiedHead ? embedding : Matrix("output.weight", config.VocabSize, hidden), OptionalVector("output.bias", config.VocabSize));
            Weights = new ModelWeights(embedding, layers, outputNorm, output);
            if (config.IsForeign)
                RequireAllUsed();
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
    public void Dispose()
    {
        foreach (AlignedBuffer<byte> buffer in _repacked)
            buffer.Dispose();
        _repacked.Clear();
    }

    private Linear Linear(string name, int rows, int cols, bool rotary = false)
    {
        bool interleaved = rotary && _config.HasInterleavedRows;
        float[]? bias = OptionalVector(name + ".bias", rows);
        if (interleaved && bias is not null)
        {
            float[] stored = bias;
            bias = new float[stored.Length];
            for (int row = 0; row < rows; row++)
                bias[row] = stored[InterleavedRows.Source(row, _config.HeadSize)];
        }
        return new(Matrix(name + ".weight", rows, cols, interleaved), bias);
    }

    /// <summary>A tensor that is passed over would change what another tool's model computes.</summary>
    private void RequireAllUsed()
    {
        foreach (GgufTensorInfo tensor in _file.Tensors)
        {
            if (!tensor.IsBaked && !_used.Contains(tensor.Name))
                throw new ModelFormatException(ModelFault.Unsupported, _file.Name, "QED models have no such tensor", tensor: tensor.Name, offset: tensor.Offset);
        }
    }

    private GgufTensorInfo Require(string name, params ReadOnlySpan<long> shape)
    {
        GgufTensorInfo tensor = _file.Find(name) ?? throw new ModelFormatException(ModelFault.MissingTensor, _file.Name,
            "the tensor is missing; convert the checkpoint again", tensor: name);
        if (!shape.SequenceEqual(tensor.Dimensions.ToArray()))
        {
            throw new ModelFormatException(ModelFault.Damaged, _file.Name,
                $"the shape is [{string.Join(", ", tensor.Dimensions)}], the model's dimensions require [{string.Join(", ", shape.ToArray())}]",
                tensor: name, offset: tensor.Offset);
        }
        _used.Add(name);
        return tensor;
    }

    private float[]? OptionalVector(string name, int size) => _file.Find(name) is null ? null : Vector(name, size);

    private float[] Vector(string name, int size)
    {
        GgufTensorInfo tensor = Require(name, size);
        if (tensor.Type != TensorType.F32)
            throw Unsupported(tensor, "norms and biases must be F32");
        var padded = new float[PackedLayout.Blocks(size) * PackedLayout.BlockSize];
        _file.Data(tensor).Span<float>(0, size).CopyTo(padded);
        if (!FiniteCheck.Floats(padded))
            throw NotFinite(tensor);
        return padded;
    }

    private PackedMatrix Matrix(string name, int rows, int cols, bool interleaved = false)
    {
        GgufTensorInfo tensor = Require(name, rows, cols);
        NativeView data = _file.Data(tensor);
        if (Features.Int4Only)
        {
            return tensor.Type is TensorType.PackedQ4_0 or TensorType.PackedQ8_0 ? Checked(tensor, new PackedMatrix(TensorTypes.PackedFormat(tensor.Type)!.Value, rows, cols, data))
                : throw Unsupported(tensor, "this build runs nothing but what 'qed-convert --type q4_0' makes");
        }
        // Packed types are qed-convert's own, in QED's order of rows.
        PackedMatrix matrix = !_config.IsForeign && TensorTypes.PackedFormat(tensor.Type) is { } format
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

    private const string Remedy = "; quantize again with llama-quantize --pure --token-embedding-type q8_0 --output-tensor-type q8_0, "
        + "or convert the checkpoint with qed-convert";

    /// <summary>Copied bytes of the file that stay mapped at most.</summary>
    private const int ForgetBytes = 4 << 20;

    private PackedMatrix Repack(GgufTensorInfo tensor, NativeView data, int rows, int cols, bool interleaved)
    {
        BlockFormat format = TensorTypes.PlainFormat(tensor.Type) ?? throw Unsupported(tensor,
            "QedEdge runs F32, F16, Q8_0, Q4_0 and IQ4_NL matrices" + (_config.IsForeign ? Remedy : ""));
        long groupBytes = PackedLayout.GroupBytes(format, cols);
        var buffer = new AlignedBuffer<byte>(PackedLayout.MatrixBytes(format, rows, cols));
        _repacked.Add(buffer);
        long rowBytes = data.Length / rows, forgotten = 0;
        byte[] gathered = interleaved ? new byte[PackedLayout.GroupRows * rowBytes] : []; // [rows of a group][row bytes]
        for (int group = 0; group < PackedLayout.RowGroups(rows); group++)
        {
            int first = group * PackedLayout.GroupRows, count = Math.Min(PackedLayout.GroupRows, rows - first);
            ReadOnlySpan<byte> plain = interleaved ? Gather(first, count) : data.Span(first * rowBytes, checked((int)(count * rowBytes)));
            Packing.PackGroup(format, plain, count, cols, buffer.Slice(group * groupBytes, (int)groupBytes));
            // What was copied need not stay in memory a second time.
            long copied = (first + count) * rowBytes;
            if (copied - forgotten >= ForgetBytes || first + count == rows)
            {
                _file.Forget(data.Slice(forgotten, copied - forgotten));
                forgotten = copied;
            }
        }
        return new PackedMatrix(format, rows, cols, buffer.View);

        Span<byte> Gather(int first, int count)
        {
            for (int i = 0; i < count; i++)
                data.Span(InterleavedRows.Source(first + i, _config.HeadSize) * rowBytes, (int)rowBytes).CopyTo(gathered.AsSpan((int)(i * rowBytes)));
            return gathered;
        }
    }

    private ModelFormatException NotFinite(GgufTensorInfo tensor) =>
        new(ModelFault.Damaged, _file.Name, "holds values that are not finite numbers; the file is damaged, see 'qed verify'", tensor: tensor.Name, offset: tensor.Offset);

    private ModelFormatException Unsupported(GgufTensorInfo tensor, string supported) =>
        new(ModelFault.Unsupported, _file.Name, $"has type {tensor.Type}; {supported}", tensor: tensor.Name, offset: tensor.Offset);
}
