using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using QedEdge.Kernels;
using QedEdge.Kernels.X86;
using QedEdge.Memory;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Tests.Kernels;

/// <summary>Every kernel set this machine can run gives the bits of the scalar one, for every operation, shape and number of tokens.</summary>
public sealed class KernelParityTests
{
    private static readonly ScalarKernels Scalar = new();

    public static TheoryData<string> Sets => new(KernelRegistry.Available.Select(s => s.Name));

    [Theory]
    [MemberData(nameof(Sets))]
    public void Gemm_EveryFormatAndShape_MatchesScalar(string name) => AssertGemmMatchesScalar(KernelRegistry.Select(name));

    /// <summary>AVX-VNNI's arithmetic on a processor without it: only the instruction itself is replaced.</summary>
    [Fact]
    public void Gemm_WithAvxVnniEmulated_MatchesScalar()
    {
        Assert.SkipUnless(Avx2.IsSupported, "the kernels around the instruction need AVX2");
        AssertGemmMatchesScalar(new Avx2Kernels<EmulatedVnniDot>());
    }

    /// <summary>Both forms of the 512-bit set, of which a processor has but one.</summary>
    [Fact]
    public void Avx512_WithAndWithoutADotProduct_MatchesScalar()
    {
        Assert.SkipUnless(Avx512BW.IsSupported, "this processor has no AVX-512");
        foreach (KernelSet set in new KernelSet[] { new Avx512Kernels<WidePairs>(), new Avx512Kernels<WideVnni>() })
        {
            AssertGemmMatchesScalar(set);
            AssertExtremeQuantsMatchScalar(set);
            AssertGemmNonNegativeIsGemm(set);
        }
    }

    private static void AssertGemmMatchesScalar(KernelSet set)
    {
        var random = new Random(1);
        foreach (BlockFormat format in BlockFormats.Written)
        {
            foreach ((int rows, int cols) in new[] { (1, 1), (8, 32), (9, 31), (24, 33), (40, 96), (7, 200), (64, 384), (100, 80) })
            {
                using AlignedBuffer<byte> data = RandomMatrix(random, format, rows, cols);
                var w = new PackedMatrix(format, rows, cols, data.View);
                foreach (int tokens in new[] { 1, 2, 3, 4, 5, 6, 7, 8, 9, 19 })
                {
                    using Activations x = RandomActivations(random, tokens, cols);
                    int begin = w.Groups / 3, end = w.Groups, stride = w.Groups * 8 + 3;
                    var expected = new float[tokens * stride];
                    var actual = new float[tokens * stride];
                    Scalar.Gemm(new(w, x, tokens, begin, end, expected, stride));
                    set.Gemm(new(w, x, tokens, begin, end, actual, stride));
                    AssertSameBits(expected, actual, $"{format} [{rows}, {cols}] × {tokens}");
                }
            }
        }
    }

    /// <summary>Every product as large as it can be, of either sign: sums of pairs and of blocks come closest to what their lanes hold.</summary>
    [Theory]
    [MemberData(nameof(Sets))]
    public void Gemm_ExtremeQuants_MatchScalar(string name) => AssertExtremeQuantsMatchScalar(KernelRegistry.Select(name));

    private static void AssertExtremeQuantsMatchScalar(KernelSet set)
    {
        var random = new Random(14);
        const int rows = 16, cols = 96, tokens = 13;
        foreach (BlockFormat format in new[] { BlockFormat.Q8_0, BlockFormat.Q4_0, BlockFormat.IQ4_NL })
        {
            using var data = new AlignedBuffer<byte>(format.Info().MatrixBytes(rows, cols));
            var w = new PackedMatrix(format, rows, cols, data.View);
            byte[] extremes = format == BlockFormat.Q8_0 ? [0x80, 0x81, 0x7F] : [0x00, 0xFF, 0x0F, 0xF0];
            foreach (bool mixed in new[] { false, true })
            {
                for (int g = 0; g < w.Groups; g++)
                {
                    Span<byte> group = data.Span[(int)(g * w.GroupBytes)..(int)((g + 1) * w.GroupBytes)];
                    foreach (ref byte b in group)
                        b = extremes[mixed ? random.Next(extremes.Length) : g];
                    MemoryMarshal.Cast<byte, ushort>(group[(int)w.ScalesOffset..]).Fill(HalfBits.FromSingle(1f));
                }
                using var x = new Activations(tokens, cols);
                for (int t = 0; t < tokens; t++)
                {
                    for (int c = 0; c < cols; c++)
                        x.Row(t)[c] = (mixed ? random.Next(2) : t & 1) == 0 ? 1f : -1f;
                    Scalar.Quantize(x, t, cols);
                }
                float[] expected = new float[tokens * rows], actual = new float[tokens * rows];
                Scalar.Gemm(new(w, x, tokens, 0, w.Groups, expected, rows));
                set.Gemm(new(w, x, tokens, 0, w.Groups, actual, rows));
                AssertSameBits(expected, actual, $"{format} mixed {mixed}");
            }
        }
    }

    [Fact]
    public void Gemm_Scalar_IsTheSumOfDequantizedProducts()
    {
        var random = new Random(2);
        foreach (BlockFormat format in BlockFormats.Written)
        {
            const int rows = 21, cols = 77;
            using AlignedBuffer<byte> data = RandomMatrix(random, format, rows, cols);
            var w = new PackedMatrix(format, rows, cols, data.View);
            using Activations x = RandomActivations(random, 1, cols);
            var y = new float[w.Groups * 8];
            Scalar.Gemm(new(w, x, 1, 0, w.Groups, y, y.Length));
            var row = new float[cols];
            for (int r = 0; r < rows; r++)
            {
                format.Info().DequantizeRow(w.Group(r / 8), r % 8, row);
                double sum = 0, magnitude = 0;
                for (int c = 0; c < cols; c++)
                {
                    double input = format.Info().HasScales ? x.Quants.Span[c] * (double)x.Scales.Span[c / 32] : x.Row(0)[c];
                    sum += row[c] * input;
                    magnitude += Math.Abs(row[c] * input);
                }
                Assert.Equal(sum, y[r], magnitude * 1e-5);
            }
            Assert.All(y[rows..], padding => Assert.Equal(0f, padding));
        }
    }

    [Theory]
    [MemberData(nameof(Sets))]
    public void VectorOperations_EveryLength_MatchScalar(string name)
    {
        KernelSet set = KernelRegistry.Select(name);
        var random = new Random(3);
        for (int length = 8; length <= 264; length += 8)
        {
            float[] x = Values(random, length, 3f), gain = Values(random, length, 1f), y0 = new float[length], y1 = new float[length];
            Scalar.RmsNorm(x, gain, length - 3, 1e-5f, y0);
            set.RmsNorm(x, gain, length - 3, 1e-5f, y1);
            AssertSameBits(y0, y1, $"RmsNorm {length}");

            float[] wide = Values(random, length, 60f);
            Scalar.SwiGlu(wide, x, y0);
            set.SwiGlu(wide, x, y1);
            AssertSameBits(y0, y1, $"SwiGlu {length}");
            foreach ((string operation, Action<KernelSet, float[]> run) in new (string, Action<KernelSet, float[]>)[]
            {
                ("Add", (k, y) => k.Add(x, y)), ("Multiply", (k, y) => k.Multiply(x, y)), ("Merge", (k, y) => k.Merge(x, 0.3f, y, 0.7f)), ("Divide", (k, y) => k.Divide(y, 1.7f)),
                ("LayerNorm", (k, y) => k.LayerNorm(y, gain, x, length, 1e-5f, y)), ("Silu", (k, y) => k.Silu(wide, y)), ("GeluTanh", (k, y) => k.GeluTanh(wide, y)), ("GeluErf", (k, y) => k.GeluErf(wide, y)),
            })
            {
                run(Scalar, y0);
                run(set, y1);
                AssertSameBits(y0, y1, $"{operation} {length}");
            }

            foreach (int count in new[] { length, length - 1, length - 7 })
            {
                byte[] mask = [.. Enumerable.Range(0, count).Select(_ => (byte)(random.Next(4) == 0 ? 0 : 1))];
                foreach (byte[] m in new[] { mask, [], new byte[count] })
                {
                    wide.CopyTo(y0, 0);
                    wide.CopyTo(y1, 0);
                    float sum0 = Scalar.Softmax(y0, count, m, 0.125f, out float max0), sum1 = set.Softmax(y1, count, m, 0.125f, out float max1);
                    AssertSameBits([sum0, max0], [sum1, max1], $"Softmax {count}");
                    AssertSameBits(y0[..count], y1[..count], $"Softmax {count}");
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Sets))]
    public void AddWeightedRows_MatchesScalar_AndSharingRowsChangesNothing(string name)
    {
        KernelSet set = KernelRegistry.Select(name);
        var random = new Random(4);
        foreach (int cols in new[] { 32, 64, 96, 128 })
        {
            foreach (int rows in new[] { 1, 2, 7, 100, 256 })
            {
                foreach (int queries in new[] { 1, 2, 3, 4, 6, 7, 8 })
                {
                    float[] p = Values(random, queries * rows, 1f), v = Values(random, rows * cols, 2f), sum = Values(random, queries * cols, 1f);
                    foreach (BlockFormat format in new[] { BlockFormat.F32, BlockFormat.F16 })
                    {
                        byte[] stored = format == BlockFormat.F32
                            ? MemoryMarshal.AsBytes(v.AsSpan()).ToArray()
                            : MemoryMarshal.AsBytes(v.Select(HalfBits.FromSingle).ToArray().AsSpan()).ToArray();
                        float[] s0 = [.. sum], s1 = [.. sum], alone = [.. sum];
                        Scalar.AddWeightedRows(p, rows, queries, rows, format == BlockFormat.F16, stored, cols, s0);
                        set.AddWeightedRows(p, rows, queries, rows, format == BlockFormat.F16, stored, cols, s1);
                        for (int q = 0; q < queries; q++)
                            set.AddWeightedRows(p.AsSpan(q * rows, rows), rows, 1, rows, format == BlockFormat.F16, stored, cols, alone.AsSpan(q * cols, cols));
                        AssertSameBits(s0, s1, $"{format} {queries} × {rows} × {cols}");
                        AssertSameBits(s0, alone, $"{format} one by one {queries} × {rows} × {cols}");
                    }
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Sets))]
    public void QuantizedValuesAndWeights_MatchScalar(string name)
    {
        KernelSet set = KernelRegistry.Select(name);
        var random = new Random(12);
        for (int length = 32; length <= 256; length += 32)
        {
            float[] x = Values(random, length, 1f), p = [.. x.Select(MathF.Abs)];
            ushort[] scales = [.. Values(random, length, 0.01f).Select(v => HalfBits.FromSingle(MathF.Abs(v)))];
            using var a0 = new Activations(2, length);
            using var a1 = new Activations(2, length);
            Scalar.QuantizeWeighted(p, scales, a0, 1);
            set.QuantizeWeighted(p, scales, a1, 1);
            Assert.Equal(a0.Quants.Span.ToArray(), a1.Quants.Span.ToArray());
            AssertSameBits(a0.Scales.Span.ToArray(), a1.Scales.Span.ToArray(), "scales");
            for (int i = 0; i < length; i++) // and they are what they should be
                Assert.InRange(a0.Quants.Span[length + i] * a0.Scales.Span[(length + i) / 32] - p[i] * HalfBits.ToSingle(scales[i]), -1e-4f, 1e-4f);

            sbyte[] q0 = new sbyte[length], q1 = new sbyte[length];
            foreach (float size in new[] { 1f, 0f, 1e-7f, 3e4f }) // a tiny scale is rounded by much: quants are clamped
            {
                float[] row = [.. x.Select(v => v * size)];
                ushort s0 = Scalar.QuantizeRow(row, q0);
                Assert.Equal(s0, set.QuantizeRow(row, q1));
                Assert.Equal(q0, q1);
                Assert.Equal(HalfBits.FromSingle(row.Max(MathF.Abs) / 127f), s0);
                float d = HalfBits.ToSingle(s0);
                for (int i = 0; i < length; i++)
                    Assert.InRange(q0[i] * d - row[i], -Math.Max(0.501f * d, 7e-7f), Math.Max(0.501f * d, 7e-7f));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Sets))]
    public void GemmNonNegative_IsGemm(string name) => AssertGemmNonNegativeIsGemm(KernelRegistry.Select(name));

    [Fact]
    public void GemmNonNegative_WithAvxVnniEmulated_IsGemm()
    {
        Assert.SkipUnless(Avx2.IsSupported, "this processor has no AVX2");
        AssertGemmNonNegativeIsGemm(new Avx2Kernels<EmulatedVnniDot>());
    }

    private static void AssertGemmNonNegativeIsGemm(KernelSet set)
    {
        var random = new Random(13);
        foreach ((int rows, int cols, int tokens) in new[] { (64, 256, 8), (64, 32, 1), (40, 96, 5), (24, 160, 3), (24, 160, 19) })
        {
            using var bytes = new AlignedBuffer<byte>(BlockFormat.Q8_0.Info().MatrixBytes(rows, cols));
            var matrix = new PackedMatrix(BlockFormat.Q8_0, rows, cols, bytes.View);
            for (int i = 0; i < bytes.Span.Length; i++)
                bytes.Span[i] = (byte)(sbyte)random.Next(-127, 128);
            for (int g = 0; g < matrix.Groups; g++)
                MemoryMarshal.Cast<byte, ushort>(bytes.Span[(int)(g * matrix.GroupBytes + matrix.ScalesOffset)..(int)((g + 1) * matrix.GroupBytes)]).Fill(HalfBits.FromSingle(1f));
            using var x = new Activations(tokens, cols);
            for (int t = 0; t < tokens; t++)
            {
                float[] p = [.. Values(random, cols, 1f).Select(MathF.Abs)];
                p.CopyTo(x.Row(t));
                Scalar.Quantize(x, t, cols);
            }
            float[] y0 = new float[tokens * rows], y1 = new float[tokens * rows];
            Scalar.Gemm(new(matrix, x, tokens, 0, matrix.Groups, y0, rows));
            set.Gemm(new(matrix, x, tokens, 0, matrix.Groups, y1, rows) { NonNegative = true });
            AssertSameBits(y0, y1, $"{rows} × {cols} × {tokens}");
        }
    }

    [Theory]
    [MemberData(nameof(Sets))]
    public void Quantize_MatchesScalar_AndStaysWithinHalfAStep(string name)
    {
        KernelSet set = KernelRegistry.Select(name);
        var random = new Random(5);
        foreach (float size in new[] { 1e-38f, 1e-20f, 1e-3f, 1f, 1e6f, 0f })
        {
            using var a = new Activations(1, 100);
            using var b = new Activations(1, 100);
            Values(random, 100, size).CopyTo(a.Row(0));
            a.Row(0).CopyTo(b.Row(0));
            Scalar.Quantize(a, 0, 100);
            set.Quantize(b, 0, 100);
            Assert.True(a.Quants.Span.SequenceEqual(b.Quants.Span));
            Assert.True(a.Offsets.Span.SequenceEqual(b.Offsets.Span));
            AssertSameBits(a.Scales.Span.ToArray(), b.Scales.Span.ToArray(), "scales");
            for (int i = 0; i < 128; i++)
                Assert.InRange(Math.Abs(a.Row(0)[i] - a.Quants.Span[i] * (double)a.Scales.Span[i / 32]), 0, a.Scales.Span[i / 32] * 0.50001 + 1e-34);
        }
    }

    [Theory]
    [MemberData(nameof(Sets))]
    public void Halves_EveryPattern_RoundTrip(string name)
    {
        KernelSet set = KernelRegistry.Select(name);
        var values = new List<float>();
        for (int bits = 0; bits < 65536; bits++)
        {
            if ((bits & 0x7C00) == 0x7C00)
                continue; // infinities and not-a-numbers are no stored values
            Half half = BitConverter.UInt16BitsToHalf((ushort)bits);
            Assert.Equal((float)half, HalfBits.ToSingle((ushort)bits));
            values.Add((float)half);
        }
        var random = new Random(6);
        for (int i = 0; i < 100_000; i++)
        {
            float v = BitConverter.UInt32BitsToSingle((uint)random.NextInt64(1L << 32));
            values.Add(float.IsFinite(v) && Math.Abs(v) < 65519f ? v : 0.5f);
            values.Add((float)(Math.Pow(2, random.Next(-26, 15)) * (random.NextDouble() - 0.5)));
        }
        while (values.Count % 8 != 0)
            values.Add(0f);
        var actual = new ushort[values.Count];
        set.ToHalf(values.ToArray(), actual);
        for (int i = 0; i < actual.Length; i++)
            Assert.Equal(BitConverter.HalfToUInt16Bits((Half)values[i]), actual[i]);
    }

    [Fact]
    public void Exp_IsWithinTwoUnitsInTheLastPlace()
    {
        var scalar = new ScalarFloat8();
        for (double x = -85.9; x < 87.9; x += 0.0137)
        {
            scalar[0] = (float)x;
            double expected = Math.Exp((float)x);
            Assert.Equal(expected, VectorKernels<ScalarFloat8>.Exp(scalar)[0], expected * 2.4e-7);
        }
        Assert.Equal(1f, VectorKernels<ScalarFloat8>.Exp(default)[0]);
    }

    [Fact]
    public void PortableMath_AgreesWithTheLibrary()
    {
        for (double x = -700; x < 700; x += 0.731)
            Assert.Equal(Math.Exp(x), PortableMath.Exp(x), Math.Exp(x) * 1e-15);
        for (double x = 1e-9; x < 1e12; x *= 1.37)
            Assert.Equal(Math.Log(x), PortableMath.Log(x), 1e-14 * Math.Max(1, Math.Abs(Math.Log(x))));
        for (double x = 0; x < 1e7; x = x * 1.01 + 0.01)
        {
            (double sin, double cos) = PortableMath.SinCos(x);
            Assert.Equal(Math.Sin(x), sin, 2e-15);
            Assert.Equal(Math.Cos(x), cos, 2e-15);
        }
    }

    private static AlignedBuffer<byte> RandomMatrix(Random random, BlockFormat format, int rows, int cols)
    {
        var buffer = new AlignedBuffer<byte>(format.Info().MatrixBytes(rows, cols));
        int rowBytes = (int)format.Info().RowBytes(cols), groupBytes = (int)format.Info().GroupBytes(cols);
        var plain = new byte[8 * rowBytes];
        for (int group = 0; group < PackedLayout.RowGroups(rows); group++)
        {
            int count = Math.Min(8, rows - group * 8);
            for (int r = 0; r < count; r++)
                format.Info().EncodeRow(Values(random, cols, 0.5f)[..cols], plain.AsSpan(r * rowBytes, rowBytes));
            if (format == BlockFormat.Q8_0)
                plain[2] = 0x80; // -128 does not come from our encoder, but may stand in a file
            format.Info().PackGroup(plain, count, cols, buffer.Slice((long)group * groupBytes, groupBytes));
        }
        return buffer;
    }

    private static Activations RandomActivations(Random random, int tokens, int cols)
    {
        var x = new Activations(tokens, cols);
        for (int t = 0; t < tokens; t++)
        {
            Values(random, cols, 2f).CopyTo(x.Row(t));
            Scalar.Quantize(x, t, cols);
        }
        return x;
    }

    private static float[] Values(Random random, int count, float size) =>
        [.. Enumerable.Range(0, count).Select(_ => (float)(random.NextDouble() * 2 - 1) * size)];

    private static void AssertSameBits(float[] expected, float[] actual, string what)
    {
        for (int i = 0; i < expected.Length; i++)
        {
            if (BitConverter.SingleToInt32Bits(expected[i]) != BitConverter.SingleToInt32Bits(actual[i]))
                Assert.Fail($"{what}: element {i} is {actual[i]:R}, scalar gives {expected[i]:R}");
        }
    }
}
