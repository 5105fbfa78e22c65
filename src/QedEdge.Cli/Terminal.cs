using System.Text;
using System.Text.Json;

namespace QedEdge.Cli;

/// <summary>Standard output and error as bytes in UTF-8, whatever the locale says.</summary>
internal static class Terminal
{
    private const int BrokenPipe = 32; // EPIPE

    private static readonly Stream Output = Console.OpenStandardOutput();
    private static readonly Stream Error = Console.OpenStandardError();

    /// <summary>Writes results.</summary>
    public static void Write(string text)
    {
        if (text.Length > 0)
            Write(Encoding.UTF8.GetBytes(text));
    }

    /// <summary>Writes result bytes.</summary>
    public static void Write(ReadOnlySpan<byte> bytes)
    {
        Output.Write(bytes);
        Output.Flush();
    }

    /// <summary>Writes a line of results.</summary>
    public static void WriteLine(string line) => Write(line + "\n");

    /// <summary>Writes a line that is no result.</summary>
    public static void Note(string line)
    {
        try
        {
            Error.Write(Encoding.UTF8.GetBytes(line + "\n"));
        }
        catch (IOException)
        {
            // Nobody listens: a note is not worth failing for.
        }
    }

    /// <summary>Says what went wrong in one line and passes the exit code on.</summary>
    public static int Fail(int exitCode, string message)
    {
        Note("error: " + message.ReplaceLineEndings(" "));
        return exitCode;
    }

    /// <summary>Writes one JSON object as a line of results.</summary>
    public static void WriteJson(Action<Utf8JsonWriter> properties)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            writer.WriteStartObject();
            properties(writer);
            writer.WriteEndObject();
        }
        buffer.WriteByte((byte)'\n');
        Write(buffer.GetBuffer().AsSpan(0, (int)buffer.Length));
    }

    /// <summary>Whether the reader of a pipe has gone.</summary>
    public static bool IsBrokenPipe(IOException e) => (e.HResult & 0xFFFF) == BrokenPipe || e.InnerException is { HResult: BrokenPipe };

    /// <summary>All of standard input.</summary>
    public static byte[] ReadInput()
    {
        using Stream input = Console.OpenStandardInput();
        using var buffer = new MemoryStream();
        input.CopyTo(buffer);
        return buffer.ToArray();
    }
}
