using System.Numerics;
using System.Runtime.InteropServices;

namespace QedEdge.Conversion.Calibration;

/// <summary>Steps of linear algebra on rows in double precision. Each element has its own sum and no product is fused, so a result does not depend on the vectors' width.</summary>
internal static class Rows
{
    /// <summary>y = y + factor · x.</summary>
    public static void Add(double factor, ReadOnlySpan<double> x, Span<double> y)
    {
        y = y[..x.Length];
        var vx = MemoryMarshal.Cast<double, Vector<double>>(x);
        var vy = MemoryMarshal.Cast<double, Vector<double>>(y);
        for (int i = 0; i < vx.Length; i++)
            vy[i] += vx[i] * factor;
        for (int i = vx.Length * Vector<double>.Count; i < x.Length; i++)
            y[i] += x[i] * factor;
    }

    /// <summary>y = x M for a square matrix M, row by row.</summary>
    public static void Multiply(ReadOnlySpan<double> x, ReadOnlySpan<double> m, Span<double> y)
    {
        y.Clear();
        for (int k = 0; k < x.Length; k++)
        {
            if (x[k] != 0)
                Add(x[k], m.Slice(k * y.Length, y.Length), y);
        }
    }
}
