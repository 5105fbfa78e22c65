using QedEdge.Conversion.Checkpoints;
using QedEdge.Memory;

namespace QedEdge.Conversion;

/// <summary>Writes an output and commits it, and turns a full disk and the like into errors of one line.</summary>
internal static class OutputFile
{
    /// <summary>Runs the writing of a file, then gives the file its name.</summary>
    /// <exception cref="QedException">The disk is full, or writing fails otherwise.</exception>
    public static void Write(AtomicFile file, Action write)
    {
        try
        {
            write();
            file.Commit();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new QedException($"{file.Path}: cannot be written: {CheckpointFiles.FirstLine(exception)}", exception);
        }
        catch (ArgumentOutOfRangeException exception) when (exception.ParamName == "value") // how .NET reports EFBIG
        {
            throw new QedException($"{file.Path}: cannot be written: the file system or 'ulimit -f' allows no file of this size", exception);
        }
    }
}
