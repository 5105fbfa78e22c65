using System.Runtime.InteropServices;

namespace QedEdge.Memory;

/// <summary>Another program in this one's place: the same process, with its descriptors, environment and folder.</summary>
internal static partial class Execution
{
    /// <summary>Runs a file instead of this program; returns only where that cannot be.</summary>
    /// <param name="file">The executable.</param>
    /// <param name="arguments">What it is given, without its own name.</param>
    public static void Replace(string file, IEnumerable<string> arguments) => _ = Execute(file, [file, .. arguments, null]);

    [LibraryImport("libc", EntryPoint = "execv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Execute(string file, string?[] arguments);
}
