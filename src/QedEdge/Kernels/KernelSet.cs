namespace QedEdge.Kernels;

/// <summary>
/// All operations of the forward pass for one instruction set. Every set gives the same bits: sums run in one canonical order
/// (docs/numerics.md), lanes are rows or columns, and no operation depends on how many tokens share a call.
/// Buffers are padded with zeros to 32 elements, so no operation has a tail.
/// </summary>
internal abstract class KernelSet
{
    /// <summary>The name for <c>--isa</c> and <c>qed info</c>.</summary>
    public abstract string Name { get; }

    /// <summary>Multiplies a matrix with vectors.</summary>
    public void Gemm(in GemmCall call)
    {
        if (call.IsEmpty)
            return;
        call.Check();
        Multiply(call);
    }

    /// <summary><see cref="Gemm"/> of a checked call: the kernel of the matrix's format.</summary>
    protected abstract void Multiply(in GemmCall call);

    /// <summary>y = gain · (x / sqrt(mean(x²) + epsilon)); the mean over <paramref name="size"/>, the padding being zero [padded size]. All NaN where Σ x² is not finite.</summary>
    public abstract void RmsNorm(ReadOnlySpan<float> x, ReadOnlySpan<float> gain, int size, float epsilon, Span<float> y);

    /// <summary>
    /// y = gain · (x − m) / sqrt(mean((x − m)²) + epsilon) + bias with m = mean(x); the means over <paramref name="size"/>, the padding of x, gain and bias
    /// being zero [padded size]. NaN where a sum is not finite.
    /// </summary>
    public abstract void LayerNorm(ReadOnlySpan<float> x, ReadOnlySpan<float> gain, ReadOnlySpan<float> bias, int size, float epsilon, Span<float> y);

    /// <summary>
    /// Quants, scales and offsets of one token's values (columns 0..cols, padded to 32). A block with a value that is not finite has the scale NaN, so that no
    /// product with it is lost; its quants and offset mean nothing.
    /// </summary>
    /// <returns>Whether all values are finite.</returns>
    public abstract bool Quantize(Activations x, int token, int cols);

    /// <summary>Quants and scales of one token's values x[i] · weights[i], none of which is negative; the weights are halves, the length a multiple of 32. Scales are NaN as for <see cref="Quantize"/>.</summary>
    public abstract void QuantizeWeighted(ReadOnlySpan<float> x, ReadOnlySpan<ushort> weights, Activations y, int token);

    /// <summary>Whether all of x is finite; length a multiple of 8.</summary>
    public abstract bool IsFinite(ReadOnlySpan<float> x);

    /// <summary>
    /// x as bytes with one scale, the half nearest to max|x| / 127, which is returned; lengths a multiple of 32. Where x is not finite, or too large for such a
    /// scale, it is 0x7C00 and the bytes mean nothing.
    /// </summary>
    public abstract ushort QuantizeRow(ReadOnlySpan<float> x, Span<sbyte> quants);

    /// <summary>y = silu(gate) · up with silu(g) = g / (1 + exp(−g)); lengths a multiple of 8.</summary>
    public abstract void SwiGlu(ReadOnlySpan<float> gate, ReadOnlySpan<float> up, Span<float> y);

    /// <summary>y = silu(x); lengths a multiple of 8.</summary>
    public abstract void Silu(ReadOnlySpan<float> x, Span<float> y);

    /// <summary>y = x / (1 + exp(−2 √(2/π) (x + 0.044715 x³))), GELU in its tanh form; lengths a multiple of 8.</summary>
    public abstract void GeluTanh(ReadOnlySpan<float> x, Span<float> y);

    /// <summary>y = x (1 + erf(x / √2)) / 2, GELU, to the rounding of float32; lengths a multiple of 8.</summary>
    public abstract void GeluErf(ReadOnlySpan<float> x, Span<float> y);

    /// <summary>y *= x; lengths a multiple of 8.</summary>
    public abstract void Multiply(ReadOnlySpan<float> x, Span<float> y);

    /// <summary>y += x; lengths a multiple of 8.</summary>
    public abstract void Add(ReadOnlySpan<float> x, Span<float> y);

    /// <summary>Half-precision copies of x; lengths a multiple of 8.</summary>
    public abstract void ToHalf(ReadOnlySpan<float> x, Span<ushort> y);

    /// <summary>
    /// One chunk of attention scores into weights: s = scale · s; p = exp(s − max(s)), 0 below e^−86; entries from
    /// <paramref name="count"/> to the next multiple of 8 and those whose mask byte is 0 become exactly 0. Where a score that takes part is NaN or +infinity,
    /// so is the sum NaN.
    /// </summary>
    /// <param name="scores">Scores, then weights; length a multiple of 8.</param>
    /// <param name="count">Entries that take part.</param>
    /// <param name="mask">A byte per entry (0: takes no part), or empty.</param>
    /// <param name="scale">What scores are multiplied by.</param>
    /// <param name="max">The largest scaled score; −infinity when nothing takes part.</param>
    /// <returns>Σ p, summed in 8 lanes (index mod 8).</returns>
    public abstract float Softmax(Span<float> scores, int count, ReadOnlySpan<byte> mask, float scale, out float max);

    /// <summary>sum[q, c] = fma(p[q, i], v[i, c], sum[q, c]) for i in order.</summary>
    /// <param name="p">Weights [queries, pStride].</param>
    /// <param name="pStride">Elements from one query's weights to the next.</param>
    /// <param name="queries">How many share the rows.</param>
    /// <param name="rows">How many rows.</param>
    /// <param name="halves">Whether the rows are 16-bit floats; else of 32 bits.</param>
    /// <param name="v">The rows [rows, cols].</param>
    /// <param name="cols">Columns, a multiple of 32.</param>
    /// <param name="sum">Sums [queries, cols].</param>
    public abstract void AddWeightedRows(ReadOnlySpan<float> p, int pStride, int queries, int rows, bool halves, ReadOnlySpan<byte> v, int cols, Span<float> sum);

    /// <summary>sum = fma(sum, sumFactor, x · xFactor): two attention chunks merged; lengths a multiple of 8.</summary>
    public abstract void Merge(ReadOnlySpan<float> x, float xFactor, Span<float> sum, float sumFactor);

    /// <summary>x = x / divisor; length a multiple of 8.</summary>
    public abstract void Divide(Span<float> x, float divisor);
}
