namespace QedEdge.Kernels;

/// <summary>
/// exp, log, sine and cosine in double precision from correctly rounded operations alone: the C library's differ from platform
/// to platform in the last bits, these do not. Relative error below 1e-15.
/// </summary>
internal static class PortableMath
{
    private const double Ln2High = 6.93147180369123816490e-01;   // ln 2 to 32 bits, so that n · Ln2High is exact
    private const double Ln2Low = 1.90821492927058770002e-10;
    private const double HalfPiHigh = 1.57079632679489655800e+00;
    private const double HalfPiLow = 6.12323399573676603587e-17;

    /// <summary>e^x; 0 below −708 and infinity above 709.</summary>
    public static double Exp(double x)
    {
        if (!(x > -708.0))
            return double.IsNaN(x) ? x : 0.0;
        if (x > 709.0)
            return double.PositiveInfinity;
        double n = Math.Round(x * (1.0 / 0.693147180559945309417), MidpointRounding.ToEven);
        double r = Math.FusedMultiplyAdd(-n, Ln2High, x);
        r = Math.FusedMultiplyAdd(-n, Ln2Low, r);
        // Taylor: |r| <= ln2/2, the first term left out is r^15/15! < 1e-19.
        double sum = 1.0;
        for (int k = 14; k >= 1; k--)
            sum = Math.FusedMultiplyAdd(sum, r / k, 1.0);
        return Math.ScaleB(sum, (int)n);
    }

    /// <summary>The natural logarithm of a positive, normal x.</summary>
    public static double Log(double x)
    {
        long bits = BitConverter.DoubleToInt64Bits(x);
        int exponent = (int)(bits >> 52) - 1023;
        double m = BitConverter.Int64BitsToDouble((bits & 0x000F_FFFF_FFFF_FFFF) | 0x3FF0_0000_0000_0000);
        if (m > 1.4142135623730951)
        {
            m *= 0.5;
            exponent++;
        }
        // log m = 2 artanh(z), z = (m-1)/(m+1), |z| <= 0.172: z^25 < 1e-19.
        double z = (m - 1.0) / (m + 1.0);
        double square = z * z;
        double sum = 0.0;
        for (int k = 23; k >= 1; k -= 2)
            sum = Math.FusedMultiplyAdd(sum, square, 1.0 / k);
        return Math.FusedMultiplyAdd(exponent, Ln2High, Math.FusedMultiplyAdd(exponent, Ln2Low, 2.0 * z * sum));
    }

    /// <summary>Sine and cosine of an angle in radians, |angle| up to 10^9.</summary>
    public static (double Sin, double Cos) SinCos(double angle)
    {
        double n = Math.Round(angle * (2.0 / 3.14159265358979323846), MidpointRounding.ToEven);
        double r = Math.FusedMultiplyAdd(-n, HalfPiHigh, angle);
        r = Math.FusedMultiplyAdd(-n, HalfPiLow, r);
        // Taylor on |r| <= pi/4: the first terms left out are below 1e-17.
        double square = r * r;
        double sin = 1.0;
        for (int k = 16; k >= 2; k -= 2)
            sin = Math.FusedMultiplyAdd(sin, -square / (k * (k + 1)), 1.0);
        sin *= r;
        double cos = 1.0;
        for (int k = 17; k >= 1; k -= 2)
            cos = Math.FusedMultiplyAdd(cos, -square / (k * (k + 1)), 1.0);
        return ((long)n & 3) switch
        {
            0 => (sin, cos),
            1 => (cos, -sin),
            2 => (-sin, -cos),
            _ => (-cos, sin),
        };
    }
}
