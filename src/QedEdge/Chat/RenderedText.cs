using QedEdge.Templates;

namespace QedEdge.Chat;

/// <summary>What a chat template made of a conversation.</summary>
public sealed class RenderedText
{
    private readonly Range[] _typed;

    internal RenderedText(TemplateText text)
    {
        Text = text.Text;
        ReadOnlySpan<int> typed = text.Typed;
        _typed = new Range[typed.Length / 2];
        for (int i = 0; i < _typed.Length; i++)
            _typed[i] = typed[2 * i]..typed[2 * i + 1];
    }

    private RenderedText(string text, Range[] typed) => (Text, _typed) = (text, typed);

    /// <summary>The text.</summary>
    public string Text { get; }

    /// <summary>The parts of it that the conversation gave, in order: they never become special tokens.</summary>
    public ReadOnlySpan<Range> Typed => _typed;

    /// <summary>Whether the text ends with what begins a model's thoughts, so that an answer goes on with them.</summary>
    internal bool IsThinking
    {
        get
        {
            ReadOnlySpan<char> end = Text.AsSpan(_typed.Length > 0 ? _typed[^1].End.Value : 0).TrimEnd();
            return end.EndsWith("<think>");
        }
    }

    /// <summary>The text and what somebody said behind it.</summary>
    internal RenderedText With(string said) => new(Text + said, [.. _typed, Text.Length..(Text.Length + said.Length)]);

    /// <summary>The text without white space at its end.</summary>
    internal RenderedText TrimEnd() => Cut(Text.TrimEnd().Length);

    /// <summary>The text's beginning.</summary>
    internal RenderedText Cut(int length)
    {
        int count = _typed.Length;
        while (count > 0 && _typed[count - 1].Start.Value >= length)
            count--;
        Range[] typed = _typed[..count];
        if (count > 0)
            typed[^1] = typed[^1].Start..Math.Min(typed[^1].End.Value, length);
        return new(Text[..length], typed);
    }
}
