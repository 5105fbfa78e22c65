using QedEdge.Memory;

namespace QedEdge.Tests.Memory;

/// <summary>What a name stands for, and that it cannot be found out.</summary>
public sealed class FileStatusTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;
    private readonly string _file, _link, _nowhere;

    public FileStatusTests()
    {
        (_file, _link, _nowhere) = (Path.Combine(_folder, "file"), Path.Combine(_folder, "link"), Path.Combine(_folder, "nowhere"));
        File.WriteAllText(_file, "content");
        File.CreateSymbolicLink(_link, "file");
        File.CreateSymbolicLink(_nowhere, "nothing");
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void AName_StandsForAFileAFolderALinkOrNothing()
    {
        Assert.Equal((FileKind.File, 7), (FileStatus.Of(_file)!.Value.Kind, FileStatus.Of(_file)!.Value.Length));
        Assert.Equal((FileKind.Folder, 0), (FileStatus.Of(_folder)!.Value.Kind, FileStatus.Of(_folder)!.Value.Length));
        Assert.Equal((FileKind.File, 7), (FileStatus.Of(_link)!.Value.Kind, FileStatus.Of(_link)!.Value.Length));
        Assert.Equal(FileKind.Link, FileStatus.Of(_link, follow: false)!.Value.Kind);
        Assert.Null(FileStatus.Of(_nowhere));
        foreach (string nothing in new[] { "", "a\0b", Path.Combine(_folder, "nothing"), Path.Combine(_file, "inside") })
        {
            Assert.Null(FileStatus.Of(nothing));
            Assert.False(FileStatus.Exists(nothing));
        }
    }

    /// <summary>Who reads it refuses it: it must not pass for a file that was never there.</summary>
    [Fact]
    public void ALinkToNowhere_IsThere() => Assert.True(FileStatus.Exists(_nowhere));

    [Fact]
    public void WhatCannotBeFoundOut_IsNoNo()
    {
        string path = Path.Combine(_folder, new string('a', 300)); // longer than a name may be
        Assert.False(File.Exists(path));
        var error = Assert.Throws<QedException>(() => FileStatus.Exists(path));
        Assert.StartsWith($"{path}: its status cannot be read: ", error.Message);
        Assert.Null(FileStatus.KindOf(path));
        Assert.Throws<QedException>(() => FileIdentity.Of(path));
    }

    [Fact]
    public void Links_AreFollowedToTheirEnd()
    {
        string second = Path.Combine(_folder, "second"), circle = Path.Combine(_folder, "circle");
        File.CreateSymbolicLink(second, _link);
        File.CreateSymbolicLink(circle, "circle");
        Assert.Equal(_file, FileLinks.Resolve(second));
        Assert.Equal(Path.Combine(_folder, "nothing"), FileLinks.Resolve(_nowhere));
        Assert.Equal(_file, FileLinks.Resolve(_file));
        Assert.Equal($"{circle}: links go round in a circle", Assert.Throws<QedException>(() => FileLinks.Resolve(circle)).Message);
    }
}
