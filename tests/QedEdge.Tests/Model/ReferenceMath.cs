using QedEdge.Architectures;

namespace QedEdge.Tests.Model;

/// <summary>The activations in float64.</summary>
internal static class ReferenceMath
{
    public static Func<double, double> Of(Activation activation) => activation switch
    {
        Activation.Silu => Silu,
        Activation.GeluTanh => GeluTanh,
        Activation.GeluErf => GeluErf,
        _ => throw new ArgumentOutOfRangeException(nameof(activation)),
    };

    public static double Silu(double x) => x / (1 + Math.Exp(-x));

    public static double GeluTanh(double x) => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));

    public static double GeluErf(double x) => 0.5 * x * (1 + Erf(x / Math.Sqrt(2)));

    /// <summary>2x/√π · e^(−x²) · Σ (2x²)^n / (1 · 3 · … · (2n + 1)): no term is negative, so nothing cancels.</summary>
    public static double Erf(double x)
    {
        if (Math.Abs(x) > 6)
            return Math.Sign(x);
        double term = 1, sum = 1;
        for (int n = 1; term > sum * 1e-17; n++)
            sum += term *= 2 * x * x / (2 * n + 1);
        return 2 * x / Math.Sqrt(Math.PI) * Math.Exp(-x * x) * sum;
    }
}
