using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Conversion.Calibration;

/// <summary>
/// Quantizes rows of a matrix so that what they compute changes least: (w − q) H (w − q)ᵀ. Column by column, the error of each quant is made up for by the columns
/// behind it (GPTQ: Frantar et al. 2023), which for a block's scale is tried out with many scales of either sign; then scales and quants are moved one by one, each to
/// what is best with all others as they are. Rows are independent, sums in order and in double precision: bytes do not depend on threads or instruction set.
/// </summary>
internal sealed class ErrorFeedback
{
    private const int BlockSize = PackedLayout.BlockSize;
    private const int Steps = 8;    // to each side of the scale that puts the largest value on the outermost level
    private const double Step = 0.02;
    private const int Passes = 4;   // over all scales and quants after the feedback

    private readonly InputStatistics _inputs;
    private readonly ScaledFormat _format;
    private readonly LevelTable _table;
    private readonly double[] _levels;
    private readonly double[] _blocks; // the factor's diagonal blocks [width / 32][32][32], each row divided by its first element, which becomes 1 / its square

    /// <summary>For matrices with the same inputs.</summary>
    public ErrorFeedback(InputStatistics inputs, BlockFormat format)
    {
        _inputs = inputs;
        _format = (ScaledFormat)format.Info();
        _table = _format.Nearest;
        _levels = new double[_table.Levels.Length];
        for (int i = 0; i < _levels.Length; i++)
            _levels[i] = _table.Levels[i];
        int n = inputs.Width;
        _blocks = new double[n * BlockSize];
        for (int i = 0; i < n; i++)
        {
            int first = i / BlockSize * BlockSize;
            for (int j = i; j < first + BlockSize; j++)
                _blocks[i * BlockSize + j - first] = inputs.Factor[i * n + j] / inputs.Factor[i * n + i];
        }
    }

    /// <summary>Encodes a row.</summary>
    /// <param name="row">The values [columns].</param>
    /// <param name="plain">Takes the plain row.</param>
    /// <returns>False where a scale is beyond half precision.</returns>
    public bool Encode(ReadOnlySpan<float> row, Span<byte> plain)
    {
        int n = _inputs.Width;
        var exact = new double[n];
        for (int i = 0; i < row.Length; i++)
            exact[i] = row[i];
        var target = new double[n];
        _inputs.Target(exact, target);
        var scales = new double[n / BlockSize];
        var quants = new byte[n];
        Feed(target, scales, quants);
        if (scales.AsSpan().ContainsAny(double.PositiveInfinity, double.NegativeInfinity))
            return false;
        Refine(target, scales, quants);
        for (int b = 0; b < scales.Length; b++)
            _format.StoreBlock(plain, b, (Half)scales[b], quants.AsSpan(b * BlockSize, BlockSize));
        return true;
    }

    /// <summary>Blocks from the left, the error of each spread over the columns behind it.</summary>
    private void Feed(ReadOnlySpan<double> target, Span<double> scales, Span<byte> quants)
    {
        int n = target.Length;
        Span<double> w = target.ToArray();
        Span<double> errors = stackalloc double[BlockSize];
        for (int b = 0; b < scales.Length; b++)
        {
            int begin = b * BlockSize, end = begin + BlockSize;
            Span<byte> own = quants[begin..end];
            scales[b] = BestScale(w[begin..end], b);
            Run(w[begin..end], b, scales[b], double.PositiveInfinity, own, errors);
            for (int j = 0; j < BlockSize && end < n; j++)
            {
                int i = begin + j;
                Rows.Add(-errors[j] / _inputs.Factor[i * n + i], _inputs.Factor.AsSpan(i * n + end, n - end), w[end..]);
            }
        }
    }

    private double BestScale(ReadOnlySpan<double> w, int block)
    {
        double largest = 0;
        foreach (double value in w)
            largest = Math.Max(largest, Math.Abs(value));
        double best = 0, least = Run(w, block, 0, double.PositiveInfinity, stackalloc byte[BlockSize], stackalloc double[BlockSize]);
        Span<byte> quants = stackalloc byte[BlockSize];
        Span<double> errors = stackalloc double[BlockSize];
        int signs = _levels[0] == -_levels[^1] ? 1 : 2;
        for (int i = -Steps; largest > 0 && i <= Steps; i++)
        {
            for (int sign = 0; sign < signs; sign++)
            {
                double scale = (double)(Half)(largest / ((sign == 0 ? -1 : 1) * _levels[0] * (1 + i * Step)));
                if (!double.IsFinite(scale))
                    return scale;
                double loss = scale == 0 ? double.PositiveInfinity : Run(w, block, scale, least, quants, errors);
                if (loss < least)
                    (best, least) = (scale, loss);
            }
        }
        return best;
    }

    /// <summary>Quantizes a block with one scale; returns what it adds to the loss, or infinity once that is at least a limit.</summary>
    private double Run(ReadOnlySpan<double> w, int block, double scale, double limit, Span<byte> quants, Span<double> errors)
    {
        int n = _inputs.Width;
        Span<double> rest = stackalloc double[BlockSize];
        w.CopyTo(rest);
        double inverse = scale != 0 ? 1 / scale : 0, loss = 0;
        for (int j = 0; j < BlockSize; j++)
        {
            int i = block * BlockSize + j;
            byte q = quants[j] = _table.Nearest(rest[j] * inverse);
            double error = errors[j] = rest[j] - scale * _levels[q];
            double scaled = error / _inputs.Factor[i * n + i];
            loss += scaled * scaled;
            if (loss >= limit)
                return double.PositiveInfinity;
            Rows.Add(-error, _blocks.AsSpan(i * BlockSize + j + 1, BlockSize - j - 1), rest[(j + 1)..]);
        }
        return loss;
    }

    /// <summary>Coordinate descent on scales and quants.</summary>
    private void Refine(ReadOnlySpan<double> target, Span<double> scales, Span<byte> quants)
    {
        int n = target.Length;
        ReadOnlySpan<double> h = _inputs.H;
        Span<double> difference = new double[n], gradient = new double[n]; // target − scale · level; the same · H
        for (int i = 0; i < n; i++)
            difference[i] = target[i] - scales[i / BlockSize] * _levels[quants[i]];
        Rows.Multiply(difference, h, gradient);
        Span<double> levels = stackalloc double[BlockSize];
        Span<double> product = new double[n];
        bool moved = true;
        for (int pass = 0; pass < Passes && moved; pass++)
        {
            moved = false;
            for (int b = 0; b < scales.Length; b++)
            {
                int begin = b * BlockSize;
                product.Clear(); // levels · H
                double along = 0, square = 0;
                for (int j = 0; j < BlockSize; j++)
                {
                    levels[j] = _levels[quants[begin + j]];
                    Rows.Add(levels[j], h.Slice((begin + j) * n, n), product);
                }
                for (int j = 0; j < BlockSize; j++)
                {
                    along += levels[j] * gradient[begin + j];
                    square += levels[j] * product[begin + j];
                }
                double scale = square > 0 ? (double)(Half)(scales[b] + along / square) : scales[b], step = scale - scales[b];
                if (step != 0 && double.IsFinite(scale) && step * (step * square - 2 * along) < 0)
                {
                    scales[b] = scale;
                    Rows.Add(-step, product, gradient);
                    moved = true;
                }
                scale = scales[b];
                double inverse = scale != 0 ? 1 / scale : 0;
                for (int j = 0; j < BlockSize && scale != 0; j++)
                {
                    int i = begin + j;
                    double now = scale * _levels[quants[i]];
                    byte q = _table.Nearest((now + gradient[i] / h[i * n + i]) * inverse);
                    if (q == quants[i])
                        continue;
                    quants[i] = q;
                    Rows.Add(now - scale * _levels[q], h.Slice(i * n, n), gradient);
                    moved = true;
                }
            }
        }
    }
}
