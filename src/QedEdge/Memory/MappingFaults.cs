using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text.Unicode;

namespace QedEdge.Memory;

/// <summary>
/// What happens where a mapped file is cut off, or its card is pulled, while it is read: the kernel sends SIGBUS to the thread that touches what is gone. In a program that asked
/// for it (<see cref="EndTheProgram"/>) that is one error line and exit code 3. Reading costs nothing for it: nobody looks before a fault. A library leaves its host's signals alone.
/// </summary>
internal static unsafe partial class MappingFaults
{
    private const int BusError = 7, StandardError = 2, ModelExitCode = 3; // SIGBUS of Linux on x64 and arm64

    // Without initializers: the handler must find them without a class constructor.
    private static nint s_first; // Entry*
    private static SignalAction s_before;
    private static int s_ending;
    private static bool s_armed;

    /// <summary>From now on a fault in a mapped file ends the process. Of native code only: elsewhere the handler might have to be compiled first.</summary>
    public static void EndTheProgram()
    {
        if (!OperatingSystem.IsLinux() || RuntimeFeature.IsDynamicCodeSupported)
            return;
        // A plain address, not that of a method for unmanaged callers: these may not come from managed code, where nearly all faults are. Machine words are passed alike.
        var action = new SignalAction { Handler = (nint)(delegate*<int, byte*, void*, void>)&OnFault, Flags = SignalAction.WithInformation };
        fixed (SignalAction* before = &s_before)
            s_armed = SetAction(BusError, &action, before) == 0;
    }

    /// <summary>Says that a part of the address space is a file's; null where nobody asked for it.</summary>
    /// <param name="start">Its first byte.</param>
    /// <param name="length">Its length in bytes.</param>
    /// <param name="path">What the error calls the file.</param>
    public static Entry* Add(byte* start, long length, string path)
    {
        if (!s_armed)
            return null;
        var entry = (Entry*)Volatile.Read(ref s_first);
        while (entry is not null && Interlocked.Exchange(ref entry->Taken, 1) != 0)
            entry = entry->Next;
        if (entry is null)
        {
            // Never freed, since a handler may be looking at it; there are no more than mappings at a time.
            entry = (Entry*)NativeMemory.AllocZeroed((nuint)sizeof(Entry));
            entry->Taken = 1;
            do
                entry->Next = (Entry*)Volatile.Read(ref s_first);
            while (Interlocked.CompareExchange(ref s_first, (nint)entry, (nint)entry->Next) != (nint)entry->Next);
        }
        Utf8.FromUtf16($"error: {QedException.Printable(path)}: was cut off, or could not be read, while it was in use; copy it again\n", new Span<byte>(entry->Message, Entry.MessageBytes), out _, out entry->MessageLength);
        entry->End = start + length;
        Volatile.Write(ref *(nint*)&entry->Start, (nint)start);
        return entry;
    }

    /// <summary>Says that it is no longer.</summary>
    public static void Remove(Entry* entry)
    {
        if (entry is null)
            return;
        entry->Start = entry->End = null;
        Volatile.Write(ref entry->Taken, 0);
    }

    /// <summary>Runs on the thread that had the fault, whatever it was doing: only what is allowed then, in POSIX and to managed code that is called so.</summary>
    private static void OnFault(int signal, byte* information, void* context)
    {
        const int AddressOffset = 16; // si_addr
        byte* address = *(byte**)(information + AddressOffset);
        for (var entry = (Entry*)s_first; entry is not null; entry = entry->Next)
        {
            if (address < entry->Start || address >= entry->End)
                continue;
            while (Interlocked.Exchange(ref s_ending, 1) != 0)
                Pause(); // another thread says it
            _ = Write(StandardError, entry->Message, entry->MessageLength);
            Exit(ModelExitCode);
        }
        // Somebody else's: what happened before happens when this has returned.
        fixed (SignalAction* before = &s_before)
            _ = SetAction(signal, before, null);
        _ = Raise(signal);
    }

    /// <summary>A mapping that exists.</summary>
    internal struct Entry
    {
        public const int MessageBytes = 4352; // a path of the longest kind, and what is said of it

        public byte* Start, End;
        public Entry* Next;
        public int Taken, MessageLength;
        public fixed byte Message[MessageBytes];
    }

    /// <summary><c>struct sigaction</c> of glibc and musl.</summary>
    private struct SignalAction
    {
        public const int WithInformation = 4; // SA_SIGINFO

        public nint Handler;
        public fixed ulong Mask[16];
        public int Flags;
        public nint Restorer;
    }

    // Linked, not looked up when first called, and called without telling the collector: a handler can do neither (Directory.Build.targets).
    [LibraryImport("libc", EntryPoint = "sigaction")]
    [SuppressGCTransition]
    private static partial int SetAction(int signal, SignalAction* action, SignalAction* before);

    [LibraryImport("libc", EntryPoint = "write")]
    [SuppressGCTransition]
    private static partial nint Write(int descriptor, byte* bytes, nint count);

    [LibraryImport("libc", EntryPoint = "_exit")]
    [SuppressGCTransition]
    private static partial void Exit(int code);

    [LibraryImport("libc", EntryPoint = "raise")]
    [SuppressGCTransition]
    private static partial int Raise(int signal);

    [LibraryImport("libc", EntryPoint = "pause")]
    [SuppressGCTransition]
    private static partial int Pause();
}
