namespace QedEdge.Conversion.Calibration;

/// <summary>
/// What calibration knows of a matrix's inputs x [width]: H = Σ x xᵀ + λI, its inverse and the inverse's factor, in double precision. λ is the damping of
/// Frantar et al. 2023 ("GPTQ", section 3), a hundredth of the mean of H's diagonal; with little text more, so that H does not claim to know what few tokens cannot show.
/// </summary>
internal sealed class InputStatistics
{
    private const double Damping = 0.01;
    private readonly int _width;
    private readonly double[] _target; // (Σ x' xᵀ + λI) H⁻¹, or empty

    /// <summary>Takes the sums over; they are changed.</summary>
    /// <param name="inputs">Σ x xᵀ, symmetric.</param>
    /// <param name="exact">Σ x' xᵀ with the inputs x' that the float32 model has at the same places, or null: x' = x.</param>
    /// <param name="threads">Threads to use; the result does not depend on it.</param>
    /// <exception cref="QedException">The inputs are not finite numbers.</exception>
    public InputStatistics(Covariance inputs, Covariance? exact, int threads)
    {
        _width = inputs.Width;
        inputs.Mirror();
        H = inputs.Sums;
        double trace = 0;
        for (int i = 0; i < _width; i++)
            trace += H[i * _width + i];
        double damping = Math.Max(Damping, (double)_width / Math.Max(inputs.Count, 1));
        double lambda = trace > 0 ? damping * trace / _width : 1; // an input that is always zero leaves all quants alike
        for (int i = 0; i < _width; i++)
            H[i * _width + i] += lambda;
        Factor = InvertUpper(FactorUpper(H, _width), _width, threads);
        if (exact is null)
        {
            _target = [];
            return;
        }
        for (int i = 0; i < _width; i++)
            exact.Sums[i * _width + i] += lambda;
        double[] inverse = Gram(Factor, _width, threads);
        _target = new double[H.Length];
        Work.For(_width, threads, i => Rows.Multiply(exact.Sums.AsSpan(i * _width, _width), inverse, _target.AsSpan(i * _width, _width)));
    }

    /// <summary>H [width, width].</summary>
    public double[] H { get; }

    /// <summary>The upper triangular U with UᵀU = H⁻¹ [width, width].</summary>
    public double[] Factor { get; }

    /// <summary>Columns of the matrix, padded.</summary>
    public int Width => _width;

    /// <summary>
    /// The row t whose results t x come nearest to what the float32 model has, w x': so errors of the layers before are made up for as far as one matrix can. Without x' it is w.
    /// </summary>
    public void Target(ReadOnlySpan<double> w, Span<double> t)
    {
        if (_target.Length == 0)
            w.CopyTo(t);
        else
            Rows.Multiply(w, _target, t);
    }

    /// <summary>The mean square of each input, damped: importances for <see cref="Quantization.ScaleSearch"/>.</summary>
    public double[] Diagonal()
    {
        var diagonal = new double[_width];
        for (int i = 0; i < _width; i++)
            diagonal[i] = H[i * _width + i];
        return diagonal;
    }

    /// <summary>The upper triangular R with R Rᵀ = H: Cholesky from the last column back.</summary>
    private static double[] FactorUpper(double[] h, int n)
    {
        // With L Lᵀ the decomposition of H with rows and columns reversed, R is L reversed. Kept as rows of Rᵀ: steps on whole rows.
        var r = new double[h.Length]; // rows of Rᵀ, which is lower triangular seen from the end: row j holds R[i, j] for i ≤ j
        for (int j = n - 1; j >= 0; j--)
        {
            Span<double> row = r.AsSpan(j * n, j + 1);
            h.AsSpan(j * n, j + 1).CopyTo(row);
            for (int k = n - 1; k > j; k--)
                Rows.Add(-r[k * n + j], r.AsSpan(k * n, j + 1), row);
            double root = Math.Sqrt(row[j]);
            if (!(root > 0))
                throw NotFinite();
            for (int i = 0; i <= j; i++)
                row[i] /= root;
        }
        return r;
    }

    /// <summary>The error of a model that overflows.</summary>
    public static QedException NotFinite() => new("what flows into a matrix is not finite for the calibration text; the checkpoint is damaged or was not trained to an end");

    /// <summary>U = R⁻¹, upper triangular, from the rows of Rᵀ.</summary>
    private static double[] InvertUpper(double[] rowsOfTransposed, int n, int threads)
    {
        // Rᵀ is lower triangular: its inverse Uᵀ column by column would walk columns; U's rows come from U R = I, backwards substitution along a row.
        var u = new double[rowsOfTransposed.Length];
        var upper = new double[rowsOfTransposed.Length]; // R, row by row
        for (int i = 0; i < n; i++)
        {
            for (int j = i; j < n; j++)
                upper[i * n + j] = rowsOfTransposed[j * n + i];
        }
        Work.For(n, threads, i =>
        {
            // u[i] R = e_i: from the left, each element found takes its multiple of R's row out of the rest.
            Span<double> rest = u.AsSpan(i * n, n);
            rest[i] = 1;
            for (int k = i; k < n; k++)
            {
                rest[k] /= upper[k * n + k];
                if (rest[k] != 0 && k + 1 < n)
                    Rows.Add(-rest[k], upper.AsSpan(k * n + k + 1, n - k - 1), rest[(k + 1)..]);
            }
        });
        return u;
    }

    /// <summary>UᵀU.</summary>
    private static double[] Gram(double[] u, int n, int threads)
    {
        var product = new double[u.Length];
        var columns = new double[u.Length]; // Uᵀ, row by row
        for (int i = 0; i < n; i++)
        {
            for (int j = i; j < n; j++)
                columns[j * n + i] = u[i * n + j];
        }
        Work.For(n, threads, i =>
        {
            Span<double> row = product.AsSpan(i * n, n);
            for (int k = 0; k <= i; k++)
                Rows.Add(columns[i * n + k], u.AsSpan(k * n + k, n - k), row[k..]);
        });
        return product;
    }
}
