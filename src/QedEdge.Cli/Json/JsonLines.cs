using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using QedEdge.Json;

namespace QedEdge.Cli.Json;

/// <summary>Files with one JSON object per line.</summary>
internal static class JsonLines
{
    private const int Piece = 1 << 16;

    /// <summary>
    /// The lines that are not empty, with their numbers from 1, in well-formed UTF-8. Of a line that is longer than <see cref="RequestLimits.JsonBytes"/> one byte more than that:
    /// enough for <see cref="JsonValue.ParseObject"/> to refuse it.
    /// </summary>
    /// <param name="path">The file; - is standard input.</param>
    /// <param name="cancellation">Ends the reading, also within a line: one of a device has no end.</param>
    /// <exception cref="QedException">It cannot be read.</exception>
    public static IEnumerable<(long Number, byte[] Line)> Read(string path, CancellationToken cancellation = default)
    {
        using Stream stream = InputSource.Open(path);
        var reader = new LineReader(stream, path, cancellation);
        for (long number = 1; reader.Next() is { } line; number++)
        {
            ReadOnlyMemory<byte> text = number == 1 && line.AsSpan().StartsWith(Encoding.UTF8.Preamble) ? line.AsMemory(Encoding.UTF8.Preamble.Length) : line;
            if (number == 1 && text.Span is [0xFF, 0xFE, ..] or [0xFE, 0xFF, ..])
                throw new QedException($"{InputSource.NameOf(path)}: is UTF-16; save it as UTF-8");
            if (!text.Span.Trim(" \t\r"u8).IsEmpty)
                yield return (number, Utf8.IsValid(text.Span) ? text.Length == line.Length ? line : text.ToArray() : Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(text.Span)));
        }
    }

    /// <summary>Whether a file can be read more than once: a pipe cannot, and has no length.</summary>
    public static bool CanBeReadAgain(string path) => InputSource.Length(path) > 0;

    /// <summary>Reads every line of a file and prints one object for each.</summary>
    /// <exception cref="QedException">A line is not such an object; the message names the line.</exception>
    public static void Convert(string path, Action<JsonValue, Utf8JsonWriter> convert)
    {
        foreach ((long number, byte[] line) in Read(path))
        {
            try
            {
                JsonValue value = JsonValue.ParseObject(line);
                Terminal.WriteJson(json => convert(value, json));
            }
            catch (QedException e) when (e is not OutputException)
            {
                throw new QedException($"{InputSource.NameOf(path)}: line {number}: {e.Message}", e);
            }
        }
    }

    /// <summary>Cuts a stream into lines without holding more of it than one.</summary>
    private sealed class LineReader(Stream stream, string path, CancellationToken cancellation)
    {
        private readonly byte[] _buffer = new byte[Piece];
        private int _next, _end;

        /// <summary>The next line without its end, or null behind the last.</summary>
        public byte[]? Next()
        {
            byte[] line = [];
            int length = 0;
            for (bool any = false; ; any = true)
            {
                if (_next == _end)
                {
                    cancellation.ThrowIfCancellationRequested();
                    (_next, _end) = (0, InputSource.Read(stream, path, _buffer));
                    if (_end == 0)
                        return any ? line[..length] : null;
                }
                ReadOnlySpan<byte> rest = _buffer.AsSpan(_next, _end - _next);
                int feed = rest.IndexOf((byte)'\n');
                ReadOnlySpan<byte> piece = feed < 0 ? rest : rest[..feed];
                _next += feed < 0 ? rest.Length : feed + 1;
                piece = piece[..Math.Min(piece.Length, RequestLimits.JsonBytes + 1 - length)]; // what is beyond is passed over
                if (length + piece.Length > line.Length)
                    Array.Resize(ref line, feed >= 0 ? length + piece.Length : Math.Max(2 * line.Length, length + piece.Length));
                piece.CopyTo(line.AsSpan(length));
                length += piece.Length;
                if (feed >= 0)
                    return line.Length == length ? line : line[..length];
            }
        }
    }
}
