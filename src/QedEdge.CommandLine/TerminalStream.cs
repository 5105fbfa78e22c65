using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;

namespace QedEdge.CommandLine;

/// <summary>A terminal that takes text in UTF-8, in pieces however cut, and shows what would command it (<see cref="TerminalText"/>).</summary>
/// <param name="terminal">The terminal itself.</param>
public sealed class TerminalStream(Stream terminal) : Stream
{
    private readonly List<byte> _begun = [], _shown = [];

    /// <summary>A stream as it is, or as a terminal's where it is one.</summary>
    public static Stream Of(Stream stream, bool isTerminal) => isTerminal ? new TerminalStream(stream) : stream;

    /// <inheritdoc/>
    public override bool CanRead => false;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        _begun.AddRange(buffer);
        _shown.Clear();
        ReadOnlySpan<byte> text = CollectionsMarshal.AsSpan(_begun);
        while (Rune.DecodeFromUtf8(text, out Rune rune, out int length) is var status && status != OperationStatus.NeedMoreData)
        {
            if (TerminalText.IsHidden(rune.Value))
                _shown.AddRange(Encoding.ASCII.GetBytes(TerminalText.Escaped(rune)));
            else
                _shown.AddRange(status == OperationStatus.Done ? text[..length] : "\uFFFD"u8); // a byte of no character is a command to terminals that know no UTF-8
            text = text[length..];
        }
        _begun.RemoveRange(0, _begun.Count - text.Length); // the rest is a character's beginning
        terminal.Write(CollectionsMarshal.AsSpan(_shown));
    }

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    public override void Flush() => terminal.Flush();

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();
}
