using QedEdge.Conversion.Calibration;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Tests.Conversion.Calibration;

/// <summary>The linear algebra of calibration against its definitions, and that error feedback lessens the error it is for.</summary>
public sealed class ErrorFeedbackTests
{
    private const int Width = 96;

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Covariance_IsTheSumOfProducts(int threads)
    {
        (float[] x, float[] y) = (Inputs(1, 70), Inputs(2, 70));
        var symmetric = new Covariance(Width);
        var cross = new Covariance(Width);
        foreach ((int begin, int count) in new[] { (0, 33), (33, 37) })
        {
            ReadOnlySpan<float> a = x.AsSpan(begin * Width, count * Width), b = y.AsSpan(begin * Width, count * Width);
            symmetric.Add(a, a, count, threads);
            cross.Add(b, a, count, threads);
        }
        symmetric.Mirror();
        for (int i = 0; i < Width; i++)
        {
            for (int j = 0; j < Width; j++)
            {
                double square = 0, product = 0;
                for (int t = 0; t < 70; t++)
                {
                    square += (double)x[t * Width + i] * x[t * Width + j];
                    product += (double)y[t * Width + i] * x[t * Width + j];
                }
                Assert.Equal(square, symmetric.Sums[i * Width + j]); // products are exact and in order: to the bit
                Assert.Equal(product, cross.Sums[i * Width + j]);
            }
        }
    }

    [Fact]
    public void Factor_GivesTheInverse()
    {
        InputStatistics inputs = Statistics(3);
        for (int i = 0; i < Width; i++)
        {
            for (int j = 0; j < Width; j++)
            {
                double sum = 0; // (Uᵀ U H)[i, j]
                for (int k = 0; k < Width; k++)
                {
                    double inverse = 0;
                    for (int m = 0; m < Width; m++)
                        inverse += inputs.Factor[m * Width + i] * inputs.Factor[m * Width + k];
                    sum += inverse * inputs.H[k * Width + j];
                }
                Assert.Equal(i == j ? 1 : 0, sum, 1e-8);
                if (j < i)
                    Assert.Equal(0, inputs.Factor[i * Width + j]);
            }
        }
    }

    [Fact]
    public void Target_IsTheRowItself_WhereInputsAreThoseOfTheFloatModel()
    {
        (Covariance h, float[] x) = Sums(4);
        var same = new Covariance(Width);
        same.Add(x, x, x.Length / Width, 1);
        same.Mirror();
        var inputs = new InputStatistics(h, same, 2);
        double[] w = [.. Row(5).Select(static v => (double)v)], target = new double[Width];
        inputs.Target(w, target);
        for (int i = 0; i < Width; i++)
            Assert.Equal(w[i], target[i], 1e-9);
    }

    [Fact]
    public void Target_IsBestForWhatTheFloatModelHas()
    {
        float[] x = Inputs(6, 400), exact = [.. x.Select(static (v, i) => v + 0.1f * MathF.Sin(i))];
        var h = new Covariance(Width);
        h.Add(x, x, 400, 1);
        var cross = new Covariance(Width);
        cross.Add(exact, x, 400, 1);
        var inputs = new InputStatistics(h, cross, 1);
        double[] w = [.. Row(7).Select(static v => (double)v)], target = new double[Width];
        inputs.Target(w, target);
        double least = Error(target);
        Assert.True(least < 0.98 * Error(w), $"{least} {Error(w)}");
        for (int i = 0; i < Width; i += 7)
        {
            double[] moved = [.. target];
            moved[i] += 0.01;
            Assert.True(Error(moved) > 0.999 * least); // damping moves the optimum a little
        }

        double Error(double[] t)
        {
            double error = 0;
            for (int token = 0; token < 400; token++)
            {
                double difference = 0;
                for (int i = 0; i < Width; i++)
                    difference += w[i] * exact[token * Width + i] - t[i] * x[token * Width + i];
                error += difference * difference;
            }
            return error;
        }
    }

    [Theory]
    [InlineData(nameof(BlockFormat.Q4_0), 0.75)]
    [InlineData(nameof(BlockFormat.IQ4_NL), 0.75)]
    [InlineData(nameof(BlockFormat.Q8_0), 0.9)]
    public void Encode_LessensTheErrorOfWhatIsComputed(string format, double most)
    {
        BlockFormat type = Enum.Parse<BlockFormat>(format);
        InputStatistics inputs = Statistics(8);
        var feedback = new ErrorFeedback(inputs, type);
        var plain = new byte[type.Info().RowBytes(Width)];
        var decoded = new float[Width];
        double plainError = 0, error = 0;
        for (int row = 0; row < 24; row++)
        {
            float[] w = Row(100 + row);
            type.Info().EncodeRow(w, plain, QuantizationMethod.Search, inputs.Diagonal());
            plainError += Loss(plain);
            Assert.True(feedback.Encode(w, plain));
            error += Loss(plain);

            double Loss(byte[] encoded)
            {
                type.Info().DecodeRow(encoded, decoded);
                double loss = 0;
                for (int i = 0; i < Width; i++)
                {
                    for (int j = 0; j < Width; j++)
                        loss += (double)(w[i] - decoded[i]) * inputs.H[i * Width + j] * (w[j] - decoded[j]);
                }
                return loss;
            }
        }
        Assert.True(error < most * plainError, $"{error} {plainError}");
    }

    [Fact]
    public void Encode_RowsOfZeros_AndTooLargeOnes()
    {
        foreach (BlockFormat format in (BlockFormat[])[BlockFormat.Q4_0, BlockFormat.IQ4_NL, BlockFormat.Q8_0])
        {
            var feedback = new ErrorFeedback(Statistics(9), format);
            var plain = new byte[format.Info().RowBytes(Width)];
            var decoded = new float[Width];
            Assert.True(feedback.Encode(new float[Width], plain));
            format.Info().DecodeRow(plain, decoded);
            Assert.All(decoded, static value => Assert.Equal(0, value));
            float[] large = Row(10);
            large[40] = 1e30f;
            Assert.False(feedback.Encode(large, plain));
        }
    }

    [Fact]
    public void Inputs_ThatAreAlwaysZero_DoNotStandInTheWay()
    {
        var feedback = new ErrorFeedback(new InputStatistics(new Covariance(Width), new Covariance(Width), 1), BlockFormat.Q8_0);
        var plain = new byte[BlockFormat.Q8_0.Info().RowBytes(Width)];
        float[] w = Row(11), decoded = new float[Width];
        Assert.True(feedback.Encode(w, plain));
        BlockFormat.Q8_0.Info().DecodeRow(plain, decoded);
        for (int i = 0; i < Width; i++)
            Assert.Equal(w[i], decoded[i], 0.02);
    }

    private static InputStatistics Statistics(int seed)
    {
        (Covariance h, _) = Sums(seed);
        return new InputStatistics(h, null, 2);
    }

    private static (Covariance H, float[] X) Sums(int seed)
    {
        float[] x = Inputs(seed, 400);
        var h = new Covariance(Width);
        h.Add(x, x, 400, 2);
        return (h, x);
    }

    /// <summary>Inputs that depend on each other, as a network's do.</summary>
    private static float[] Inputs(int seed, int tokens)
    {
        var random = new Random(seed);
        var mix = new float[Width * 12];
        foreach (ref float value in mix.AsSpan())
            value = Normal(random);
        var x = new float[tokens * Width];
        for (int t = 0; t < tokens; t++)
        {
            float[] hidden = [.. Enumerable.Range(0, 12).Select(_ => Normal(random))];
            for (int i = 0; i < Width; i++)
                x[t * Width + i] = hidden.Select((h, k) => h * mix[i * 12 + k]).Sum() + 0.5f * Normal(random);
        }
        return x;
    }

    private static float[] Row(int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, Width).Select(_ => Normal(random))];
    }

    private static float Normal(Random random) => (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
}
