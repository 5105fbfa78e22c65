using System.Runtime.InteropServices;

namespace QedEdge.Fuzz;

/// <summary>What the C library and the kernel know of this process's memory.</summary>
internal static unsafe partial class SystemMemory
{
    private const int ReadWrite = 3, None = 0, PrivateAnonymous = 0x22, AddressSpace = 9;

    /// <summary>Bytes that malloc has given out and that were not freed.</summary>
    public static long InUse
    {
        get
        {
            MallInfo info = MallInfo2();
            return (long)(info.Used + info.Mapped);
        }
    }

    /// <summary>Memory whose end is followed by a page that cannot be read: who reads behind an input dies.</summary>
    /// <returns>The end.</returns>
    public static byte* Guarded(int bytes)
    {
        int page = Environment.SystemPageSize;
        int length = (bytes + page - 1) / page * page;
        var start = (byte*)Map(null, (nuint)(length + page), ReadWrite, PrivateAnonymous, -1, 0);
        if ((nint)start == -1 || Protect(start + length, (nuint)page, None) != 0)
            throw new InvalidOperationException("no guarded memory");
        return start + length;
    }

    /// <summary>Lets the process take so much more address space and no more: what an input makes it reserve beyond fails.</summary>
    public static void Cap(long more)
    {
        long pages = long.Parse(File.ReadAllText("/proc/self/statm").Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture);
        var limit = stackalloc ulong[2];
        limit[0] = limit[1] = (ulong)(pages * Environment.SystemPageSize + more);
        if (SetLimit(AddressSpace, limit) != 0)
            throw new InvalidOperationException("no limit of the address space");
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct MallInfo
    {
        public nuint Arena, FreeChunks, FastChunks, MappedChunks, Mapped, Most, FastFree, Used, Free, Keep;
    }

    [LibraryImport("libc", EntryPoint = "mallinfo2")]
    private static partial MallInfo MallInfo2();

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial void* Map(void* address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect")]
    private static partial int Protect(void* address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "setrlimit")]
    private static partial int SetLimit(int resource, ulong* limit);
}
