using System.Runtime.InteropServices;

namespace QedEdge.Memory;

/// <summary>Advice to the operating system about mapped pages (madvise(2)). Where it cannot be given nothing happens.</summary>
internal static unsafe partial class PageAdvice
{
    private const int DontNeed = 4; // MADV_DONTNEED: Linux

    /// <summary>
    /// Pages of a read-only mapping that are not read again for now: they leave this process's memory, and come back from the file if they
    /// are touched after all.
    /// </summary>
    public static void Forget(NativeView view)
    {
        if (!OperatingSystem.IsLinux())
            return;
        nuint page = (nuint)Environment.SystemPageSize, start = ((nuint)view.Pointer + page - 1) & ~(page - 1), end = ((nuint)view.Pointer + (nuint)view.Length) & ~(page - 1);
        if (start >= end)
            return;
        try
        {
            _ = Advise((void*)start, end - start, DontNeed);
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            // Only memory is saved by it.
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* address, nuint length, int advice);
}
