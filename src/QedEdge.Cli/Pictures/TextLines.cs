using System.Text;

namespace QedEdge.Cli.Pictures;

/// <summary>How much room a text takes, without its font: a little more than it needs in the fonts that browsers choose.</summary>
internal static class TextLines
{
    private const double Narrow = 0.6, Wide = 1.05; // of the font's size
    private const int FirstWide = 0x1100;           // East Asian scripts and emoji; what else is there takes less

    /// <summary>The width of a line.</summary>
    public static double Width(string text, double size)
    {
        double width = 0;
        foreach (Rune rune in text.EnumerateRunes())
            width += Width(rune, size);
        return width;
    }

    /// <summary>Breaks a text at spaces, and within a word that fills a line by itself, so that all lines are at most so wide.</summary>
    public static List<string> Wrap(string text, double size, double width)
    {
        var lines = new List<string>();
        var line = new StringBuilder();
        foreach (string word in text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.Length > 0 && Width(line.ToString() + " " + word, size) > width)
                End();
            if (line.Length > 0)
                line.Append(' ');
            double used = Width(line.ToString(), size);
            foreach (Rune rune in word.EnumerateRunes())
            {
                double next = Width(rune, size);
                if (line.Length > 0 && used + next > width)
                {
                    End();
                    used = 0;
                }
                line.Append(rune);
                used += next;
            }
        }
        if (line.Length > 0)
            End();
        return lines;

        void End()
        {
            lines.Add(line.ToString());
            line.Clear();
        }
    }

    private static double Width(Rune rune, double size) => size * (rune.Value is >= FirstWide and (< 0x2000 or > 0x2BFF) ? Wide : Narrow);
}
