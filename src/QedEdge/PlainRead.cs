using System.Diagnostics;
using System.Numerics;
using System.Runtime.InteropServices;
using QedEdge.Memory;
using QedEdge.Quantization;
using QedEdge.Threading;

namespace QedEdge;

/// <summary>The speed at which this machine can merely read a model's weights: the limit of decoding.</summary>
public static class PlainRead
{
    /// <summary>Reads the weights repeatedly with a team of threads, each its own part of every matrix, for about a third of a second.</summary>
    /// <param name="model">An open model.</param>
    /// <param name="threads">Threads that read together.</param>
    /// <returns>The median of the passes, in 10⁹ bytes per second.</returns>
    public static double GigabytesPerSecond(QedModel model, int threads)
    {
        using var team = new WorkerTeam(threads);
        PackedMatrix[] matrices = [.. model.Weights.Matrices()];
        var work = new ReadWork(team, matrices);
        team.Run(work);
        var times = new List<double>();
        long begin = Stopwatch.GetTimestamp();
        while (times.Count < 5 || Stopwatch.GetElapsedTime(begin).TotalSeconds < 0.35)
        {
            long start = Stopwatch.GetTimestamp();
            team.Run(work);
            times.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        times.Sort();
        return matrices.Sum(m => m.Data.Length) / times[times.Count / 2] / 1e9;
    }

    private sealed class ReadWork(WorkerTeam team, PackedMatrix[] matrices) : ITeamWork
    {
        private readonly ulong[] _sums = new ulong[team.Size * 16];

        public void Execute(int worker)
        {
            ulong sum = 0;
            foreach (PackedMatrix matrix in matrices)
            {
                (int begin, int end) = team.Share(worker, matrix.Groups);
                sum += Sum(matrix.Data.Slice(begin * matrix.GroupBytes, (end - begin) * matrix.GroupBytes));
            }
            _sums[worker * 16] = sum; // kept, so that the reading cannot be left out
        }

        private static ulong Sum(NativeView view)
        {
            Vector<ulong> a = default, b = default, c = default, d = default;
            ReadOnlySpan<Vector<ulong>> vectors = MemoryMarshal.Cast<byte, Vector<ulong>>(view.Span(0, checked((int)view.Length)));
            int i = 0;
            for (; i + 4 <= vectors.Length; i += 4)
            {
                a += vectors[i];
                b += vectors[i + 1];
                c += vectors[i + 2];
                d += vectors[i + 3];
            }
            for (; i < vectors.Length; i++)
                a += vectors[i];
            return Vector.Sum(a + b + c + d);
        }
    }
}
