namespace QedEdge.Memory;

/// <summary>Errors of the system while a file is written.</summary>
internal static class WriteError
{
    /// <summary>Whether an error is one.</summary>
    public static bool Is(Exception exception) => exception is IOException or UnauthorizedAccessException || FileSizeLimit.IsReached(exception);

    /// <summary>What it means, as a part of a line.</summary>
    public static string Reason(Exception exception) => exception switch
    {
        _ when FileSizeLimit.IsReached(exception) => "the file system or 'ulimit -f' allows no file of this size",
        UnauthorizedAccessException => "no permission",
        FileNotFoundException => "none can be created there", // in /proc
        PathTooLongException => "the name is longer than the file system allows",
        _ => QedException.FirstLine(exception),
    };
}
