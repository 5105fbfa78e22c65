using System.Text;
using QedEdge.Memory;

namespace QedEdge.Tests.Memory;

/// <summary>Files that are only read.</summary>
public sealed class InputFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;
    private readonly string _file;

    public InputFileTests()
    {
        _file = Path.Combine(_folder, "file");
        File.WriteAllText(_file, "content");
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void AFile_IsReadWhole()
    {
        Assert.Equal("content"u8, InputFile.ReadAllBytes(_file));
        using var handle = InputFile.OpenHandle(_file);
        byte[] end = new byte[8];
        Assert.Equal(4, InputFile.Read(handle, end, 3));
        Assert.Equal("tent"u8, end.AsSpan(0, 4));
    }

    [Fact]
    public void ALockedFile_IsReadAllTheSame()
    {
        using var locked = new FileStream(_file, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
        if (!OperatingSystem.IsWindows())
            Assert.Equal("content"u8, InputFile.ReadAllBytes(_file));
    }

    [Fact]
    public void WhatIsNoFile_IsSaidByTheException()
    {
        Assert.Throws<FileNotFoundException>(() => InputFile.OpenHandle(Path.Combine(_folder, "nothing")));
        Assert.Throws<FileNotFoundException>(() => InputFile.OpenHandle(_file + "\0"));
        Assert.Throws<FileNotFoundException>(() => InputFile.OpenHandle(""));
        Assert.Throws<FileNotFoundException>(() => InputFile.OpenHandle(Path.Combine(_file, "inside")));
        Assert.Throws<UnauthorizedAccessException>(() => InputFile.OpenHandle(_folder));
    }

    /// <summary>Who waits says so, and a signal may end it.</summary>
    [Fact]
    public void ANamedPipe_IsWaitedForAndRead()
    {
        Tools.Require("mkfifo");
        string pipe = Path.Combine(_folder, "pipe");
        Assert.Equal(0, Tools.Run("mkfifo", [pipe]).ExitCode);
        byte[] read = [];
        var reader = new Thread(() => read = InputFile.ReadAllBytes(pipe));
        reader.Start();
        Assert.True(SpinWait.SpinUntil(static () => PosixStream.IsWaiting, TimeSpan.FromMinutes(1)));
        using (FileStream writer = File.OpenWrite(pipe))
            writer.Write("sent"u8);
        reader.Join();
        Assert.Equal("sent", Encoding.UTF8.GetString(read));
    }
}
