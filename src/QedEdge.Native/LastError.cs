using System.Text.Unicode;

namespace QedEdge.Native;

/// <summary>What the last failing call of each thread said.</summary>
internal static unsafe class LastError
{
    private const int Size = 1024;

    /// <summary>Does not move, is as long-lived as its thread, and needs nobody to free it.</summary>
    [ThreadStatic]
    private static byte[]? _message;

    /// <summary>Stands for the message of a thread that had no failure, or no memory for its message.</summary>
    private static readonly byte[] Empty = GC.AllocateArray<byte>(1, pinned: true);

    /// <summary>The message, zero-terminated.</summary>
    public static byte* Text
    {
        get
        {
            fixed (byte* text = _message ?? Empty)
                return text;
        }
    }

    /// <summary>Keeps what a failure says. No exception goes beyond the functions that call this.</summary>
    /// <returns>Its code.</returns>
    public static int Set(Exception e)
    {
        try
        {
            _message ??= GC.AllocateUninitializedArray<byte>(Size, pinned: true);
            // A message that is too long is cut at a character's border.
            Utf8.FromUtf16(Text(e), _message.AsSpan(0, Size - 1), out _, out int written);
            _message[written] = 0;
        }
        catch (OutOfMemoryException)
        {
            return (int)Status.Memory;
        }
        return (int)Code(e);

        static string Text(Exception e) => Code(e) == Status.Internal ? $"unexpected: {e.GetType().Name}: {e.Message}" : e.Message;
    }

    private static Status Code(Exception e) => e switch
    {
        StatusException own => own.Status,
        InvalidOptionException => Status.Argument,
        ContextLengthException => Status.Context,
        ModelFormatException => Status.Model,
        QedException or IOException or UnauthorizedAccessException => Status.Failed,
        ArgumentException => Status.Argument,
        OutOfMemoryException => Status.Memory,
        InvalidOperationException => Status.State,
        OperationCanceledException => Status.Cancelled,
        _ => Status.Internal,
    };
}
