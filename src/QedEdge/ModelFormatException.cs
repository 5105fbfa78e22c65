namespace QedEdge;

/// <summary>What is wrong with a model file, so that a caller can tell the cases apart without reading the message.</summary>
public enum ModelFault
{
    /// <summary>The file cannot be opened or read.</summary>
    Unreadable,
    /// <summary>The file is not GGUF at all (an HTML page, a Git-LFS pointer, an archive, …).</summary>
    NotGguf,
    /// <summary>The file ends before the data that its header announces: an interrupted download or copy.</summary>
    ShortFile,
    /// <summary>A length, count, offset, value or checksum contradicts the format or the rest of the file.</summary>
    Damaged,
    /// <summary>A sound file of another model family.</summary>
    UnknownArchitecture,
    /// <summary>A tensor that the architecture needs is not in the file.</summary>
    MissingTensor,
    /// <summary>A sound file that uses a feature this version does not have.</summary>
    Unsupported,
}

/// <summary>A model file cannot be used. The message names the file and the place in it.</summary>
public class ModelFormatException : QedException
{
    /// <summary>Creates the error; the message reads <c>file: place: problem</c>.</summary>
    /// <param name="fault">The kind of problem.</param>
    /// <param name="file">The file's path or a name for it.</param>
    /// <param name="problem">What is wrong and, where it helps, what to do.</param>
    /// <param name="key">The metadata key concerned, if any.</param>
    /// <param name="tensor">The tensor concerned, if any.</param>
    /// <param name="offset">The byte offset in the file, if known.</param>
    /// <param name="inner">The cause, if another error caused it.</param>
    public ModelFormatException(ModelFault fault, string file, string problem, string? key = null, string? tensor = null,
        long? offset = null, Exception? inner = null)
        : base(Describe(fault, file, problem, key, tensor, offset), inner)
    {
        Fault = fault;
        File = file;
        Key = key;
        Tensor = tensor;
        Offset = offset;
    }

    /// <summary>The kind of problem.</summary>
    public ModelFault Fault { get; }

    /// <summary>The file's path or a name for it.</summary>
    public string File { get; }

    /// <summary>The metadata key concerned, or null.</summary>
    public string? Key { get; }

    /// <summary>The tensor concerned, or null.</summary>
    public string? Tensor { get; }

    /// <summary>The byte offset in the file, or null where no single place is meant.</summary>
    public long? Offset { get; }

    private static string Describe(ModelFault fault, string file, string problem, string? key, string? tensor, long? offset)
    {
        string place = key is not null ? $"key '{OneLine(key)}': " : tensor is not null ? $"tensor '{OneLine(tensor)}': " : "";
        string at = offset is long o ? $" (at byte {o})" : "";
        // The other faults' problems say of themselves what they are.
        string kind = fault == ModelFault.Damaged ? "damaged file: " : "";
        return $"{kind}{file}: {place}{problem}{at}";
    }

    /// <summary>Text from a file may hold anything; an error stays one printable, short line.</summary>
    internal static string OneLine(string text)
    {
        const int longest = 80;
        return QedException.Printable(text.Length > longest ? text[..longest] + "…" : text);
    }
}
