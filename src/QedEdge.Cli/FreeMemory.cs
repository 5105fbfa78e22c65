using System.Globalization;
using QedEdge.CommandLine;
using QedEdge.Machine;

namespace QedEdge.Cli;

/// <summary>What a model needs beside what there is.</summary>
internal static class FreeMemory
{
    /// <summary>
    /// Bytes that can be had without anything being pushed out, as far as it can be known: Linux's MemAvailable, and no more than the control groups of this process leave, such as a
    /// service's or a container's. Not MemoryHigh, beyond which it is slow but not ended.
    /// </summary>
    /// <param name="root">The folder that stands for <c>/</c>, for tests.</param>
    public static long Bytes(string root = "")
    {
        long available = KernelFile.Number($"{root}/proc/meminfo", "MemAvailable:") is { } kilobytes ? kilobytes * 1024 : GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        return Math.Min(available, new ControlGroups(root).FreeMemory() ?? long.MaxValue);
    }

    /// <summary>What is to be said before a model runs in memory that is short; null where it is not.</summary>
    /// <param name="name">The model's file.</param>
    /// <param name="need">What it needs.</param>
    /// <param name="type">How keys and values are stored.</param>
    /// <param name="sequences">Sessions that fill their contexts.</param>
    /// <param name="free">Bytes that are free.</param>
    public static string? Warning(string name, MemoryNeed need, KvCacheType type, int sequences, long free)
    {
        long peak = need.Fixed + sequences * need.Kv(type);
        if (peak <= free)
            return null;
        if (need.Fixed > free)
            return $"warning: {name} needs {ByteSize.Text(need.Fixed)} besides keys and values, and {ByteSize.Text(free)} of memory are free: expect it to be slow, or to be ended by the system; see 'qed plan'";
        string what = sequences == 1 ? $"its context of {need.Context} positions is" : $"{sequences} contexts of {need.Context} positions are";
        return $"warning: {name} needs {ByteSize.Text(peak)} when {what} full, and {ByteSize.Text(free)} of memory are free, enough for {need.LongestContext(type, need.Fixed + (free - need.Fixed) / sequences)}; see 'qed plan' and --ctx-size";
    }

    /// <summary>A number of bytes as people write it: 300M, 1.5G, 300000000; powers of 1,000 (MiB, Mi: of 1,024).</summary>
    /// <exception cref="UsageException">It is none.</exception>
    public static long Parse(string option, string text)
    {
        string number = text.TrimEnd('B', 'b').TrimEnd('i');
        long thousand = text.Contains('i', StringComparison.Ordinal) ? 1024 : 1000;
        long unit = number.Length == 0 ? 1 : char.ToUpperInvariant(number[^1]) switch
        {
            'K' => thousand,
            'M' => thousand * thousand,
            'G' => thousand * thousand * thousand,
            _ => 1,
        };
        return double.TryParse(unit == 1 ? number : number[..^1], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value) && value * unit is >= 1 and < 1e18
            ? (long)(value * unit)
            : throw new UsageException($"{option}: '{text}' is no amount of memory; give 300M, 1.5G or bytes");
    }
}
