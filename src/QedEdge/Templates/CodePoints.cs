namespace QedEdge.Templates;

/// <summary>Texts as sequences of code points, as Python has them, over UTF-16.</summary>
internal static class CodePoints
{
    /// <summary>Whether every character is one UTF-16 unit.</summary>
    public static bool IsSimple(string text) => !text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF');

    /// <summary>How many there are.</summary>
    public static int Count(string text)
    {
        if (IsSimple(text))
            return text.Length;
        int count = 0;
        for (int i = 0; i < text.Length; i = Next(text, i))
            count++;
        return count;
    }

    /// <summary>Where the one behind begins.</summary>
    public static int Next(string text, int at) => at + (char.IsHighSurrogate(text[at]) && at + 1 < text.Length && char.IsLowSurrogate(text[at + 1]) ? 2 : 1);

    /// <summary>The one that stands somewhere.</summary>
    public static int At(string text, int at) => Next(text, at) == at + 2 ? char.ConvertToUtf32(text[at], text[at + 1]) : text[at];

    /// <summary>Where each begins, and the end.</summary>
    public static int[] Starts(string text)
    {
        var starts = new int[Count(text) + 1];
        for (int i = 0, at = 0; i < starts.Length - 1; i++, at = Next(text, at))
            starts[i] = at;
        starts[^1] = text.Length;
        return starts;
    }

    /// <summary>The order of two texts: surrogates, which begin the highest code points, stand before other units.</summary>
    public static int Compare(string a, string b)
    {
        int i = a.AsSpan().CommonPrefixLength(b);
        if (i == a.Length || i == b.Length)
            return a.Length.CompareTo(b.Length);
        return Key(a[i]).CompareTo(Key(b[i]));

        static int Key(char c) => char.IsSurrogate(c) ? c + 0x10000 : c;
    }
}
