using System.Buffers.Binary;
using System.Text;

namespace QedEdge.Tests.Conversion;

/// <summary>A folder of its own for a test, and the files that the tests of the converter need in it.</summary>
internal sealed class CheckpointFolder : IDisposable
{
    public CheckpointFolder() => Directory.CreateDirectory(Path);

    public string Path { get; } = System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"qed-{Guid.NewGuid():N}");

    /// <summary>The reference checkpoints, from the repository.</summary>
    public static string Golden(string name) => System.IO.Path.Combine(Root(), "tests", "golden", name);

    /// <summary>A path in the folder.</summary>
    public string this[string name] => System.IO.Path.Combine(Path, name);

    /// <summary>Copies a reference checkpoint's files into the folder.</summary>
    public CheckpointFolder With(string golden)
    {
        foreach (string file in Directory.GetFiles(Golden(golden)))
            File.Copy(file, this[System.IO.Path.GetFileName(file)]);
        return this;
    }

    /// <summary>Replaces text in a file's bytes; both texts are ASCII of one length.</summary>
    public void Replace(string name, string from, string to)
    {
        Assert.Equal(from.Length, to.Length);
        byte[] bytes = File.ReadAllBytes(this[name]);
        int at = bytes.AsSpan().IndexOf(Encoding.ASCII.GetBytes(from));
        Assert.True(at >= 0, from);
        Encoding.ASCII.GetBytes(to).CopyTo(bytes, at);
        File.WriteAllBytes(this[name], bytes);
    }

    /// <summary>A safetensors file of a header's text and some bytes of data.</summary>
    public static byte[] Safetensors(string header, int dataBytes)
    {
        byte[] text = Encoding.UTF8.GetBytes(header);
        byte[] bytes = new byte[8 + text.Length + dataBytes];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, text.Length);
        text.CopyTo(bytes, 8);
        return bytes;
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);

    private static string Root()
    {
        string folder = AppContext.BaseDirectory;
        while (!File.Exists(System.IO.Path.Combine(folder, "QedEdge.sln")))
            folder = System.IO.Path.GetDirectoryName(folder)!;
        return folder;
    }
}
