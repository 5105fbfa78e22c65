namespace QedEdge.Kernels;

/// <summary>
/// Eight float lanes: what the vector operations of <see cref="VectorKernels{V}"/> are written in. Every member is one correctly
/// rounded IEEE operation per lane, so that an algorithm gives the same bits whichever type carries the lanes.
/// </summary>
/// <typeparam name="TSelf">The carrying type: one register, two, or eight variables.</typeparam>
internal interface IFloat8<TSelf> where TSelf : struct, IFloat8<TSelf>
{
    /// <summary>Lanes 0..7 = x[i..i+7].</summary>
    static abstract TSelf Load(ref readonly float x, nint i);

    /// <summary>y[i..i+7] = lanes.</summary>
    static abstract void Store(TSelf v, ref float y, nint i);

    /// <summary>Eight halves, widened exactly. The pattern of infinity reads as 65536: stored values are finite.</summary>
    static abstract TSelf LoadHalf(ref readonly ushort x, nint i);

    /// <summary>Eight halves times 2^−112: their bits in a float's place, one multiplication short of <see cref="LoadHalf"/>.</summary>
    static abstract TSelf LoadHalfUnscaled(ref readonly ushort x, nint i);

    /// <summary>Eight halves, rounded to nearest even; beyond the range of half the largest pattern reads back as 65536.</summary>
    static abstract void StoreHalf(TSelf v, ref ushort y, nint i);

    /// <summary>
    /// 32 lanes within −127..127 as signed bytes, rounded to nearest even; returns the bytes' sums as two int16, lanes 0 and 1 of each four in
    /// the lower, lanes 2 and 3 in the upper.
    /// </summary>
    static abstract int StoreInt8(TSelf v0, TSelf v1, TSelf v2, TSelf v3, ref sbyte y, nint i);

    /// <summary>Asks for the cache line at an address that need not exist; a hint that may do nothing.</summary>
    static abstract void Prefetch(ref readonly byte address);

    /// <summary>The same value in every lane.</summary>
    static abstract TSelf Broadcast(float x);

    /// <summary>a + b</summary>
    static abstract TSelf Add(TSelf a, TSelf b);

    /// <summary>a − b</summary>
    static abstract TSelf Subtract(TSelf a, TSelf b);

    /// <summary>a · b</summary>
    static abstract TSelf Multiply(TSelf a, TSelf b);

    /// <summary>a / b</summary>
    static abstract TSelf Divide(TSelf a, TSelf b);

    /// <summary>a · b + c with one rounding.</summary>
    static abstract TSelf Fma(TSelf a, TSelf b, TSelf c);

    /// <summary>The larger of each pair; <paramref name="b"/> where it is not a number.</summary>
    static abstract TSelf Max(TSelf a, TSelf b);

    /// <summary>The smaller of each pair; <paramref name="b"/> where it is not a number.</summary>
    static abstract TSelf Min(TSelf a, TSelf b);

    /// <summary>|v|</summary>
    static abstract TSelf Abs(TSelf v);

    /// <summary>v, or 0 where x &lt; bound.</summary>
    static abstract TSelf ZeroWhereLess(TSelf v, TSelf x, TSelf bound);

    /// <summary>Nearest integer, ties to even.</summary>
    static abstract TSelf Round(TSelf v);

    /// <summary>v · 2^n for integral n; the result must be a normal number.</summary>
    static abstract TSelf ScaleByPowerOfTwo(TSelf v, TSelf n);

    /// <summary>((0+4)+(2+6)) + ((1+5)+(3+7)): halves folded onto each other, the order two-register machines can follow.</summary>
    static abstract float Sum(TSelf v);

    /// <summary>The largest lane; lanes are numbers.</summary>
    static abstract float MaxAcross(TSelf v);

    /// <summary>The larger of each pair of magnitudes (no sign bit) by their bits as integers: not-a-number is above infinity, and so never lost.</summary>
    static abstract TSelf LargerMagnitude(TSelf a, TSelf b);

    /// <summary>The largest lane in the order of <see cref="LargerMagnitude"/>.</summary>
    static abstract float MagnitudeAcross(TSelf v);
}
