using System.Numerics;

namespace QedEdge.Sampling;

/// <summary>Searches in logits, some lanes at a time: a vocabulary may have 262,144 of them.</summary>
internal static class LogitScan
{
    /// <summary>The index of the largest value, the lowest among equals.</summary>
    /// <param name="values">At least one.</param>
    public static int ArgMax(ReadOnlySpan<float> values)
    {
        float max = values[0];
        int i = 0;
        if (values.Length >= Vector<float>.Count)
        {
            var most = new Vector<float>(values);
            for (; i + Vector<float>.Count <= values.Length; i += Vector<float>.Count)
                most = Vector.Max(most, new Vector<float>(values[i..]));
            for (int lane = 0; lane < Vector<float>.Count; lane++)
                max = most[lane] > max ? most[lane] : max;
        }
        for (; i < values.Length; i++)
            max = values[i] > max ? values[i] : max;
        return Next(values, 0, max) is var best && best < values.Length ? best : 0;
    }

    /// <summary>The first index from <paramref name="from"/> on whose value is at least <paramref name="least"/>; their number where there is none.</summary>
    public static int Next(ReadOnlySpan<float> values, int from, float least)
    {
        var bound = new Vector<float>(least);
        while (from + Vector<float>.Count <= values.Length && !Vector.GreaterThanOrEqualAny(new Vector<float>(values[from..]), bound))
            from += Vector<float>.Count;
        while (from < values.Length && !(values[from] >= least))
            from++;
        return from;
    }
}
