using QedEdge.CommandLine;
using QedEdge.Gguf;

namespace QedEdge.Cli;

/// <summary>Finds the model: the file given, else the one bundled with the executable, else the one <c>$QED_MODEL</c> names, else the one built into the executable.</summary>
internal static class ModelSource
{
    /// <summary>The environment variable that names a model.</summary>
    public const string Variable = "QED_MODEL";

    /// <summary>The embedded resource's name.</summary>
    private const string Resource = "model.gguf";

    /// <summary>How messages call the embedded model.</summary>
    private const string BuiltIn = "built-in model";

    /// <summary>Opens a model to run.</summary>
    public static QedModel Open(string? path, ModelOptions options) => QedModel.Open(OpenFile(path), options);

    /// <summary>Opens a file to look at, of any architecture.</summary>
    public static GgufFile OpenFile(string? path) => File(path) is { } file
        ? GgufFile.Open(file)
        : GgufFile.Open(BuiltInStream(), BuiltIn);

    /// <summary>The file to open, or null for the built-in model.</summary>
    /// <param name="given">The file that was named, or null.</param>
    public static string? File(string? given)
    {
        string? path = given ?? Bundled.Own?.Path ?? Environment.GetEnvironmentVariable(Variable);
        return string.IsNullOrEmpty(path) ? null : path;
    }

    /// <summary>The model of commands that are given none, for people.</summary>
    public static string Default => Bundled.Own is { } own ? $"bundled with this executable ({ByteSize.Text(own.ModelLength)})"
        : File(null) is { } file ? $"{file} (${Variable})"
        : typeof(ModelSource).Assembly.GetManifestResourceInfo(Resource) is not null ? BuiltIn
        : "none; name one with --model FILE";

    /// <summary>Who named a file that nobody typed, to be said behind an error about it; else "".</summary>
    public static string Remark(string file) => file == Environment.GetEnvironmentVariable(Variable) ? $" (${Variable} names it)" : "";

    private static UnmanagedMemoryStream BuiltInStream() =>
        typeof(ModelSource).Assembly.GetManifestResourceStream(Resource) as UnmanagedMemoryStream
        ?? throw new UsageException("this executable has no built-in model; name one with --model FILE (make one with qed-convert)");
}
