using System.Runtime.Versioning;
using QedEdge.Memory;

namespace QedEdge.Tests.Memory;

public sealed class AtomicFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("qed-atomic-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string Target => Path.Combine(_folder, "out.gguf");

    [Fact]
    public void Commit_GivesTheWholeFileItsName()
    {
        using (var file = new AtomicFile(Target, overwrite: false))
        {
            file.Stream.Write("whole"u8);
            Assert.False(File.Exists(Target));
            file.Commit();
        }
        Assert.Equal("whole", File.ReadAllText(Target));
        Assert.Single(Directory.GetFiles(_folder));
    }

    [Fact]
    public void BeginFlush_ChangesNothingOfWhatIsWritten()
    {
        byte[] content = new byte[9 << 20];
        new Random(1).NextBytes(content);
        using (var file = new AtomicFile(Target, overwrite: false))
        {
            file.Fill(stream =>
            {
                stream.Write(new byte[16]); // what is known at the end stands at the beginning
                foreach (byte[] piece in content[16..].Chunk(1_000_003))
                {
                    stream.Write(piece);
                    file.BeginFlush();
                }
                stream.Position = 0;
                stream.Write(content.AsSpan(0, 16));
            });
        }
        Assert.True(content.AsSpan().SequenceEqual(File.ReadAllBytes(Target)));
    }

    [Fact]
    public void ALink_StaysALink()
    {
        string link = Path.Combine(_folder, "link");
        File.WriteAllText(Target, "old");
        File.CreateSymbolicLink(link, Target);
        Assert.Throws<QedException>(() => new AtomicFile(link, overwrite: false));
        using (var file = new AtomicFile(link, overwrite: true))
        {
            file.Stream.Write("new"u8);
            file.Commit();
        }
        Assert.Equal(Target, new FileInfo(link).LinkTarget);
        Assert.Equal("new", File.ReadAllText(Target));
    }

    [Theory]
    [InlineData("")]
    [InlineData("/dev/null")]
    [InlineData("/dev/full")]
    [InlineData("/proc/self/mem")]
    public void NoFile_IsRefused(string path)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "names of Linux");
        Assert.Throws<QedException>(() => new AtomicFile(path, overwrite: true));
    }

    [Fact]
    public void Dispose_WithoutCommit_LeavesNothing()
    {
        Assert.Throws<InvalidOperationException>(Interrupted);
        Assert.Empty(Directory.GetFiles(_folder));

        void Interrupted()
        {
            using var file = new AtomicFile(Target, overwrite: false);
            file.Stream.Write("half"u8);
            throw new InvalidOperationException();
        }
    }

    [Fact]
    public void Dispose_WithoutCommit_KeepsTheFileThatWasToBeReplaced()
    {
        File.WriteAllText(Target, "old");
        using (var file = new AtomicFile(Target, overwrite: true))
            file.Stream.Write("half"u8);
        Assert.Equal("old", File.ReadAllText(Target));
        Assert.Single(Directory.GetFiles(_folder));
    }

    [Fact]
    public void ExistingOutput_IsKept_UnlessOverwritten()
    {
        File.WriteAllText(Target, "old");
        var error = Assert.Throws<QedException>(() => new AtomicFile(Target, overwrite: false));
        Assert.Contains("--force", error.Message);
        Assert.Equal("old", File.ReadAllText(Target));
        using (var file = new AtomicFile(Target, overwrite: true))
        {
            file.Stream.Write("new"u8);
            file.Commit();
        }
        Assert.Equal("new", File.ReadAllText(Target));
        Assert.Single(Directory.GetFiles(_folder));
    }

    [Fact]
    public void Commit_DoesNotReplaceAFileThatAppearedMeanwhile()
    {
        using (var file = new AtomicFile(Target, overwrite: false))
        {
            file.Stream.Write("mine"u8);
            File.WriteAllText(Target, "theirs");
            Assert.Throws<QedException>(() => file.Commit());
        }
        Assert.Equal("theirs", File.ReadAllText(Target));
        Assert.Single(Directory.GetFiles(_folder));
    }

    [Fact]
    public void BadTargets_AreRefused_WithTheReason()
    {
        Assert.Contains("is a folder", Assert.Throws<QedException>(() => new AtomicFile(_folder, overwrite: true)).Message);
        string missing = Path.Combine(_folder, "no", "out.gguf");
        Assert.Contains("does not exist", Assert.Throws<QedException>(() => new AtomicFile(missing, overwrite: false)).Message);
    }

    [Fact]
    public void WhatAKilledRunLeft_IsTakenOver()
    {
        File.WriteAllText(OutputNames.Temporary(Target), "half");
        using (var file = new AtomicFile(Target, overwrite: false))
        {
            file.Stream.Write("whole"u8);
            file.Commit();
        }
        Assert.Equal("whole", File.ReadAllText(Target));
        Assert.Single(Directory.GetFiles(_folder));
    }

    /// <summary>A kill may come when the file has its name already and the temporary one still: only that one goes.</summary>
    [Fact]
    public void ALeftover_ThatIsAnotherNameOfTheOutput_LosesItsNameAlone()
    {
        Tools.Require("ln");
        File.WriteAllText(Target, "whole");
        Assert.Equal(0, Tools.Run("ln", [Target, OutputNames.Temporary(Target)]).ExitCode);
        AtomicFile.Check(Target, overwrite: true);
        Assert.Equal("whole", File.ReadAllText(Target));
        Assert.Single(Directory.GetFiles(_folder));
    }

    [Fact]
    public void OfTwoAtOnce_TheSecondIsRefused_AndTheFirstStaysWhole()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "locks of Linux");
        using (var file = new AtomicFile(Target, overwrite: false))
        {
            file.Stream.Write("first"u8);
            Assert.Contains("another run writes it", Assert.Throws<QedException>(() => new AtomicFile(Target, overwrite: true)).Message);
            file.Commit();
        }
        Assert.Equal("first", File.ReadAllText(Target));
        Assert.Single(Directory.GetFiles(_folder));
    }

    /// <summary>Many begin, replace and give up the same file at once: it is always whole, and nothing is left.</summary>
    [Fact]
    public void ManyAtOnce_LeaveOneWholeFile()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "locks of Linux");
        int written = 0;
        Parallel.For(0, 8, new ParallelOptions { MaxDegreeOfParallelism = 8 }, worker =>
        {
            for (int i = 0; i < 300; i++)
            {
                try
                {
                    using var file = new AtomicFile(Target, overwrite: true);
                    file.Stream.Write(Content(worker));
                    if (i % 3 == 0)
                        continue; // given up
                    file.Commit(flush: false);
                    Interlocked.Increment(ref written);
                }
                catch (QedException e) when (e.Message.Contains("another run"))
                {
                }
                if (File.Exists(Target))
                    Assert.Contains(File.ReadAllBytes(Target), Enumerable.Range(0, 8).Select(Content));
            }
        });
        Assert.True(written > 0);
        Assert.Single(Directory.GetFiles(_folder));

        static byte[] Content(int worker) => [.. Enumerable.Repeat((byte)worker, 1000 + worker)];
    }

    [Theory]
    [InlineData("link")]
    [InlineData("dangling link")]
    [InlineData("folder")]
    [InlineData("pipe")]
    public void WhatStandsWhereItIsPutTogether_IsNotTouched(string kind)
    {
        string temporary = OutputNames.Temporary(Target), other = Path.Combine(_folder, "other");
        if (kind == "link")
            File.WriteAllText(other, "precious");
        if (kind.EndsWith("link", StringComparison.Ordinal))
            File.CreateSymbolicLink(temporary, other);
        else if (kind == "folder")
            Directory.CreateDirectory(temporary);
        else
            MakePipe(temporary);
        Assert.Matches("is a (link|folder|named pipe), .* remove it$", Assert.Throws<QedException>(() => new AtomicFile(Target, overwrite: true)).Message);
        Assert.Equal(kind == "link", File.Exists(other));
        if (kind == "link")
            Assert.Equal("precious", File.ReadAllText(other));
    }

    [Theory]
    [InlineData(0x180)] // 0600
    [InlineData(0x124)] // 0444
    [InlineData(0x1FF)] // 0777
    [InlineData(0x11)]  // 0021
    [UnsupportedOSPlatform("windows")]
    public void AReplacedFile_KeepsItsMode(int mode)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "modes of Unix");
        File.WriteAllText(Target, "old");
        File.SetUnixFileMode(Target, (UnixFileMode)mode);
        using (var file = new AtomicFile(Target, overwrite: true))
        {
            Assert.Equal((UnixFileMode)0x180, File.GetUnixFileMode(file.Stream.SafeFileHandle)); // never more than the old one's while it is written
            file.Stream.Write("new"u8);
            file.Commit();
        }
        Assert.Equal((UnixFileMode)mode, File.GetUnixFileMode(Target));
    }

    [Fact]
    public void AReplacedFile_KeepsItsOwner_WhereThatMayBeGiven()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess, "only the superuser gives files away");
        File.WriteAllText(Target, "old");
        Assert.Equal(0, Tools.Run("chown", ["1234:4321", Target]).ExitCode);
        using (var file = new AtomicFile(Target, overwrite: true))
            file.Commit();
        Assert.Equal("1234 4321", Tools.Run("stat", ["-c", "%u %g", Target]).Output.Trim());
    }

    [Fact]
    [UnsupportedOSPlatform("windows")]
    public void ANewFile_HasTheUsualMode_OrAPrivateOne()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "modes of Unix");
        string usual = Path.Combine(_folder, "usual"), hidden = Path.Combine(_folder, "private");
        File.WriteAllText(usual, "");
        foreach ((string path, bool isPrivate) in new[] { (Target, false), (hidden, true) })
        {
            using var file = new AtomicFile(path, overwrite: false, isPrivate);
            file.Commit();
        }
        Assert.Equal(File.GetUnixFileMode(usual), File.GetUnixFileMode(Target));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(hidden));
    }

    [Fact]
    public void Names_AreAsLongAsTheFileSystemHasThem()
    {
        foreach (string name in new[] { new string('n', 255), new string('é', 127), new string('n', OutputNames.LongestExtended + 1) })
        {
            using var file = new AtomicFile(Path.Combine(_folder, name), overwrite: false);
            file.Commit();
            Assert.True(File.Exists(Path.Combine(_folder, name)));
        }
        Assert.Contains("File name too long", Assert.Throws<QedException>(() => new AtomicFile(Path.Combine(_folder, new string('n', 256)), overwrite: false)).Message);
    }

    [Fact]
    public void WhatIsNoFile_IsNotReplaced()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "names of Linux");
        string loop = Path.Combine(_folder, "loop"), pipe = Path.Combine(_folder, "pipe");
        File.CreateSymbolicLink(loop, "loop");
        MakePipe(pipe);
        Assert.Contains("symbolic links", Assert.Throws<QedException>(() => new AtomicFile(loop, overwrite: true)).Message);
        Assert.Contains("is a named pipe", Assert.Throws<QedException>(() => new AtomicFile(pipe, overwrite: true)).Message);
        Assert.Contains("is a device", Assert.Throws<QedException>(() => new AtomicFile("/dev/null", overwrite: true)).Message);
        File.CreateSymbolicLink(Target, "/dev/null");
        Assert.Contains("is a device", Assert.Throws<QedException>(() => new AtomicFile(Target, overwrite: true)).Message);
    }

    private static void MakePipe(string path)
    {
        Tools.Require("mkfifo");
        Assert.Equal(0, Tools.Run("mkfifo", [path]).ExitCode);
    }
}
