using System.Globalization;

namespace QedEdge.CommandLine;

/// <summary>Amounts of bytes for people: powers of 1,000, as disks and the documentation count.</summary>
public static class ByteSize
{
    /// <summary>936.0 kB, 52.2 MB, 23.8 GB.</summary>
    public static string Text(long bytes) => bytes switch
    {
        < 1_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e3:0.0} kB"),
        < 10_000_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:0.0} MB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e9:0.0} GB"),
    };
}
