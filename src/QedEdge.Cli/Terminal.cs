using System.Text;
using System.Text.Json;
using QedEdge.Cli.LineEditing;
using QedEdge.CommandLine;
using QedEdge.Memory;

namespace QedEdge.Cli;

/// <summary>Standard output and error as bytes in UTF-8, whatever the locale says; where they are a terminal, text of others cannot command it (<see cref="TerminalText"/>).</summary>
internal static class Terminal
{
    private static readonly Stream RawOutput = StandardStreams.Output();
    private static readonly Stream Output = TerminalStream.Of(RawOutput, StandardStreams.OutputIsTerminal);
    private static readonly WordWrap Words = new();
    private static readonly Stream RawError = StandardStreams.Error();
    private static readonly Stream Error = TerminalStream.Of(RawError, StandardStreams.ErrorIsTerminal);

    /// <summary>Whether a terminal here can move its cursor.</summary>
    public static bool MovesCursor { get; } = Environment.GetEnvironmentVariable("TERM") is not (null or "" or "dumb");

    private const int NarrowTerminal = 20; // columns, below which words are cut all the same

    private static byte[] s_bytes = new byte[1024];

    /// <summary>Writes results.</summary>
    public static void Write(ReadOnlySpan<char> text)
    {
        int most = Encoding.UTF8.GetMaxByteCount(text.Length);
        if (most > s_bytes.Length)
            s_bytes = new byte[most];
        if (text.Length > 0)
            Write(s_bytes.AsSpan(0, Encoding.UTF8.GetBytes(text, s_bytes)));
    }

    /// <summary>Writes generated text; on a terminal its lines break between words.</summary>
    public static void WriteWords(ReadOnlySpan<char> text)
    {
        if (WrapsAt(StandardStreams.OutputWidth) is { } width)
            Words.Write(text, width, shown => Write(shown), columns => Write(RawOutput, Encoding.ASCII.GetBytes(StepBack(columns))));
        else
            Write(text);
    }

    /// <summary>Writes lines that are no result; on a terminal they break between words.</summary>
    public static void NoteWords(string lines)
    {
        if (WrapsAt(StandardStreams.ErrorWidth) is { } width)
            new WordWrap().Write(lines + "\n", width, NotePart, columns => Draw(StepBack(columns)));
        else
            Note(lines);
    }

    private static int? WrapsAt(int? width) => MovesCursor && width > NarrowTerminal ? width : null;

    private static string StepBack(int columns) => $"\e[{columns}D\e[K\n";

    /// <summary>Writes result bytes.</summary>
    public static void Write(ReadOnlySpan<byte> bytes) => Write(Output, bytes);

    private static void Write(Stream stream, ReadOnlySpan<byte> bytes)
    {
        try
        {
            stream.Write(bytes);
            stream.Flush();
        }
        catch (Exception e) when (e is UnauthorizedAccessException || (e is IOException && !Shell.IsBrokenPipe(e)))
        {
            throw new OutputException(e);
        }
    }

    /// <summary>Writes a line of results.</summary>
    public static void WriteLine(string line) => Write(line + "\n");

    /// <summary>Writes a line that is no result.</summary>
    public static void Note(string line) => NotePart(line + "\n");

    /// <summary>Makes the streams now: where memory is short later, what is made then fails for good, and nothing could say so.</summary>
    public static void Prepare() => GC.KeepAlive(Error);

    /// <summary>Writes a part of a line that is no result.</summary>
    public static void NotePart(string text) => Tell(Error, text);

    /// <summary>Writes to the terminal of standard error what moves its cursor: nothing that others wrote.</summary>
    public static void Draw(string text) => Tell(RawError, text);

    /// <summary>Says what went wrong in one line.</summary>
    public static void Fail(string message) => Note("error: " + TerminalText.OneLine(message.ReplaceLineEndings(" ")));

    /// <summary>Writes one JSON object as a line of results.</summary>
    public static void WriteJson(Action<Utf8JsonWriter> members) => Write(Json(members));

    /// <summary>One JSON object as a line of UTF-8.</summary>
    public static byte[] Json(Action<Utf8JsonWriter> members)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            writer.WriteStartObject();
            members(writer);
            writer.WriteEndObject();
        }
        buffer.WriteByte((byte)'\n');
        return buffer.ToArray();
    }

    private static void Tell(Stream stream, string text)
    {
        try
        {
            stream.Write(Encoding.UTF8.GetBytes(text));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Nobody listens: a note is not worth failing for.
        }
    }
}

/// <summary>Standard output takes nothing: no work goes on.</summary>
internal sealed class OutputException(Exception inner) : QedException($"standard output cannot be written: {inner.Message}", inner);
