using System.Text;

namespace QedEdge.Templates;

/// <summary>Joins texts and keeps who wrote them. What is appended is counted before it is.</summary>
internal sealed class TextBuilder(Rendering run)
{
    private readonly StringBuilder _text = new();
    private readonly List<int> _typed = [];

    /// <summary>UTF-16 units so far.</summary>
    public int Length => _text.Length;

    /// <summary>Appends what the template wrote.</summary>
    public TextBuilder Append(string text)
    {
        run.Make(_text.Length, text.Length);
        _text.Append(text);
        return this;
    }

    /// <summary>Appends a character of the template's.</summary>
    public void Append(char c)
    {
        run.Make(_text.Length, 1);
        _text.Append(c);
    }

    /// <summary>Appends a text.</summary>
    public TextBuilder Append(TemplateText text) => Append(text, 0, text.Length);

    /// <summary>Appends a piece of a text.</summary>
    public TextBuilder Append(TemplateText text, int start, int length)
    {
        run.Make(_text.Length, length);
        ReadOnlySpan<int> typed = text.Typed;
        for (int i = text.FirstRange(start); i < typed.Length && typed[i] < start + length; i += 2)
            Mark(_text.Length + Math.Max(typed[i], start) - start, _text.Length + Math.Min(typed[i + 1], start + length) - start);
        _text.Append(text.Text, start, length);
        return this;
    }

    /// <summary>Appends what stands for a character of a text: it has that one's origin.</summary>
    public void Append(string text, TemplateText source, int at)
    {
        int first = source.FirstRange(at);
        if (first < source.Typed.Length && source.Typed[first] <= at)
            Mark(_text.Length, _text.Length + text.Length);
        Append(text);
    }

    /// <summary>The text.</summary>
    public TemplateText Build() => new(_text.ToString(), [.. _typed]);

    private void Mark(int begin, int end)
    {
        if (_typed.Count > 0 && _typed[^1] == begin)
            _typed[^1] = end;
        else
        {
            _typed.Add(begin);
            _typed.Add(end);
        }
    }
}
