using System.Runtime.InteropServices;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Kernels;

/// <summary>The specification: one row, one token, one element at a time. Every other set must give these bits.</summary>
internal sealed class ScalarKernels : VectorKernels<ScalarFloat8>
{
    private const int GroupRows = PackedLayout.GroupRows;
    private const int BlockSize = PackedLayout.BlockSize;

    /// <inheritdoc/>
    public override string Name => "scalar";

    /// <inheritdoc/>
    protected override void Multiply(in GemmCall call)
    {
        switch (call.W.Format)
        {
            case BlockFormat.F32: GemmF32(call); break;
            case BlockFormat.F16: GemmHalves(call, HalfBits.ToSingle); break;
            case BlockFormat.BF16: GemmHalves(call, BrainFormat.Widen); break;
            case BlockFormat.Q8_0: GemmQ8_0(call); break;
            case BlockFormat.Q4_0 or BlockFormat.IQ4_NL: GemmNibbles(call); break;
            default: ImportedGemm.Multiply(call); break;
        }
    }

    private static void GemmF32(in GemmCall call)
    {
        PackedMatrix w = call.W;
        Activations x = call.X;
        for (int group = call.GroupBegin; group < call.GroupEnd; group++)
        {
            ReadOnlySpan<float> weights = MemoryMarshal.Cast<byte, float>(w.Group(group));
            for (int t = 0; t < call.Tokens; t++)
            {
                ReadOnlySpan<float> xs = x.Row(t);
                for (int row = 0; row < GroupRows; row++)
                {
                    float acc = 0f;
                    for (int col = 0; col < w.Blocks * BlockSize; col++)
                        acc = MathF.FusedMultiplyAdd(weights[col * GroupRows + row], xs[col], acc);
                    call.Y[t * call.YStride + (group - call.GroupBegin) * GroupRows + row] = acc;
                }
            }
        }
    }

    private static void GemmHalves(in GemmCall call, Func<ushort, float> widen)
    {
        PackedMatrix w = call.W;
        Activations x = call.X;
        for (int group = call.GroupBegin; group < call.GroupEnd; group++)
        {
            ReadOnlySpan<ushort> weights = MemoryMarshal.Cast<byte, ushort>(w.Group(group));
            for (int t = 0; t < call.Tokens; t++)
            {
                ReadOnlySpan<float> xs = x.Row(t);
                for (int row = 0; row < GroupRows; row++)
                {
                    float acc = 0f;
                    for (int col = 0; col < w.Blocks * BlockSize; col++)
                        acc = MathF.FusedMultiplyAdd(widen(weights[col * GroupRows + row]), xs[col], acc);
                    call.Y[t * call.YStride + (group - call.GroupBegin) * GroupRows + row] = acc;
                }
            }
        }
    }

    private static void GemmQ8_0(in GemmCall call)
    {
        PackedMatrix w = call.W;
        Activations x = call.X;
        for (int group = call.GroupBegin; group < call.GroupEnd; group++)
        {
            ReadOnlySpan<sbyte> weights = MemoryMarshal.Cast<byte, sbyte>(w.Group(group));
            ReadOnlySpan<ushort> scales = MemoryMarshal.Cast<byte, ushort>(w.Group(group)[(int)w.ScalesOffset..]);
            for (int t = 0; t < call.Tokens; t++)
            {
                ReadOnlySpan<sbyte> xs = x.Quants.Slice(t * x.Stride, x.Stride);
                ReadOnlySpan<float> xScales = x.Scales.Slice(t * x.BlockStride, w.Blocks);
                for (int row = 0; row < GroupRows; row++)
                {
                    float acc = 0f;
                    for (int b = 0; b < w.Blocks; b++)
                    {
                        int dot = 0;
                        for (int c = 0; c < BlockSize; c++)
                        {
                            // Vector c / 4 of the block holds four columns of each of the eight rows.
                            int weight = weights[b * GroupRows * BlockSize + c / 4 * 32 + row * 4 + c % 4];
                            dot += weight * xs[b * BlockSize + c];
                        }
                        acc = MathF.FusedMultiplyAdd(dot, HalfBits.ToSingle(scales[b * GroupRows + row]) * xScales[b], acc);
                    }
                    call.Y[t * call.YStride + (group - call.GroupBegin) * GroupRows + row] = acc;
                }
            }
        }
    }

    private static void GemmNibbles(in GemmCall call)
    {
        PackedMatrix w = call.W;
        Activations x = call.X;
        ReadOnlySpan<sbyte> levels = w.Format.Info().Levels;
        for (int group = call.GroupBegin; group < call.GroupEnd; group++)
        {
            ReadOnlySpan<byte> weights = w.Group(group);
            ReadOnlySpan<ushort> scales = MemoryMarshal.Cast<byte, ushort>(weights[(int)w.ScalesOffset..]);
            for (int t = 0; t < call.Tokens; t++)
            {
                ReadOnlySpan<sbyte> xs = x.Quants.Slice(t * x.Stride, x.Stride);
                ReadOnlySpan<float> xScales = x.Scales.Slice(t * x.BlockStride, w.Blocks);
                for (int row = 0; row < GroupRows; row++)
                {
                    float acc = 0f;
                    for (int b = 0; b < w.Blocks; b++)
                    {
                        int dot = 0;
                        for (int c = 0; c < BlockSize / 2; c++)
                        {
                            // Low nibbles are columns 0..15 of the block (vectors 0..3), high nibbles columns 16..31.
                            int pair = weights[b * GroupRows * BlockSize / 2 + c / 4 * 32 + row * 4 + c % 4];
                            dot += levels[pair & 15] * xs[b * BlockSize + c] + levels[pair >> 4] * xs[b * BlockSize + c + 16];
                        }
                        acc = MathF.FusedMultiplyAdd(dot, HalfBits.ToSingle(scales[b * GroupRows + row]) * xScales[b], acc);
                    }
                    call.Y[t * call.YStride + (group - call.GroupBegin) * GroupRows + row] = acc;
                }
            }
        }
    }
}
