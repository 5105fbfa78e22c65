using System.Runtime.InteropServices;

namespace QedEdge.Machine;

/// <summary>The time on the wall. Asked of the C library where there is one: .NET reads the system's time zones itself, for which it takes 12 KB of an executable.</summary>
internal static partial class LocalTime
{
    private const int Fields = 32; // of an int each: more than struct tm has anywhere

    /// <summary>The time now.</summary>
    public static DateTime Now
    {
        get
        {
            if (OperatingSystem.IsWindows())
                return DateTime.Now;
            Span<int> fields = stackalloc int[Fields];
            long seconds = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
            return Split(in seconds, ref fields[0]) == 0 ? DateTime.UtcNow
                : new DateTime(1900 + fields[5], 1 + fields[4], fields[3], fields[2], fields[1], Math.Min(fields[0], 59)); // a leap second is no time of .NET's
        }
    }

    [LibraryImport("libc", EntryPoint = "localtime_r")]
    private static partial nint Split(in long seconds, ref int fields);
}
