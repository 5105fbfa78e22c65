namespace QedEdge.Conversion;

/// <summary>What an adapter adds to a matrix W [rows, cols]: <c>W + Scaling · B A</c>.</summary>
/// <param name="A">[Rank, cols].</param>
/// <param name="B">[rows, Rank].</param>
/// <param name="Rank">Rows of A and columns of B.</param>
/// <param name="Scaling">The factor.</param>
internal sealed record LowRankUpdate(float[] A, float[] B, int Rank, double Scaling)
{
    /// <summary>Columns whose sums are held at a time.</summary>
    private const int Part = 512;

    /// <summary>
    /// Adds to one row of the matrix. Each value's sum runs over the ranks in their order in double precision, and the result is rounded to float32 once:
    /// it depends on neither the threads nor the machine.
    /// </summary>
    /// <param name="index">The row's index in the matrix.</param>
    /// <param name="row">The row's values, [cols].</param>
    public void AddTo(int index, Span<float> row)
    {
        ReadOnlySpan<float> b = B.AsSpan(index * Rank, Rank);
        Span<double> sums = stackalloc double[Part];
        for (int begin = 0; begin < row.Length; begin += Part)
        {
            Span<float> part = row.Slice(begin, Math.Min(Part, row.Length - begin));
            Span<double> sum = sums[..part.Length];
            sum.Clear();
            for (int r = 0; r < b.Length; r++)
            {
                ReadOnlySpan<float> a = A.AsSpan(r * row.Length + begin, sum.Length);
                double weight = b[r];
                for (int i = 0; i < sum.Length; i++)
                    sum[i] += weight * a[i];
            }
            for (int i = 0; i < part.Length; i++)
                part[i] = (float)(part[i] + Scaling * sum[i]);
        }
    }
}
