using System.Runtime.CompilerServices;

namespace QedEdge.Kernels;

/// <summary>Eight variables: the plain meaning of <see cref="IFloat8{TSelf}"/>, for machines without vectors and for tests.</summary>
[InlineArray(8)]
internal struct ScalarFloat8 : IFloat8<ScalarFloat8>
{
    private float _lane;

    public static ScalarFloat8 Load(ref readonly float x, nint i)
    {
        ScalarFloat8 r = default;
        for (int k = 0; k < 8; k++)
            r[k] = Unsafe.Add(ref Unsafe.AsRef(in x), i + k);
        return r;
    }

    public static void Store(ScalarFloat8 v, ref float y, nint i)
    {
        for (int k = 0; k < 8; k++)
            Unsafe.Add(ref y, i + k) = v[k];
    }

    public static ScalarFloat8 LoadHalf(ref readonly ushort x, nint i)
    {
        ScalarFloat8 r = default;
        for (int k = 0; k < 8; k++)
            r[k] = HalfBits.ToSingle(Unsafe.Add(ref Unsafe.AsRef(in x), i + k));
        return r;
    }

    public static ScalarFloat8 LoadHalfUnscaled(ref readonly ushort x, nint i)
    {
        ScalarFloat8 r = default;
        for (int k = 0; k < 8; k++)
            r[k] = HalfBits.Unscaled(Unsafe.Add(ref Unsafe.AsRef(in x), i + k));
        return r;
    }

    public static void StoreHalf(ScalarFloat8 v, ref ushort y, nint i)
    {
        for (int k = 0; k < 8; k++)
            Unsafe.Add(ref y, i + k) = HalfBits.FromSingle(v[k]);
    }

    public static int StoreInt8(ScalarFloat8 v0, ScalarFloat8 v1, ScalarFloat8 v2, ScalarFloat8 v3, ref sbyte y, nint i)
    {
        Span<int> sums = [0, 0];
        for (int k = 0; k < 8; k++)
        {
            ReadOnlySpan<float> lanes = [v0[k], v1[k], v2[k], v3[k]];
            for (int j = 0; j < 4; j++)
            {
                int rounded = (int)MathF.Round(lanes[j], MidpointRounding.ToEven);
                Unsafe.Add(ref y, i + 8 * j + k) = (sbyte)rounded;
                sums[k % 4 / 2] += rounded;
            }
        }
        return (sums[0] & 0xFFFF) | (sums[1] << 16);
    }

    public static void Prefetch(ref readonly byte address)
    {
    }

    public static ScalarFloat8 Broadcast(float x)
    {
        ScalarFloat8 r = default;
        for (int k = 0; k < 8; k++)
            r[k] = x;
        return r;
    }

    public static ScalarFloat8 Add(ScalarFloat8 a, ScalarFloat8 b)
    {
        for (int k = 0; k < 8; k++)
            a[k] += b[k];
        return a;
    }

    public static ScalarFloat8 Subtract(ScalarFloat8 a, ScalarFloat8 b)
    {
        for (int k = 0; k < 8; k++)
            a[k] -= b[k];
        return a;
    }

    public static ScalarFloat8 Multiply(ScalarFloat8 a, ScalarFloat8 b)
    {
        for (int k = 0; k < 8; k++)
            a[k] *= b[k];
        return a;
    }

    public static ScalarFloat8 Divide(ScalarFloat8 a, ScalarFloat8 b)
    {
        for (int k = 0; k < 8; k++)
            a[k] /= b[k];
        return a;
    }

    public static ScalarFloat8 Fma(ScalarFloat8 a, ScalarFloat8 b, ScalarFloat8 c)
    {
        for (int k = 0; k < 8; k++)
            a[k] = MathF.FusedMultiplyAdd(a[k], b[k], c[k]);
        return a;
    }

    public static ScalarFloat8 Max(ScalarFloat8 a, ScalarFloat8 b)
    {
        for (int k = 0; k < 8; k++)
            a[k] = a[k] > b[k] ? a[k] : b[k];
        return a;
    }

    public static ScalarFloat8 Min(ScalarFloat8 a, ScalarFloat8 b)
    {
        for (int k = 0; k < 8; k++)
            a[k] = a[k] < b[k] ? a[k] : b[k];
        return a;
    }

    public static ScalarFloat8 Abs(ScalarFloat8 v)
    {
        for (int k = 0; k < 8; k++)
            v[k] = MathF.Abs(v[k]);
        return v;
    }

    public static ScalarFloat8 ZeroWhereLess(ScalarFloat8 v, ScalarFloat8 x, ScalarFloat8 bound)
    {
        for (int k = 0; k < 8; k++)
            v[k] = x[k] < bound[k] ? 0f : v[k];
        return v;
    }

    public static ScalarFloat8 Round(ScalarFloat8 v)
    {
        for (int k = 0; k < 8; k++)
            v[k] = MathF.Round(v[k], MidpointRounding.ToEven);
        return v;
    }

    public static ScalarFloat8 ScaleByPowerOfTwo(ScalarFloat8 v, ScalarFloat8 n)
    {
        for (int k = 0; k < 8; k++)
            v[k] = BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(v[k]) + ((int)n[k] << 23));
        return v;
    }

    public static float Sum(ScalarFloat8 v) => ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));

    public static float MaxAcross(ScalarFloat8 v)
    {
        float max = v[0];
        for (int k = 1; k < 8; k++)
            max = v[k] > max ? v[k] : max;
        return max;
    }

    public static ScalarFloat8 LargerMagnitude(ScalarFloat8 a, ScalarFloat8 b)
    {
        for (int k = 0; k < 8; k++)
            a[k] = Larger(a[k], b[k]);
        return a;
    }

    public static float MagnitudeAcross(ScalarFloat8 v)
    {
        float most = v[0];
        for (int k = 1; k < 8; k++)
            most = Larger(most, v[k]);
        return most;
    }

    private static float Larger(float a, float b) => BitConverter.SingleToInt32Bits(a) > BitConverter.SingleToInt32Bits(b) ? a : b;
}
