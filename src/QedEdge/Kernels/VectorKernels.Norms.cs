using System.Runtime.InteropServices;

namespace QedEdge.Kernels;

/// <content>Norms.</content>
internal abstract partial class VectorKernels<V>
{
    /// <summary>Eight ones, then eight zeros: from 8 − n on, n lanes that count.</summary>
    private static ReadOnlySpan<float> LaneMask => [1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0];

    /// <inheritdoc/>
    public override void RmsNorm(ReadOnlySpan<float> x, ReadOnlySpan<float> gain, int size, float epsilon, Span<float> y)
    {
        ref float px = ref MemoryMarshal.GetReference(x);
        ref float pg = ref MemoryMarshal.GetReference(gain[..x.Length]);
        ref float py = ref MemoryMarshal.GetReference(y[..x.Length]);
        V sum = V.Broadcast(0f);
        for (nint i = 0; i < x.Length; i += Lanes)
        {
            V v = V.Load(ref px, i);
            sum = V.Fma(v, v, sum);
        }
        float total = V.Sum(sum);
        // Of an infinite sum the inverse root would be 0, and an overflow would look like silence.
        V factor = V.Broadcast(float.IsFinite(total) ? 1f / MathF.Sqrt(total / size + epsilon) : float.NaN);
        for (nint i = 0; i < x.Length; i += Lanes)
            V.Store(V.Multiply(V.Multiply(V.Load(ref px, i), factor), V.Load(ref pg, i)), ref py, i);
    }

    /// <inheritdoc/>
    public override void LayerNorm(ReadOnlySpan<float> x, ReadOnlySpan<float> gain, ReadOnlySpan<float> bias, int size, float epsilon, Span<float> y)
    {
        ref float px = ref MemoryMarshal.GetReference(x);
        ref float pg = ref MemoryMarshal.GetReference(gain[..x.Length]);
        ref float pb = ref MemoryMarshal.GetReference(bias[..x.Length]);
        ref float py = ref MemoryMarshal.GetReference(y[..x.Length]);
        ref float masks = ref MemoryMarshal.GetReference(LaneMask);
        V sum = V.Broadcast(0f);
        for (nint i = 0; i < x.Length; i += Lanes)
            sum = V.Add(sum, V.Load(ref px, i));
        V mean = V.Broadcast(V.Sum(sum) / size), squares = V.Broadcast(0f);
        for (nint i = 0; i < size; i += Lanes)
        {
            V centered = V.Multiply(V.Subtract(V.Load(ref px, i), mean), V.Load(ref masks, Lanes - (nint)Math.Min(Lanes, size - i))); // the padding is not the mean
            squares = V.Fma(centered, centered, squares);
        }
        float total = V.Sum(squares);
        V factor = V.Broadcast(float.IsFinite(total) ? 1f / MathF.Sqrt(total / size + epsilon) : float.NaN);
        for (nint i = 0; i < x.Length; i += Lanes)
            V.Store(V.Fma(V.Multiply(V.Subtract(V.Load(ref px, i), mean), factor), V.Load(ref pg, i), V.Load(ref pb, i)), ref py, i);
    }
}
