using QedEdge.Architectures;
using QedEdge.Kernels;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Model;

/// <summary>y = W x + b; W [outputs, inputs].</summary>
/// <param name="Weight">W, packed.</param>
/// <param name="Bias">b [outputs], padded to a multiple of 32, or null.</param>
internal sealed record Linear(PackedMatrix Weight, float[]? Bias);

/// <summary>A norm with its weights, padded with zeros to a multiple of 32.</summary>
/// <param name="Norm">Which.</param>
/// <param name="Gain">[size].</param>
/// <param name="Bias">[size], or null.</param>
internal sealed record NormWeights(Norm Norm, float[] Gain, float[]? Bias)
{
    /// <summary>y = norm(x); x and y [padded size], the padding of x zero. They may be the same.</summary>
    public void Apply(KernelSet kernels, ReadOnlySpan<float> x, int size, Span<float> y)
    {
        if (Norm.Kind == NormKind.Layer)
            kernels.LayerNorm(x, Gain, Bias, size, Norm.Epsilon, y);
        else
            kernels.RmsNorm(x, Gain, size, Norm.Epsilon, y);
    }
}

/// <summary>One transformer layer: its shape and what stands in each of its slots.</summary>
internal sealed class LayerWeights
{
    private readonly Linear?[] _matrices = new Linear?[TensorSlots.Count];
    private readonly NormWeights?[] _norms = new NormWeights?[TensorSlots.Count];

    /// <summary>A layer without weights.</summary>
    public LayerWeights(LayerShape shape) => Shape = shape;

    private LayerWeights(LayerWeights other)
    {
        Shape = other.Shape;
        other._matrices.CopyTo(_matrices, 0);
        other._norms.CopyTo(_norms, 0);
    }

    /// <summary>What the layer computes.</summary>
    public LayerShape Shape { get; }

    /// <summary>The norm before attention [Width].</summary>
    public NormWeights AttentionNorm => Norm(Slot.AttentionNorm)!;

    /// <summary>Queries [QueryWidth, Width].</summary>
    public Linear Query => this[Slot.Query];

    /// <summary>Keys [KvWidth, Width].</summary>
    public Linear Key => this[Slot.Key];

    /// <summary>Values [KvWidth, Width].</summary>
    public Linear Value => this[Slot.Value];

    /// <summary>The queries' norm [HeadSize], or null.</summary>
    public NormWeights? QueryNorm => Norm(Slot.QueryNorm);

    /// <summary>The keys' norm [HeadSize], or null.</summary>
    public NormWeights? KeyNorm => Norm(Slot.KeyNorm);

    /// <summary>The matrix behind attention [Width, QueryWidth].</summary>
    public Linear AttentionOutput => this[Slot.AttentionOutput];

    /// <summary>The norm of attention's branch [Width], or null.</summary>
    public NormWeights? AttentionPostNorm => Norm(Slot.AttentionPostNorm);

    /// <summary>The norm before the feed-forward part [Width].</summary>
    public NormWeights FeedForwardNorm => Norm(Slot.FeedForwardNorm)!;

    /// <summary>The gate [Inner, Width]; only where there is one.</summary>
    public Linear Gate => this[Slot.Gate];

    /// <summary>What the gate lets through [Inner, Width].</summary>
    public Linear Up => this[Slot.Up];

    /// <summary>The feed-forward part's first matrix.</summary>
    public Linear First => this[Shape.FeedForward.IsGated ? Slot.Gate : Slot.Up];

    /// <summary>Back to the residual stream [Width, Inner].</summary>
    public Linear Down => this[Slot.Down];

    /// <summary>The norm of the feed-forward part's branch [Width], or null.</summary>
    public NormWeights? FeedForwardPostNorm => Norm(Slot.FeedForwardPostNorm);

    private NormWeights? Norm(Slot slot) => _norms[(int)slot];

    /// <summary>The matrix in a slot.</summary>
    public Linear this[Slot slot] => _matrices[(int)slot]!;

    /// <summary>Puts a matrix into its slot; only who makes a layer does.</summary>
    public void Set(Slot slot, Linear linear) => _matrices[(int)slot] = linear;

    /// <summary>Puts a norm into its slot; only who makes a layer does.</summary>
    public void Set(Slot slot, NormWeights norm) => _norms[(int)slot] = norm;

    /// <summary>The layer with another matrix in a slot.</summary>
    public LayerWeights With(Slot slot, Linear linear)
    {
        var layer = new LayerWeights(this);
        layer.Set(slot, linear);
        return layer;
    }
}

/// <summary>A model's weights as the forward pass uses them.</summary>
/// <param name="Embedding">Token embeddings [VocabSize, Width].</param>
/// <param name="Layers">The transformer's layers.</param>
/// <param name="OutputNorm">The last norm [Width].</param>
/// <param name="Output">The head [VocabSize, Width]; the embedding's matrix when tied.</param>
internal sealed record ModelWeights(PackedMatrix Embedding, LayerWeights[] Layers, NormWeights OutputNorm, Linear Output)
{
    /// <summary>What embeddings are multiplied by.</summary>
    public float EmbeddingScale { get; init; } = 1f;

    /// <summary>Learned positions [PositionTable, Width], or null.</summary>
    public PackedMatrix? Positions { get; init; }

    /// <summary>What each frequency of rotary positions is divided by [HeadSize / 2], or null.</summary>
    public float[]? RotaryFactors { get; init; }

    /// <summary>What the first layer takes: a token's embedding, scaled, and its position's.</summary>
    /// <param name="id">The token.</param>
    /// <param name="position">Its position.</param>
    /// <param name="x">[Width].</param>
    /// <param name="scratch">[Width].</param>
    public void Embed(int id, int position, Span<float> x, Span<float> scratch)
    {
        Read(Embedding, id, x);
        if (EmbeddingScale != 1f)
        {
            foreach (ref float value in x)
                value *= EmbeddingScale;
        }
        if (Positions is not { } table)
            return;
        Read(table, position, scratch);
        for (int i = 0; i < x.Length; i++)
            x[i] += scratch[i];
    }

    private static void Read(in PackedMatrix matrix, int row, Span<float> x) =>
        matrix.Format.Info().DequantizeRow(matrix.Group(row / PackedLayout.GroupRows), row % PackedLayout.GroupRows, x[..matrix.Cols]);

    /// <summary>Whether a matrix has scales for 16 columns.</summary>
    public bool HasHalfBlocks
    {
        get
        {
            foreach (PackedMatrix matrix in Matrices())
            {
                if (matrix.Format.Info().HasHalfBlocks)
                    return true;
            }
            return false;
        }
    }

    /// <summary>Every matrix that decoding a token reads, in order; a tied embedding once, as the head.</summary>
    public IEnumerable<PackedMatrix> Matrices()
    {
        foreach (LayerWeights layer in Layers)
        {
            for (Slot slot = 0; (int)slot < TensorSlots.Count; slot++)
            {
                if (layer[slot] is { } linear)
                    yield return linear.Weight;
            }
        }
        yield return Output.Weight;
    }
}
