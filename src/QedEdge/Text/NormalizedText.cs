using System.Buffers;

namespace QedEdge.Text;

/// <summary>A text after a normalizer, in memory of its own where that changed it. Disposed when it is not needed any more.</summary>
internal ref struct NormalizedText
{
    private const int MarkBytes = 3; // of ▁ in UTF-8
    private readonly bool _hasMarks;
    private byte[]? _bytes;
    private bool[]? _typed;

    /// <summary>Normalizes a text.</summary>
    public NormalizedText(Normalizer normalizer, MarkedText text)
    {
        Text = text;
        _hasMarks = !text.Typed.IsEmpty;
        switch (normalizer)
        {
            case Normalizer.Nfc when Nfc.FirstActive(text.Bytes) is >= 0:
                Reserve(0, text.Length);
                Nfc.Compose(text, ref this);
                break;
            case Normalizer.Spaces or Normalizer.PrefixedSpaces when text.Length > 0:
                ReplaceSpaces(text, normalizer == Normalizer.PrefixedSpaces);
                break;
        }
    }

    /// <summary>The text.</summary>
    public MarkedText Text { get; private set; }

    /// <summary>Appends to the text.</summary>
    public void Append(scoped ReadOnlySpan<byte> bytes, bool typed)
    {
        int count = Text.Length;
        Reserve(count, count + bytes.Length);
        bytes.CopyTo(_bytes.AsSpan(count));
        if (_typed is not null)
            _typed.AsSpan(count, bytes.Length).Fill(typed);
        SetLength(count + bytes.Length);
    }

    /// <summary>Appends to the text.</summary>
    public void Append(scoped MarkedText text)
    {
        int count = Text.Length;
        Reserve(count, count + text.Length);
        text.Bytes.CopyTo(_bytes.AsSpan(count));
        if (_typed is not null)
            text.Typed.CopyTo(_typed.AsSpan(count));
        SetLength(count + text.Length);
    }

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        if (_bytes is not null)
            ArrayPool<byte>.Shared.Return(_bytes);
        if (_typed is not null)
            ArrayPool<bool>.Shared.Return(_typed);
        (_bytes, _typed) = (null, null);
    }

    private void ReplaceSpaces(MarkedText text, bool prefix)
    {
        int spaces = text.Bytes.Count((byte)' ');
        if (spaces == 0 && !prefix)
            return;
        Reserve(0, text.Length + (MarkBytes - 1) * spaces + MarkBytes);
        if (prefix)
            Append("▁"u8, typed: false);
        while (text.Length > 0)
        {
            int space = text.Bytes.IndexOf((byte)' ');
            Append(space < 0 ? text : text[..space]);
            if (space < 0)
                break;
            Append("▁"u8, text.IsTyped(space, 1));
            text = text[(space + 1)..];
        }
    }

    /// <summary>Makes room, keeping what there is; the first call empties the text.</summary>
    private void Reserve(int count, int length)
    {
        if (_bytes is not null && length <= _bytes.Length)
            return;
        length = _bytes is null ? length : Math.Max(length, (int)Math.Min(2L * _bytes.Length, Array.MaxLength));
        byte[] bytes = ArrayPool<byte>.Shared.Rent(length);
        bool[]? typed = _hasMarks ? ArrayPool<bool>.Shared.Rent(bytes.Length) : null;
        _bytes.AsSpan(0, count).CopyTo(bytes);
        _typed.AsSpan(0, typed is null ? 0 : count).CopyTo(typed);
        Dispose();
        (_bytes, _typed) = (bytes, typed);
        SetLength(count);
    }

    private void SetLength(int length) => Text = new MarkedText(_bytes.AsSpan(0, length), _typed.AsSpan(0, _typed is null ? 0 : length));
}
