using QedEdge.Architectures;
using QedEdge.Kernels;
using QedEdge.Tests.Model;

namespace QedEdge.Tests.Kernels;

/// <summary>Activations and norms against float64, on the scalar set: that all sets give its bits is what <see cref="KnownAnswerTests"/> and <see cref="KernelParityTests"/> say.</summary>
public sealed class KernelAccuracyTests
{
    private static readonly ScalarKernels Kernels = new();

    /// <summary>
    /// The error in units of the input's last place: where the result is as large as the input that is its own last place, and where it dies away towards −∞ no more
    /// than the rounding of a value beside the input. Measured: SiLU 1.40, GELU in its tanh form 1.41, GELU 2.48.
    /// </summary>
    [Theory]
    [InlineData(Activation.Silu, 1.5)]
    [InlineData(Activation.GeluTanh, 1.5)]
    [InlineData(Activation.GeluErf, 2.5)]
    internal void Activation_IsNearFloat64(Activation activation, double most)
    {
        const int Count = 1 << 16;
        float[] x = [.. Enumerable.Range(0, Count).Select(i => i < Count / 2 ? (i - Count / 4) * (16f / (Count / 4)) : MathF.ScaleB(1 + i % 1024 / 1024f, i / 1024 % 32 - 27) * (i % 2 == 0 ? 1 : -1))];
        var y = new float[Count];
        switch (activation)
        {
            case Activation.Silu: Kernels.Silu(x, y); break;
            case Activation.GeluTanh: Kernels.GeluTanh(x, y); break;
            default: Kernels.GeluErf(x, y); break;
        }
        Func<double, double> exact = ReferenceMath.Of(activation);
        double worst = 0;
        for (int i = 0; i < Count; i++)
            worst = Math.Max(worst, Math.Abs(y[i] - exact(x[i])) / (MathF.BitIncrement(MathF.Abs(x[i])) - (double)MathF.Abs(x[i])));
        Assert.InRange(worst, 0, most);
    }

    /// <summary>Of values around a mean up to 64 times as large as they spread: what the mean's rounding costs grows with it.</summary>
    [Fact]
    public void LayerNorm_IsNearFloat64_AndItsPaddingZero()
    {
        var random = new Random(17);
        foreach (int size in new[] { 1, 2, 7, 8, 31, 32, 33, 93, 576, 1000 })
        {
            foreach (float mean in new[] { 0f, -3f, 64f })
            {
                int padded = (size + 31) / 32 * 32;
                float[] x = Values(mean, 1f), gain = Values(1f, 0.5f), bias = Values(0f, 1f), y = new float[padded];
                Array.Fill(y, 7f);
                Kernels.LayerNorm(x, gain, bias, size, 1e-5f, y);
                double[] expected = new ReferenceWeights.Scaling(NormKind.Layer, 1e-5, Widened(gain), Widened(bias)).Of(Widened(x));
                for (int i = 0; i < size; i++)
                    Assert.Equal(expected[i], y[i], 6e-7 * (1 + Math.Abs(mean)));
                Assert.All(y[size..], padding => Assert.Equal(0, BitConverter.SingleToInt32Bits(padding)));

                float[] Values(float middle, float spread) => [.. Enumerable.Range(0, padded).Select(i => i < size ? middle + (float)(random.NextDouble() * 2 - 1) * spread : 0f)];
                double[] Widened(float[] values) => [.. values.Take(size).Select(v => (double)v)];
            }
        }
    }

    [Fact]
    public void TheReferencesErrorFunction_HasItsTabulatedValues() // Abramowitz and Stegun, table 7.1
    {
        foreach ((double x, double value) in new[] { (0.0, 0.0), (0.5, 0.5204998778), (1.0, 0.8427007929), (1.5, 0.9661051465), (2.0, 0.9953222650), (-1.0, -0.8427007929), (7.0, 1.0) })
            Assert.Equal(value, ReferenceMath.Erf(x), 1e-10);
    }
}
