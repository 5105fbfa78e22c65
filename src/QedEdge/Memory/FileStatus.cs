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
/// <param name="Length">Bytes; 0 for what is no plain file, and for files that are made up when they are read.</param>
internal readonly partial record struct FileStatus(FileKind Kind, ulong Device, ulong Inode, UnixFileMode Mode, uint Owner, uint Group, long Length)
{
    /// <summary>No user and no group; chown(2) takes it for "as it is".</summary>
    public const uint Unknown = uint.MaxValue;

    private const int CurrentFolder = -100; // AT_FDCWD
    private const int NoFollow = 0x100, EmptyPath = 0x1000; // AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH
    private const FileAttributes Nothing = (FileAttributes)(-1);
    private const uint Basic = 0x7FF; // STATX_BASIC_STATS
    private const int NoPermission = 1, NoEntry = 2, NoAccess = 13, NoFolder = 20, NoSuchCall = 38; // EPERM: a sandbox that does not know the call

    /// <summary>
    /// Whether a name stands for anything, be it a link to nowhere. File.Exists and its like take for "no" that it cannot be found out; then a part of the input would be dropped in silence.
    /// </summary>
    /// <exception cref="QedException">It cannot be found out.</exception>
    public static bool Exists(string path) => Find(path, follow: false) is not null;

    /// <summary>As <see cref="Of(string, bool)"/>, with an error for the user.</summary>
    /// <exception cref="QedException">It cannot be found out.</exception>
    public static FileStatus? Find(string path, bool follow = true)
    {
        try
        {
            return Of(path, follow);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new QedException($"{path}: {(e is IOException ? $"its status cannot be read: {QedException.FirstLine(e)}" : "no permission to search its folder")}", e);
        }
    }

    /// <summary>Whether a name stands for a folder, for the words of an error that has come already.</summary>
    public static bool IsFolder(string path) => KindOf(path) is FileKind.Folder;

    /// <summary>What a name stands for; null too where it cannot be found out: for the words of an error that has come already, and where another call will say why.</summary>
    public static FileKind? KindOf(string path, bool follow = true)
    {
        try
        {
            return Of(path, follow)?.Kind;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>What a name stands for, or null where that is nothing.</summary>
    /// <param name="path">The name.</param>
    /// <param name="follow">Whether of a link it is what it leads to.</param>
    /// <exception cref="IOException">It cannot be found out: links that go round in a circle, a name that is too long.</exception>
    /// <exception cref="UnauthorizedAccessException">A folder on the way may not be searched.</exception>
    public static FileStatus? Of(string path, bool follow = true)
    {
        if (path.Length == 0 || path.Contains('\0'))
            return null; // no file has such a name
        path = Path.GetFullPath(path); // as all of .NET takes it: "link/.." is where the link lies
        return Ask(null, path, follow ? 0 : NoFollow, out FileStatus? status) ? status : ByName(path, follow);
    }

    /// <summary>What an open file is.</summary>
    /// <exception cref="IOException">It cannot be found out.</exception>
    public static FileStatus Of(SafeFileHandle file) => Ask(file, "", EmptyPath, out FileStatus? status) && status is { } known
        ? known
        : new FileStatus(FileKind.File, 0, 0, OperatingSystem.IsWindows() ? default : File.GetUnixFileMode(file), Unknown, Unknown, RandomAccess.GetLength(file));

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
                FileKind kind = KindOf(answer.Mode);
                status = new FileStatus(kind, device, answer.Inode, (UnixFileMode)(answer.Mode & 0xFFF), answer.Owner, answer.Group, kind == FileKind.File ? answer.Length : 0);
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
        return error switch
        {
            NoEntry or NoFolder => true,
            NoAccess => throw new UnauthorizedAccessException(Marshal.GetPInvokeErrorMessage(error)),
            _ => throw new IOException(Marshal.GetPInvokeErrorMessage(error), error),
        };
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
        FileAttributes attributes = file.Attributes; // throws where Exists would say no
        if (attributes == Nothing)
            return null;
        bool isLink = attributes.HasFlag(FileAttributes.ReparsePoint) && file.LinkTarget is not null;
        if (isLink && follow)
            return file.ResolveLinkTarget(returnFinalTarget: true) is { } target ? ByName(target.FullName, follow: false) : null;
        FileKind kind = isLink ? FileKind.Link : attributes.HasFlag(FileAttributes.Directory) ? FileKind.Folder : FileKind.File;
        return new FileStatus(kind, 0, 0, OperatingSystem.IsWindows() ? default : file.UnixFileMode, Unknown, Unknown, kind == FileKind.File ? file.Length : 0);
    }

    /// <summary>struct statx: the same on every processor.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct Answer
    {
        [FieldOffset(20)] public uint Owner;
        [FieldOffset(24)] public uint Group;
        [FieldOffset(28)] public ushort Mode;
        [FieldOffset(32)] public ulong Inode;
        [FieldOffset(40)] public long Length;
        [FieldOffset(136)] public uint DeviceMajor;
        [FieldOffset(140)] public uint DeviceMinor;
    }

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int StatX(int folder, string path, int flags, uint mask, ref Answer answer);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int StatX(SafeHandle folder, string path, int flags, uint mask, ref Answer answer);
}
