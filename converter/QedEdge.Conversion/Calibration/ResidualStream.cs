using QedEdge.Memory;
using QedEdge.Model;

namespace QedEdge.Conversion.Calibration;

/// <summary>The residual stream of a whole text between two layers.</summary>
/// <param name="tokens">Tokens of the text.</param>
/// <param name="stride">Floats of a token.</param>
internal sealed class ResidualStream(long tokens, int stride) : IDisposable
{
    private readonly AlignedBuffer<float> _values = new(tokens * stride);

    /// <summary>Tokens of the text.</summary>
    public long Tokens => tokens;

    /// <summary>Consecutive tokens [count, stride].</summary>
    public Span<float> Part(long first, int count) => _values.Slice(first * stride, count * stride);

    /// <summary>Becomes what the first layer takes: the embeddings of all tokens of windows.</summary>
    public void Embed(ModelWeights weights, IEnumerable<int[]> windows)
    {
        long at = 0;
        var scratch = new float[weights.Embedding.Cols];
        foreach (int[] window in windows)
        {
            for (int position = 0; position < window.Length; position++)
                weights.Embed(window[position], position, Part(at++, 1)[..scratch.Length], scratch);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _values.Dispose();
}
