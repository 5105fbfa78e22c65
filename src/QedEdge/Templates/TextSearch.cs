namespace QedEdge.Templates;

/// <summary>Where a piece stands in a text, paid for as it is searched: a long piece that almost fits at every place would cost the product of both lengths.</summary>
internal static class TextSearch
{
    private const int Short = 32, UnitsPerStep = 16;

    /// <summary>The first place from <paramref name="from"/> on, or −1.</summary>
    /// <exception cref="TemplateException">The search takes too long.</exception>
    public static int Find(Rendering run, string text, string piece, int from)
    {
        ReadOnlySpan<char> start = piece.AsSpan(0, Math.Min(Short, piece.Length)), rest = piece.AsSpan(start.Length);
        while (true)
        {
            int found = text.AsSpan(from).IndexOf(start);
            run.Spend(1 + (found < 0 ? text.Length - from : found) / UnitsPerStep);
            if (found < 0)
                return -1;
            ReadOnlySpan<char> behind = text.AsSpan(from + found + start.Length);
            int common = behind.CommonPrefixLength(rest);
            run.Spend(common / UnitsPerStep);
            if (common == rest.Length)
                return from + found;
            from += found + 1;
        }
    }
}
