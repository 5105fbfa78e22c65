namespace QedEdge.Memory;

/// <summary>Makes sure that nothing that a run reads is replaced, emptied or removed by what it writes. Files are compared by <see cref="FileIdentity"/>, not by name.</summary>
internal static class SeparateFiles
{
    /// <summary>Refuses an output that is an input or another output, and likewise where it is one of their <see cref="OutputNames"/>.</summary>
    /// <param name="outputs">Files to be written.</param>
    /// <param name="inputs">Files that are read; of a folder, the files in it that a program may read. What is no file, or not there, is passed over.</param>
    /// <exception cref="InvalidOptionException">Two are the same.</exception>
    /// <exception cref="QedException">Whether they are cannot be found out.</exception>
    public static void Check(IEnumerable<string> outputs, params ReadOnlySpan<string?> inputs)
    {
        Dictionary<FileIdentity, string>? read = null, written = null; // most commands write nothing
        foreach (string output in outputs)
        {
            if (KindOf(output) is FileKind.Folder)
                continue; // who writes the file says so
            read ??= Identities(inputs);
            written ??= [];
            FileIdentity[] names = Array.ConvertAll(OutputNames.All(output), FileIdentity.Of);
            if (read.TryGetValue(names[0], out string? source))
                throw new InvalidOptionException($"{output}: would take the place of {source}, which is read; name another output");
            if (Array.Find(names, read.ContainsKey) is { } beside)
                throw new InvalidOptionException($"{read[beside]}: is read, and lies where {output} would be put together; rename it or name another output");
            if (Array.Find(names, written.ContainsKey) is { } taken)
                throw new InvalidOptionException($"{output}: would take the place of {written[taken]}, which is written too; give each a name of its own");
            foreach (FileIdentity name in names)
                written.TryAdd(name, output);
        }
    }

    private static Dictionary<FileIdentity, string> Identities(ReadOnlySpan<string?> inputs)
    {
        var read = new Dictionary<FileIdentity, string>();
        foreach (string? input in inputs)
        {
            foreach (string file in Files(input))
                read.TryAdd(FileIdentity.Of(file), file);
        }
        return read;
    }

    /// <summary>The file, with those that it is a model with, or those of a folder; the hidden ones in it are nobody's input, and model files and cards in it are results.</summary>
    private static string[] Files(string? input) => input is null ? [] : KindOf(input) switch
    {
        FileKind.File => SplitNames.Of(input),
        FileKind.Folder => In(input),
        _ => [],
    };

    private static string[] In(string folder)
    {
        try
        {
            return Array.FindAll(Directory.GetFiles(folder), static file =>
                !Path.GetFileName(file).StartsWith('.') && Path.GetExtension(file) is not (".gguf" or ".md" or ".part") && KindOf(file) is FileKind.File);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw QedException.Unreadable(folder, e); // what is read must be known before anything is written
        }
    }

    private static FileKind? KindOf(string path)
    {
        try
        {
            return FileStatus.Find(path)?.Kind;
        }
        catch (QedException e) when (e.InnerException is UnauthorizedAccessException)
        {
            return null; // nor can it be opened
        }
    }
}
