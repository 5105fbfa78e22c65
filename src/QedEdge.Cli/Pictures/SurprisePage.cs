using System.Globalization;
using System.Text;

namespace QedEdge.Cli.Pictures;

/// <summary>
/// A text as an HTML document that needs nothing else, each token coloured by how much it surprised the model; pointing at a token
/// shows its figures. It is well-formed XML too.
/// </summary>
internal static class SurprisePage
{
    private const double LeastPercentage = 0.001; // smaller probabilities are one in so many

    /// <summary>Writes the document, which is to be stored in UTF-8.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="title">The heading.</param>
    /// <param name="about">What was measured, by what; may be empty.</param>
    /// <param name="pieces">The text's tokens in order.</param>
    public static void Write(TextWriter output, string title, string about, IReadOnlyList<ScoredPiece> pieces)
    {
        output.Write($"""
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8"/>
            <meta name="viewport" content="width=device-width, initial-scale=1"/>
            <title>{Markup.Escape(title)}</title>
            <style>
            {Encoding.UTF8.GetString(SurpriseStyle.Sheet)}
            </style>
            </head>
            <body>
            <main>
            <h1>{Markup.Escape(title)}</h1>

            """);
        if (about.Length > 0)
            output.Write($"<p>{Markup.Escape(about)}</p>\n");
        WriteTotals(output, pieces);
        output.Write("<div class=\"text\" lang=\"\" dir=\"auto\">");
        WriteText(output, pieces);
        output.Write("</div>\n</main>\n</body>\n</html>\n");
    }

    private static void WriteTotals(TextWriter output, IReadOnlyList<ScoredPiece> pieces)
    {
        var counts = new int[SurpriseStyle.Classes];
        int scored = 0;
        double bits = 0;
        foreach (ScoredPiece piece in pieces)
        {
            if (double.IsNaN(piece.Bits))
                continue;
            scored++;
            bits += piece.Bits;
            counts[SurpriseStyle.ClassOf(piece.Bits)]++;
        }
        output.Write("<dl>\n");
        Total("tokens", Markup.Number(pieces.Count));
        if (scored < pieces.Count)
            Total("scored", Markup.Number(scored));
        if (scored > 0)
        {
            Total("bits per token", Markup.Number(bits / scored));
            Total("perplexity", Markup.Number(Math.Pow(2, bits / scored)));
        }
        output.Write("</dl>\n");
        output.Write("<p>A token's colour is its surprise in bits: −log₂ of the probability that the model gave it. Point at a token for its figures.");
        if (scored < pieces.Count)
            output.Write(" Grey text was not scored.");
        output.Write("</p>\n<ol aria-label=\"Bits of surprise, and the share of the tokens\">\n");
        for (int i = 0; i < counts.Length; i++)
            output.Write($"<li class=\"c{(char)('0' + i)}\">{SurpriseStyle.NameOf(i)}<small>{Share(counts[i])}</small></li>\n");
        output.Write("</ol>\n");

        void Total(string name, string value) => output.Write($"<div><dt>{name}</dt><dd>{value}</dd></div>\n");

        string Share(int count) => scored == 0 ? "–" : (100.0 * count / scored).ToString("0.#", CultureInfo.InvariantCulture) + " %";
    }

    /// <summary>The tokens. Those without text are shown with the next one that has some, whose character they begin.</summary>
    private static void WriteText(TextWriter output, IReadOnlyList<ScoredPiece> pieces)
    {
        bool grey = false;
        for (int begin = 0, end; begin < pieces.Count; begin = end)
        {
            end = begin + 1;
            while (end < pieces.Count && pieces[end - 1].Text.Length == 0)
                end++;
            string text = pieces[end - 1].Text;
            int scored = 0;
            double bits = 0;
            for (int i = begin; i < end; i++)
            {
                if (double.IsNaN(pieces[i].Bits))
                    continue;
                scored++;
                bits += pieces[i].Bits;
            }
            if (text.Length == 0 && scored > 0)
                text = "\uFFFD"; // the text ends within a character
            if (grey != (scored == 0))
                output.Write((grey = !grey) ? "<i>" : "</i>");
            string figures = grey ? "" : Figures(text, bits, scored);
            if (!grey && text.Length > 1 && text[0] == ' ' && text[1] != ' ')
            {
                output.Write(" "); // between words: where a line breaks, its colour would stay behind
                text = text[1..];
            }
            string shown = Markup.Escape(text).Replace("\n", "<u></u>\n");
            if (grey)
                output.Write(shown);
            else
                output.Write($"<span class=\"c{(char)('0' + SurpriseStyle.ClassOf(bits))}\" tabindex=\"0\" data-t=\"{Markup.Escape(figures)}\">{shown}</span>");
        }
        if (grey)
            output.Write("</i>");
    }

    /// <summary>What is said of tokens that are shown as one.</summary>
    private static string Figures(string text, double bits, int tokens)
    {
        var line = new StringBuilder();
        line.Append('“').Append(text.Replace('\n', '↵').Replace('\t', '⇥')).Append('”');
        if (tokens > 1)
            line.Append($" in {Markup.Number(tokens)} tokens");
        string number = Markup.Number(bits);
        line.Append($" · {number} {(number == "1" ? "bit" : "bits")} · probability {Probability(bits)}");
        return line.ToString();
    }

    private static string Probability(double bits)
    {
        double probability = Math.Pow(2, -bits);
        if (probability == 0)
            return "0";
        return probability < LeastPercentage ? "1 in " + Markup.Number(1 / probability) : (100 * probability).ToString("0.##", CultureInfo.InvariantCulture) + " %";
    }
}
