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
}
