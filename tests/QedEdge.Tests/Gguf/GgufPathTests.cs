using System.Runtime.InteropServices;
using QedEdge.Gguf;

namespace QedEdge.Tests.Gguf;

/// <summary>Paths that cannot be opened, and files opened by their path.</summary>
public sealed partial class GgufPathTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("qed-gguf-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Open_MapsAFile()
    {
        string path = Path.Combine(_folder, "model.gguf");
        File.WriteAllBytes(path, GgufSample.Qed());
        using var file = GgufFile.Open(path);
        Assert.Equal(path, file.Name);
        Assert.Equal("sample", file.Metadata.GetString(GgufKeys.Name));
        Assert.Empty(GgufChecksums.Verify(file, cancellation: TestContext.Current.CancellationToken));
    }

    [Fact]
    public void Open_RefusesAFolder() => Refused(_folder, "is a folder");

    [Fact]
    public void Open_RefusesAMissingFile() => Refused(Path.Combine(_folder, "missing.gguf"), "no such file");

    [Fact]
    public void Open_RefusesAMissingFolder() => Refused(Path.Combine(_folder, "no", "missing.gguf"), "no such file");

    [Fact]
    public void Open_RefusesNoPath() => Refused("", "no such file");

    [Fact]
    public void Open_RefusesAnEmptyFile()
    {
        string path = Path.Combine(_folder, "empty.gguf");
        File.WriteAllBytes(path, []);
        var error = Assert.Throws<ModelFormatException>(() => GgufFile.Open(path));
        Assert.Equal(ModelFault.ShortFile, error.Fault);
        Assert.Contains("empty", error.Message);
    }

    [Fact]
    public void Open_ReleasesARefusedFile()
    {
        string path = Path.Combine(_folder, "bad.gguf");
        File.WriteAllText(path, "<html>");
        Assert.Throws<ModelFormatException>(() => GgufFile.Open(path));
        using var writable = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
    }

    [Fact]
    public void Open_SaysThatPermissionIsMissing()
    {
        if (!OperatingSystem.IsLinux())
        {
            Assert.Skip("takes a permission away as only Linux can, from one thread");
            return;
        }
        string path = Path.Combine(_folder, "secret.gguf");
        File.WriteAllBytes(path, GgufSample.Qed());
        File.SetUnixFileMode(path, UnixFileMode.None);
        // The superuser may read everything, so this thread looks at files as nobody meanwhile; for others the call does nothing.
        const uint nobody = 65534;
        int before = ActAs(nobody);
        try
        {
            Refused(path, "no permission");
        }
        finally
        {
            _ = ActAs((uint)before);
        }
    }

    /// <summary>Sets the user whose rights this thread has on files; returns the one before.</summary>
    [LibraryImport("libc", EntryPoint = "setfsuid")]
    private static partial int ActAs(uint user);

    private static void Refused(string path, string says)
    {
        var error = Assert.Throws<ModelFormatException>(() => GgufFile.Open(path));
        Assert.Equal(ModelFault.Unreadable, error.Fault);
        Assert.Contains(says, error.Message);
        Assert.DoesNotContain('\n', error.Message);
    }
}
