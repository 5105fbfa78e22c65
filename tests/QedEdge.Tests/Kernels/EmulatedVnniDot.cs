using System.Runtime.Intrinsics;
using QedEdge.Kernels.X86;

namespace QedEdge.Tests.Kernels;

/// <summary><see cref="AvxVnniDot"/> with vpdpbusd done by hand: acc + four products of unsigned and signed bytes per lane.</summary>
internal readonly struct EmulatedVnniDot : IInt8Dot
{
    public static string Name => "avxvnni, emulated";

    public static Vector256<int> StartNibbles(Vector256<int> offset) => AvxVnniDot.StartNibbles(offset);

    public static Vector256<int> AddNibbles(Vector256<int> acc, Vector256<byte> nibbles, Vector256<sbyte> x) => Add(acc, nibbles, x);

    public static Vector256<int> FinishNibbles(Vector256<int> acc) => AvxVnniDot.FinishNibbles(acc);

    public static Vector256<int> StartBytes(Vector256<int> offset) => AvxVnniDot.StartBytes(offset);

    public static Vector256<sbyte> Bytes(Vector256<sbyte> w) => AvxVnniDot.Bytes(w);

    public static Vector256<int> AddBytes(Vector256<int> acc, Vector256<sbyte> w, Vector256<sbyte> x) => Add(acc, w.AsByte(), x);

    public static Vector256<int> AddLevels(Vector256<int> acc, Vector256<sbyte> w, Vector256<sbyte> x) => AddBytes(acc, w, x);

    public static Vector256<int> AddNonNegative(Vector256<int> acc, Vector256<sbyte> w, Vector256<byte> x) => Add(acc, x, w);

    private static Vector256<int> Add(Vector256<int> acc, Vector256<byte> u, Vector256<sbyte> x)
    {
        for (int lane = 0; lane < Vector256<int>.Count; lane++)
        {
            int sum = acc[lane];
            for (int i = 4 * lane; i < 4 * lane + 4; i++)
                sum += u[i] * x[i];
            acc = acc.WithElement(lane, sum);
        }
        return acc;
    }
}
