namespace QedEdge.Templates;

/// <summary>
/// A text that knows which of its characters a conversation gave: those can never become special tokens. All that a template writes itself can.
/// </summary>
internal sealed class TemplateText
{
    private readonly string _text;
    private readonly int[] _typed; // begin, end, begin, end …: ascending, apart from each other, none empty

    /// <summary>A text of one origin.</summary>
    /// <param name="text">The text.</param>
    /// <param name="typed">Whether a conversation gave it.</param>
    public TemplateText(string text, bool typed = false) : this(text, typed && text.Length > 0 ? [0, text.Length] : []) { }

    /// <summary>A text and the borders of what was typed.</summary>
    public TemplateText(string text, int[] typed) => (_text, _typed) = (text, typed);

    /// <summary>The characters.</summary>
    public string Text => _text;

    /// <summary>UTF-16 units.</summary>
    public int Length => _text.Length;

    /// <summary>Where what was typed begins and ends, in turns, in UTF-16 units.</summary>
    public ReadOnlySpan<int> Typed => _typed;

    /// <summary>No text.</summary>
    public static TemplateText Empty { get; } = new("");

    /// <summary>Another text whose characters stand where those of this one did.</summary>
    public TemplateText With(string text) => text == _text ? this : new(text, _typed);

    /// <summary>A piece.</summary>
    public TemplateText Slice(int start, int length)
    {
        if (length == Length)
            return this;
        if (_typed.Length == 0)
            return new(_text.Substring(start, length), _typed);
        var typed = new List<int>();
        for (int i = FirstRange(start); i < _typed.Length && _typed[i] < start + length; i += 2)
        {
            typed.Add(Math.Max(_typed[i], start) - start);
            typed.Add(Math.Min(_typed[i + 1], start + length) - start);
        }
        return new(_text.Substring(start, length), [.. typed]);
    }

    /// <summary>The index of the first range that ends behind a position.</summary>
    public int FirstRange(int position)
    {
        int low = 0, high = _typed.Length / 2;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (_typed[2 * middle + 1] <= position)
                low = middle + 1;
            else
                high = middle;
        }
        return 2 * low;
    }
}
