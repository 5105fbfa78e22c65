using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using CommunityToolkit.HighPerformance.Buffers;

namespace QedEdge.Conversion.Calibration;

/// <summary>
/// Σ a bᵀ over calibration tokens, for inputs a and b of a matrix [width, width]. Products of floats are exact in double precision and each element adds
/// them in the tokens' order, so the sums depend neither on threads nor on the instruction set.
/// </summary>
/// <param name="width">Columns, a multiple of 32.</param>
internal sealed class Covariance(int width)
{
    private const int Panel = 8; // columns that lie together
    private const int Tile = 4;  // rows of a tile [4, 8], whose sums stay in registers

    /// <summary>The sums, row by row.</summary>
    public double[] Sums { get; } = (long)width * width <= Array.MaxLength ? new double[width * width]
        : throw new QedException($"a matrix with {width} inputs is too wide to be calibrated, which takes a matrix of {width} by {width}; convert without --calibrate");

    /// <summary>Columns.</summary>
    public int Width => width;

    /// <summary>Tokens added.</summary>
    public long Count { get; private set; }

    /// <summary>Adds a batch of tokens.</summary>
    /// <param name="a">Vectors [count, width].</param>
    /// <param name="b">Vectors [count, width]; the same span where the sums are symmetric, of which only the upper half is added then.</param>
    /// <param name="count">Tokens.</param>
    /// <param name="threads">Threads to use.</param>
    public void Add(ReadOnlySpan<float> a, ReadOnlySpan<float> b, int count, int threads)
    {
        Count += count;
        bool symmetric = a == b;
        using var left = Panels(a, count);
        using var right = symmetric ? null : Panels(b, count);
        Memory<double> x = left.Memory, y = symmetric ? x : right!.Memory;
        // Rows in turn from both ends, so that the shares of a triangle are alike.
        int panels = width / Panel;
        Work.For(panels, threads, index =>
        {
            int i = index % 2 == 0 ? index / 2 : panels - 1 - index / 2;
            for (int j = symmetric ? i : 0; j < panels; j++)
            {
                AddTile(x.Span.Slice(i * count * Panel, count * Panel), 0, y.Span.Slice(j * count * Panel, count * Panel), i * Panel, j * Panel);
                AddTile(x.Span.Slice(i * count * Panel, count * Panel), Tile, y.Span.Slice(j * count * Panel, count * Panel), i * Panel, j * Panel);
            }
        });
    }

    /// <summary>Fills the lower half of symmetric sums from the upper.</summary>
    public void Mirror()
    {
        for (int i = 0; i < width; i++)
        {
            for (int j = 0; j < i; j++)
                Sums[i * width + j] = Sums[j * width + i];
        }
    }

    /// <summary>Columns in panels of 8: [width / 8][count][8].</summary>
    private MemoryOwner<double> Panels(ReadOnlySpan<float> x, int count)
    {
        var panels = MemoryOwner<double>.Allocate(count * width);
        Span<double> to = panels.Span;
        for (int t = 0; t < count; t++)
        {
            for (int c = 0; c < width; c++)
                to[c / Panel * count * Panel + t * Panel + c % Panel] = x[t * width + c];
        }
        return panels;
    }

    private void AddTile(ReadOnlySpan<double> x, int offset, ReadOnlySpan<double> y, int row, int column)
    {
        ref double sums = ref MemoryMarshal.GetArrayDataReference(Sums);
        nuint at = (nuint)((row + offset) * width + column), stride = (nuint)width;
        var s00 = Vector256.LoadUnsafe(ref sums, at);
        var s01 = Vector256.LoadUnsafe(ref sums, at + 4);
        var s10 = Vector256.LoadUnsafe(ref sums, at + stride);
        var s11 = Vector256.LoadUnsafe(ref sums, at + stride + 4);
        var s20 = Vector256.LoadUnsafe(ref sums, at + 2 * stride);
        var s21 = Vector256.LoadUnsafe(ref sums, at + 2 * stride + 4);
        var s30 = Vector256.LoadUnsafe(ref sums, at + 3 * stride);
        var s31 = Vector256.LoadUnsafe(ref sums, at + 3 * stride + 4);
        ref double a = ref Unsafe.Add(ref MemoryMarshal.GetReference(x), offset);
        ref double b = ref MemoryMarshal.GetReference(y);
        for (nuint i = 0; i < (nuint)x.Length; i += Panel)
        {
            var y0 = Vector256.LoadUnsafe(ref b, i);
            var y1 = Vector256.LoadUnsafe(ref b, i + 4);
            var x0 = Vector256.Create(Unsafe.Add(ref a, i));
            s00 = Vector256.MultiplyAddEstimate(x0, y0, s00); // fused or not: the product is exact
            s01 = Vector256.MultiplyAddEstimate(x0, y1, s01);
            var x1 = Vector256.Create(Unsafe.Add(ref a, i + 1));
            s10 = Vector256.MultiplyAddEstimate(x1, y0, s10);
            s11 = Vector256.MultiplyAddEstimate(x1, y1, s11);
            var x2 = Vector256.Create(Unsafe.Add(ref a, i + 2));
            s20 = Vector256.MultiplyAddEstimate(x2, y0, s20);
            s21 = Vector256.MultiplyAddEstimate(x2, y1, s21);
            var x3 = Vector256.Create(Unsafe.Add(ref a, i + 3));
            s30 = Vector256.MultiplyAddEstimate(x3, y0, s30);
            s31 = Vector256.MultiplyAddEstimate(x3, y1, s31);
        }
        s00.StoreUnsafe(ref sums, at);
        s01.StoreUnsafe(ref sums, at + 4);
        s10.StoreUnsafe(ref sums, at + stride);
        s11.StoreUnsafe(ref sums, at + stride + 4);
        s20.StoreUnsafe(ref sums, at + 2 * stride);
        s21.StoreUnsafe(ref sums, at + 2 * stride + 4);
        s30.StoreUnsafe(ref sums, at + 3 * stride);
        s31.StoreUnsafe(ref sums, at + 3 * stride + 4);
    }
}
