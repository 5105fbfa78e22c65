using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;

namespace QedEdge.Cli.LineEditing;

/// <summary>
/// Turns the bytes that a terminal sends into keys, in pieces however cut: characters in UTF-8, control characters, the sequences of xterm, VT and Linux's console for keys that have none,
/// and pastes between their marks. What it does not know is left out.
/// </summary>
/// <param name="mostPasted">Bytes of a paste; of a longer one the rest is left out.</param>
internal sealed class KeyDecoder(int mostPasted = RequestLimits.TextBytes)
{
    private const byte Escape = 0x1B, Delete = 0x7F;
    private const int LongestSequence = 64; // bytes; a longer one is none

    private readonly List<byte> _bytes = [], _paste = [];
    private int _next; // of the bytes
    private bool _isPasting;

    /// <summary>What is to be inserted, of <see cref="Key.Text"/>: no control characters but line ends and tabs.</summary>
    public string Text { get; private set; } = "";

    private static ReadOnlySpan<byte> PasteEnd => "\e[201~"u8;

    /// <summary>Takes bytes.</summary>
    public void Feed(ReadOnlySpan<byte> bytes)
    {
        _bytes.RemoveRange(0, _next);
        _next = 0;
        _bytes.AddRange(bytes);
    }

    /// <summary>The next key; false where more bytes must come first.</summary>
    public bool TryRead(out Key key)
    {
        key = default;
        while (_next < _bytes.Count)
        {
            ReadOnlySpan<byte> rest = CollectionsMarshal.AsSpan(_bytes)[_next..];
            Key? found = null;
            int length = _isPasting ? Paste(rest, ref found)
                : rest[0] == Escape ? Sequence(rest, ref found)
                : rest[0] is < 0x20 or Delete ? Control(rest[0], ref found)
                : Characters(rest, ref found);
            if (length == 0)
                return false;
            _next += length;
            if (found is { } value)
            {
                key = value;
                return true;
            }
        }
        return false;
    }

    private static int Control(byte value, ref Key? key)
    {
        key = value switch
        {
            0x01 => Key.Home,            // Ctrl-A
            0x02 => Key.Left,            // Ctrl-B
            0x03 => Key.Interrupt,       // Ctrl-C
            0x04 => Key.EndOfInput,      // Ctrl-D
            0x05 => Key.End,             // Ctrl-E
            0x06 => Key.Right,           // Ctrl-F
            0x08 or Delete => Key.Backspace,
            (byte)'\n' or (byte)'\r' => Key.Enter,
            0x0B => Key.DeleteToEnd,     // Ctrl-K
            0x0C => Key.ClearScreen,     // Ctrl-L
            0x0E => Key.Down,            // Ctrl-N
            0x10 => Key.Up,              // Ctrl-P
            0x15 => Key.DeleteToStart,   // Ctrl-U
            0x17 => Key.DeleteWordLeft,  // Ctrl-W
            0x1A => Key.Suspend,         // Ctrl-Z
            _ => null,
        };
        return 1;
    }

    /// <summary>A key of several bytes that begin with Escape, or a key and Alt.</summary>
    private int Sequence(ReadOnlySpan<byte> bytes, ref Key? key)
    {
        bool alt = bytes is [_, Escape, ..]; // some terminals put Alt's before the key's own
        int begin = alt ? 2 : 1;
        if (bytes.Length == begin)
            return 0;
        switch (bytes[begin])
        {
            case (byte)'[' when bytes.Length > begin + 1 && bytes[begin + 1] == (byte)'[': // F1 to F5 of Linux's console
                return bytes.Length > begin + 2 ? begin + 3 : 0;
            case (byte)'[':
                int end = begin + 1;
                while (end < bytes.Length && bytes[end] is >= 0x20 and < 0x40)
                    end++;
                if (end == bytes.Length)
                    return end < LongestSequence ? 0 : end;
                key = Named(bytes[end], bytes[(begin + 1)..end], alt);
                return end + 1;
            case (byte)'O':
                if (bytes.Length == begin + 1)
                    return 0;
                key = bytes[begin + 1] switch
                {
                    (byte)'c' => Key.WordRight, // Ctrl and an arrow of rxvt
                    (byte)'d' => Key.WordLeft,
                    var name => Named(name, default, alt),
                };
                return begin + 2;
            default:
                key = bytes[begin] switch
                {
                    (byte)'b' or (byte)'B' => Key.WordLeft,
                    (byte)'f' or (byte)'F' => Key.WordRight,
                    (byte)'d' or (byte)'D' => Key.DeleteWordRight,
                    0x08 or Delete => Key.DeleteWordLeft,
                    (byte)'\n' or (byte)'\r' => NewLine(),
                    _ => null,
                };
                return begin + 1;
        }
    }

    private Key NewLine()
    {
        Text = "\n";
        return Key.Text;
    }

    /// <summary>A key by the last byte of its sequence and the numbers before it: which key, and one more than the bits of Shift, Alt and Ctrl.</summary>
    private Key? Named(byte name, ReadOnlySpan<byte> numbers, bool alt)
    {
        const int Alt = 2, Ctrl = 4;
        int separator = numbers.IndexOf((byte)';');
        int first = Number(separator < 0 ? numbers : numbers[..separator]), modifiers = separator < 0 ? 0 : Math.Max(0, Number(numbers[(separator + 1)..]) - 1);
        bool word = alt || (modifiers & (Alt | Ctrl)) != 0;
        switch (name)
        {
            case (byte)'A':
                return Key.Up;
            case (byte)'B':
                return Key.Down;
            case (byte)'C':
                return word ? Key.WordRight : Key.Right;
            case (byte)'D':
                return word ? Key.WordLeft : Key.Left;
            case (byte)'H':
                return Key.Home;
            case (byte)'F':
                return Key.End;
            case (byte)'~':
                _isPasting = first == 200;
                return first switch
                {
                    1 or 7 => Key.Home,
                    3 => word ? Key.DeleteWordRight : Key.Delete,
                    4 or 8 => Key.End,
                    _ => null,
                };
            default:
                return null;
        }
    }

    private static int Number(ReadOnlySpan<byte> digits)
    {
        int number = 0;
        foreach (byte digit in digits)
        {
            if (digit is < (byte)'0' or > (byte)'9' || number > 9999)
                return 0;
            number = 10 * number + digit - '0';
        }
        return number;
    }

    /// <summary>All whole characters up to the next other key.</summary>
    private int Characters(ReadOnlySpan<byte> bytes, ref Key? key)
    {
        int length = 0;
        while (length < bytes.Length && bytes[length] is >= 0x20 and not Delete && Rune.DecodeFromUtf8(bytes[length..], out _, out int taken) != OperationStatus.NeedMoreData)
            length += taken;
        if (length > 0)
            (key, Text) = (Key.Text, Shown(bytes[..length]));
        return length;
    }

    private int Paste(ReadOnlySpan<byte> bytes, ref Key? key)
    {
        int before = _paste.Count;
        _paste.AddRange(bytes);
        int from = Math.Max(0, before - PasteEnd.Length), at = CollectionsMarshal.AsSpan(_paste)[from..].IndexOf(PasteEnd);
        if (at < 0)
        {
            if (_paste.Count > mostPasted + PasteEnd.Length) // what may begin the end stays
                _paste.RemoveRange(mostPasted, _paste.Count - PasteEnd.Length - mostPasted);
            return bytes.Length;
        }
        at += from;
        (key, Text) = (Key.Text, Shown(CollectionsMarshal.AsSpan(_paste)[..Math.Min(at, mostPasted)]));
        _isPasting = false;
        _paste.Clear();
        _paste.TrimExcess();
        return at + PasteEnd.Length - before;
    }

    /// <summary>Text with line ends as \n and no other control characters but tabs.</summary>
    private static string Shown(ReadOnlySpan<byte> utf8)
    {
        var text = new StringBuilder();
        string given = Encoding.UTF8.GetString(utf8).Replace("\r\n", "\n", StringComparison.Ordinal);
        foreach (char unit in given)
        {
            char shown = unit == '\r' ? '\n' : unit;
            if (shown is '\n' or '\t' || !char.IsControl(shown))
                text.Append(shown);
        }
        return text.ToString();
    }
}
