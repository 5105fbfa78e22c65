using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace QedEdge.Memory;

/// <summary>What a name in a folder stands for.</summary>
internal enum FileKind
{
    File,
    Folder,
    Link,
    Pipe,
    Socket,
    Device,
}

/// <summary>What the system says of a file.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Device">With <paramref name="Inode"/>, which file it is, whatever its names.</param>
/// <param name="Inode">0 where the system does not tell.</param>
/// <param name="Mode">Who may do what.</param>
/// <param name="Owner">The user; <see cref="Unknown"/> where the system does not tell.</param>
/// <param name="Group">The group; likewise.</param>
internal readonly partial record struct FileStatus(FileKind Kind, ulong Device, ulong Inode, UnixFileMode Mode, uint Owner, uint Group)
{
    /// <summary>No user and no group; chown(2) takes it for "as it is".</summary>
    public const uint Unknown = uint.MaxValue;

    private const int CurrentFolder = -100; // AT_FDCWD
    private const int NoFollow = 0x100, EmptyPath = 0x1000; // AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH
    private const uint Basic = 0x7FF; // STATX_BASIC_STATS
    private const int NoPermission = 1, NoEntry = 2, NoFolder = 20, NoSuchCall = 38; // EPERM: a sandbox that does not know the call

    /// <summary>What a name stands for, or null where that is nothing.</summary>
    /// <param name="path">The name.</param>
    /// <param name="follow">Whether of a link it is what it leads to.</param>
    /// <exception cref="IOException">It cannot be found out: links that go round in a circle, a name that is too long, no permission.</exception>
    public static FileStatus? Of(string path, bool follow = true)
    {
        path = Path.GetFullPath(path); // as all of .NET takes it: "link/.." is where the link lies
        return Ask(null, path, follow ? 0 : NoFollow, out FileStatus? status) ? status : ByName(path, follow);
    }

    /// <summary>What an open file is.</summary>
    /// <exception cref="IOException">It cannot be found out.</exception>
    public static FileStatus Of(SafeFileHandle file) => Ask(file, "", EmptyPath, out FileStatus? status) && status is { } known
        ? known
        : new FileStatus(FileKind.File, 0, 0, OperatingSystem.IsWindows() ? default : File.GetUnixFileMode(file), Unknown, Unknown);

    /// <summary>Whether two are the same file, as far as the system tells.</summary>
    public bool IsSameFile(FileStatus? other) => other is { } there && (there.Device, there.Inode) == (Device, Inode);

    /// <summary>What it is, where it is no plain file.</summary>
    public string KindName => Kind switch
    {
        FileKind.Folder => "a folder",
        FileKind.Link => "a link",
        FileKind.Pipe => "a named pipe",
        FileKind.Socket => "a socket",
        FileKind.Device => "a device",
        _ => "a file",
    };

    /// <summary>False where the system has no such call.</summary>
    private static bool Ask(SafeHandle? file, string path, int flags, out FileStatus? status)
    {
        status = null;
        if (!OperatingSystem.IsLinux())
            return false;
        Answer answer = default;
        try
        {
            int result = file is null ? StatX(CurrentFolder, path, flags, Basic, ref answer) : StatX(file, path, flags, Basic, ref answer);
            if (result == 0)
            {
                var device = ((ulong)answer.DeviceMajor << 32) | answer.DeviceMinor;
                status = new FileStatus(KindOf(answer.Mode), device, answer.Inode, (UnixFileMode)(answer.Mode & 0xFFF), answer.Owner, answer.Group);
                return true;
            }
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            return false;
        }
        int error = Marshal.GetLastPInvokeError();
        if (error is NoPermission or NoSuchCall)
            return false;
        return error is NoEntry or NoFolder ? true : throw new IOException(Marshal.GetPInvokeErrorMessage(error), error);
    }

    private static FileKind KindOf(ushort mode) => (mode & 0xF000) switch
    {
        0x8000 => FileKind.File,
        0x4000 => FileKind.Folder,
        0xA000 => FileKind.Link,
        0x1000 => FileKind.Pipe,
        0xC000 => FileKind.Socket,
        _ => FileKind.Device,
    };

    private static FileStatus? ByName(string path, bool follow)
    {
        var file = new FileInfo(path);
        FileKind? kind = !follow && file.LinkTarget is not null ? FileKind.Link : Directory.Exists(path) ? FileKind.Folder : file.Exists ? FileKind.File : null;
        return kind is { } found ? new FileStatus(found, 0, 0, OperatingSystem.IsWindows() ? default : file.UnixFileMode, Unknown, Unknown) : null;
    }

    /// <summary>struct statx: the same on every processor.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct Answer
    {
        [FieldOffset(20)] public uint Owner;
        [FieldOffset(24)] public uint Group;
        [FieldOffset(28)] public ushort Mode;
        [FieldOffset(32)] public ulong Inode;
        [FieldOffset(136)] public uint DeviceMajor;
        [FieldOffset(140)] public uint DeviceMinor;
    }

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int StatX(int folder, string path, int flags, uint mask, ref Answer answer);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int StatX(SafeHandle folder, string path, int flags, uint mask, ref Answer answer);
}
