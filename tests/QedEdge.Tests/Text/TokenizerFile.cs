using QedEdge.Conversion;
using QedEdge.Gguf;
using QedEdge.Text;

namespace QedEdge.Tests.Text;

/// <summary>A model file that holds a tokenizer alone, deleted when it is not needed any more.</summary>
internal sealed class TokenizerFile : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    private TokenizerFile(string name, Action<GgufWriter> fill)
    {
        var writer = new GgufWriter();
        fill(writer);
        Path = System.IO.Path.Combine(_folder, name);
        using (FileStream stream = System.IO.File.Create(Path))
        {
            writer.Begin(stream);
            writer.End();
        }
        File = GgufFile.Open(Path);
    }

    /// <summary>Where it lies.</summary>
    public string Path { get; }

    /// <summary>The file, open.</summary>
    public GgufFile File { get; }

    public static TokenizerFile Write(TokenizerData data, FileLayout layout, string architecture = "llama") => new($"{layout}.gguf", writer =>
    {
        writer.Add(GgufKeys.Architecture, architecture);
        TokenizerConversion.Write(writer, data, layout);
        if (data.BosId >= 0)
            writer.Add(GgufKeys.BosTokenId, data.BosId);
        if (data.EosId >= 0)
            writer.Add(GgufKeys.EosTokenId, data.EosId);
    });

    /// <summary>The same with the keys alone that other tools know.</summary>
    public TokenizerFile WithoutOurKeys() => new("foreign.gguf", writer =>
    {
        foreach (string key in File.Metadata.Keys.Where(static key => !GgufKeys.IsOurs(key)))
            writer.Copy(File.Metadata, key);
    });

    /// <summary>The same with values changed: <paramref name="change"/> says whether it wrote a key's.</summary>
    public TokenizerFile Changed(Func<string, GgufWriter, bool> change) => new("changed.gguf", writer =>
    {
        foreach (string key in File.Metadata.Keys)
        {
            if (!change(key, writer))
                writer.Copy(File.Metadata, key);
        }
    });

    public void Dispose()
    {
        File.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
