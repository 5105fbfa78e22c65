using System.Runtime.InteropServices;

namespace QedEdge.Memory;

/// <summary>Advice to the operating system about pages (madvise(2)). Where it cannot be given nothing happens.</summary>
internal static unsafe partial class PageAdvice
{
    private const int DontNeed = 4, HugePage = 14; // MADV_DONTNEED, MADV_HUGEPAGE: Linux
    private const int SmallPage = 4096;

    /// <summary>
    /// Pages of a read-only mapping that are not read again for now: they leave this process's memory, and come back from the file if they
    /// are touched after all.
    /// </summary>
    public static void Forget(NativeView view) => Advise(view, DontNeed);

    /// <summary>
    /// Memory all of which is read over and over: in pages of 2 MB, where the system can, its reading does not wait for addresses to be looked up
    /// (docs/performance.md). For a file that holds where its file system knows large folios, and from when the file next comes from the disk; elsewhere
    /// more of it is read ahead. Where pages are larger to begin with, huge ones would be too large.
    /// </summary>
    public static void PreferHuge(NativeView view)
    {
        if (Environment.SystemPageSize == SmallPage)
            Advise(view, HugePage);
    }

    private static void Advise(NativeView view, int advice)
    {
        if (!OperatingSystem.IsLinux())
            return;
        nuint page = (nuint)Environment.SystemPageSize, start = ((nuint)view.Pointer + page - 1) & ~(page - 1), end = ((nuint)view.Pointer + (nuint)view.Length) & ~(page - 1);
        if (start >= end)
            return;
        try
        {
            _ = Advise((void*)start, end - start, advice);
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            // Only memory or time is saved by it.
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* address, nuint length, int advice);
}
