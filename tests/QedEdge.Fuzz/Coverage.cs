using System.Reflection;
using System.Runtime.InteropServices;

namespace QedEdge.Fuzz;

/// <summary>
/// Which branches executions took, as the code that SharpFuzz instruments counts them: a byte per pair of neighbouring branches. An execution is new where
/// a pair occurs that did not, or in another order of magnitude.
/// </summary>
internal sealed unsafe class Coverage
{
    private const int Size = 1 << 16; // SharpFuzz's and AFL's
    private static readonly byte[] Magnitudes = [.. Enumerable.Range(0, 256).Select(static n => (byte)(n switch { 0 => 0, 1 => 1, 2 => 2, 3 => 4, < 8 => 8, < 16 => 16, < 32 => 32, < 128 => 64, _ => 128 }))];
    // By name: an assembly that refers to it counts as instrumented already.
    private static readonly Type Trace = Type.GetType("SharpFuzz.Common.Trace, SharpFuzz.Common", throwOnError: true)!;
    private static readonly FieldInfo Previous = Trace.GetField("PrevLocation")!;
    private readonly ulong* _counts;
    private readonly byte[] _seen = new byte[Size];

    /// <summary>Must be made before instrumented code runs.</summary>
    public Coverage()
    {
        _counts = (ulong*)NativeMemory.AllocZeroed(Size);
        Trace.GetField("SharedMem")!.SetValue(null, Pointer.Box(_counts, typeof(byte*)));
    }

    /// <summary>Pairs seen so far.</summary>
    public int Pairs { get; private set; }

    /// <summary>Forgets what was seen, for another target.</summary>
    public void Reset()
    {
        Array.Clear(_seen);
        Pairs = 0;
    }

    /// <summary>Before an execution.</summary>
    public void Begin()
    {
        new Span<ulong>(_counts, Size / sizeof(ulong)).Clear();
        Previous.SetValue(null, 0);
    }

    /// <summary>After it: whether it was new.</summary>
    public bool End()
    {
        bool isNew = false;
        var counts = new ReadOnlySpan<ulong>(_counts, Size / sizeof(ulong));
        for (int word = 0; word < counts.Length; word++)
        {
            if (counts[word] == 0)
                continue;
            for (int i = word * sizeof(ulong); i < (word + 1) * sizeof(ulong); i++)
            {
                byte magnitude = Magnitudes[((byte*)_counts)[i]];
                if ((magnitude & ~_seen[i]) == 0)
                    continue;
                Pairs += _seen[i] == 0 ? 1 : 0;
                _seen[i] |= magnitude;
                isNew = true;
            }
        }
        return isNew;
    }
}
