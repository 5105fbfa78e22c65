using QedEdge.Memory;
using QedEdge.Quantization;

namespace QedEdge.Kernels;

/// <summary>
/// One matrix times some vectors: y[t, row − 8·GroupBegin] = Σ_col w[row, col] · x[t, col] for the rows of row groups GroupBegin..GroupEnd.
/// Int8 and int4: acc = fma((float)dot, weightScale · activationScale, acc) block after block, dot an exact int32.
/// Floats: acc = fma(w, x, acc) column after column.
/// </summary>
/// <param name="w">Weights [rows, cols].</param>
/// <param name="x">Inputs [tokens, cols]; quantized for the integer formats.</param>
/// <param name="tokens">How many of the inputs.</param>
/// <param name="groupBegin">First row group.</param>
/// <param name="groupEnd">One past the last row group.</param>
/// <param name="y">Outputs [tokens, yStride].</param>
/// <param name="yStride">Elements from one token's outputs to the next.</param>
internal readonly ref struct GemmCall(in PackedMatrix w, Activations x, int tokens, int groupBegin, int groupEnd, Span<float> y, int yStride)
{
    /// <summary>Weights [rows, cols].</summary>
    public readonly PackedMatrix W = w;

    /// <summary>Inputs [tokens, cols].</summary>
    public readonly Activations X = x;

    /// <summary>How many of the inputs.</summary>
    public readonly int Tokens = tokens;

    /// <summary>First row group.</summary>
    public readonly int GroupBegin = groupBegin;

    /// <summary>One past the last row group.</summary>
    public readonly int GroupEnd = groupEnd;

    /// <summary>Outputs [tokens, yStride].</summary>
    public readonly Span<float> Y = y;

    /// <summary>Elements from one token's outputs to the next.</summary>
    public readonly int YStride = yStride;

    /// <summary>What the caller reads after these rows, so that a lone token's weights can be prefetched in time; a hint.</summary>
    public NativeView Next { get; init; }

    /// <summary>Whether no quant of an int8 matrix's inputs is negative (<see cref="KernelSet.QuantizeWeighted"/>); their offsets are not read then.</summary>
    public bool NonNegative { get; init; }

    /// <summary>Whether there is nothing to compute.</summary>
    public bool IsEmpty => GroupBegin >= GroupEnd || Tokens == 0;

    /// <summary>The one check before unchecked loops: the last element written exists, and the groups and tokens do.</summary>
    public void Check()
    {
        _ = Y[(Tokens - 1) * YStride + (GroupEnd - GroupBegin) * PackedLayout.GroupRows - 1];
        _ = X.Quants.Slice((Tokens - 1) * X.Stride, W.Blocks * PackedLayout.BlockSize);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(GroupEnd, W.Groups);
        ArgumentOutOfRangeException.ThrowIfNegative(GroupBegin);
    }
}
