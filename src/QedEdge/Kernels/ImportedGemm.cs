using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Kernels;

/// <summary>Matrices of other tools' formats, one weight at a time: the specification of their kernels (docs/numerics.md, N2).</summary>
internal static class ImportedGemm
{
    private const int GroupRows = PackedLayout.GroupRows;
    private const int BlockSize = PackedLayout.BlockSize;

    /// <summary>Blocks as their format describes them: quants of 32 columns with one scale, or of 16, and a min.</summary>
    public static void Multiply(in GemmCall call)
    {
        var format = (ImportedFormat)call.W.Format.Info();
        PackedMatrix w = call.W;
        Activations x = call.X;
        int size = format.HasHalfBlocks ? BlockSize / 2 : BlockSize;
        ReadOnlySpan<sbyte> levels = format.Levels;
        Span<byte> codes = stackalloc byte[BlockSize];
        for (int group = call.GroupBegin; group < call.GroupEnd; group++)
        {
            ReadOnlySpan<byte> weights = w.Group(group);
            for (int t = 0; t < call.Tokens; t++)
            {
                ReadOnlySpan<sbyte> xs = x.Quants.Slice(t * x.Stride, x.Stride);
                ReadOnlySpan<float> xScales = x.Scales.Slice(t * x.BlockStride, w.Blocks);
                for (int row = 0; row < GroupRows; row++)
                {
                    float acc = 0f;
                    for (int i = 0; i < w.Blocks * BlockSize; i += size)
                    {
                        int b = i / BlockSize, dot = 0, sum = 0;
                        format.CodesOf(weights, row, b, codes);
                        for (int c = i; c < i + size; c++)
                        {
                            dot += levels[codes[c % BlockSize]] * xs[c];
                            sum += xs[c];
                        }
                        (float s, float m) = format.NumbersOf(weights, w.Cols, row, b, i % BlockSize / (BlockSize / 2));
                        acc = MathF.FusedMultiplyAdd(dot, s * xScales[b], acc);
                        if (format.HasMins)
                            acc = MathF.FusedMultiplyAdd(m, xScales[b] * sum, acc);
                    }
                    call.Y[t * call.YStride + (group - call.GroupBegin) * GroupRows + row] = acc;
                }
            }
        }
    }
}
