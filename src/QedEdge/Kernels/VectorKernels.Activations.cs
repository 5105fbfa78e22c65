using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace QedEdge.Kernels;

/// <content>Activations, and e^x that they and softmax are made of.</content>
internal abstract partial class VectorKernels<V>
{
    /// <summary>Where e^x ends, close to the smallest normal number.</summary>
    private const float LeastExponent = -86f;

    /// <inheritdoc/>
    public override void SwiGlu(ReadOnlySpan<float> gate, ReadOnlySpan<float> up, Span<float> y)
    {
        ref float pg = ref MemoryMarshal.GetReference(gate);
        ref float pu = ref MemoryMarshal.GetReference(up[..gate.Length]);
        ref float py = ref MemoryMarshal.GetReference(y[..gate.Length]);
        V one = V.Broadcast(1f), zero = V.Broadcast(0f);
        for (nint i = 0; i < gate.Length; i += Lanes)
        {
            V g = V.Load(ref pg, i);
            V silu = V.Divide(g, V.Add(one, Exp(V.Subtract(zero, g))));
            V.Store(V.Multiply(silu, V.Load(ref pu, i)), ref py, i);
        }
    }

    /// <inheritdoc/>
    public override void Silu(ReadOnlySpan<float> x, Span<float> y)
    {
        ref float px = ref MemoryMarshal.GetReference(x);
        ref float py = ref MemoryMarshal.GetReference(y[..x.Length]);
        V one = V.Broadcast(1f), zero = V.Broadcast(0f);
        for (nint i = 0; i < x.Length; i += Lanes)
        {
            V v = V.Load(ref px, i);
            V.Store(V.Divide(v, V.Add(one, Exp(V.Subtract(zero, v)))), ref py, i);
        }
    }

    /// <inheritdoc/>
    public override void GeluTanh(ReadOnlySpan<float> x, Span<float> y)
    {
        ref float px = ref MemoryMarshal.GetReference(x);
        ref float py = ref MemoryMarshal.GetReference(y[..x.Length]);
        V one = V.Broadcast(1f);
        for (nint i = 0; i < x.Length; i += Lanes)
        {
            // (1 + tanh u) / 2 = 1 / (1 + e^(−2u)), 2u = x (c + 0.044715 c x²) with c = 2 √(2/π).
            V v = V.Load(ref px, i);
            V minus = V.Multiply(v, V.Fma(V.Multiply(v, v), V.Broadcast(-0.0713548163f), V.Broadcast(-1.59576912f)));
            V.Store(V.Divide(v, V.Add(one, Exp(minus))), ref py, i);
        }
    }

    /// <inheritdoc/>
    public override void GeluErf(ReadOnlySpan<float> x, Span<float> y)
    {
        ref float px = ref MemoryMarshal.GetReference(x);
        ref float py = ref MemoryMarshal.GetReference(y[..x.Length]);
        V one = V.Broadcast(1f), half = V.Broadcast(0.5f);
        for (nint i = 0; i < x.Length; i += Lanes)
        {
            // erfc(z) = e^(−z²) t P(t), t = 1 / (1 + 0.45 z), z = |x| / √2; P fitted to 8e-10 of x erfc(z) / 2, so that rounding decides.
            V v = V.Load(ref px, i), magnitude = V.Abs(v);
            V t = V.Divide(one, V.Fma(magnitude, V.Broadcast(0.318198052f), one));
            V p = V.Broadcast(0.0918850642f);
            p = V.Fma(p, t, V.Broadcast(-0.490993619f));
            p = V.Fma(p, t, V.Broadcast(0.851338273f));
            p = V.Fma(p, t, V.Broadcast(-0.37003893f));
            p = V.Fma(p, t, V.Broadcast(0.457001279f));
            p = V.Fma(p, t, V.Broadcast(0.201927698f));
            p = V.Fma(p, t, V.Broadcast(0.258880231f));
            V tail = V.Multiply(V.Multiply(V.Multiply(p, t), Exp(V.Multiply(V.Multiply(v, V.Broadcast(-0.5f)), v))), half); // erfc(z) / 2
            V.Store(V.Fma(magnitude, V.Subtract(half, tail), V.Multiply(v, half)), ref py, i);
        }
    }

    /// <summary>
    /// e^x for x clamped to −86..88, within 2 ulp: x = n ln 2 + r, Taylor to r⁷ (|r| ≤ ln2/2, so the rest is below 6e-9), times 2^n.
    /// exp(0) is exactly 1.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static V Exp(V x)
    {
        x = V.Max(V.Broadcast(LeastExponent), V.Min(V.Broadcast(88f), x));
        V n = V.Round(V.Multiply(x, V.Broadcast(1.44269504f)));
        V r = V.Fma(n, V.Broadcast(-0.693145751953125f), x); // the leading 15 bits of ln 2: n times it is exact
        r = V.Fma(n, V.Broadcast(-1.42860682e-6f), r);
        V sum = V.Broadcast(1f / 5040f);
        sum = V.Fma(sum, r, V.Broadcast(1f / 720f));
        sum = V.Fma(sum, r, V.Broadcast(1f / 120f));
        sum = V.Fma(sum, r, V.Broadcast(1f / 24f));
        sum = V.Fma(sum, r, V.Broadcast(1f / 6f));
        sum = V.Fma(sum, r, V.Broadcast(0.5f));
        sum = V.Fma(sum, r, V.Broadcast(1f));
        sum = V.Fma(sum, r, V.Broadcast(1f));
        return V.ScaleByPowerOfTwo(sum, n);
    }
}
