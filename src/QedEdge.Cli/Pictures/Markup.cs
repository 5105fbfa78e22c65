using System.Globalization;
using System.Text;

namespace QedEdge.Cli.Pictures;

/// <summary>Texts and numbers as XML and HTML take them.</summary>
internal static class Markup
{
    private const char Replacement = '\uFFFD', ControlPictures = '\u2400', DeletePicture = '\u2421';

    /// <summary>
    /// A text between tags or in an attribute's quotes. Control characters, which no document may hold, become their pictures (␀), and
    /// halves of characters and what turns the direction of all that follows U+FFFD. Line ends and tabs stay.
    /// </summary>
    public static string Escape(string text)
    {
        var result = new StringBuilder(text.Length + 16);
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            if (char.IsHighSurrogate(c) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
            {
                result.Append(c).Append(text[++i]);
                continue;
            }
            switch (c)
            {
                case '&':
                    result.Append("&amp;");
                    break;
                case '<':
                    result.Append("&lt;");
                    break;
                case '>':
                    result.Append("&gt;");
                    break;
                case '"':
                    result.Append("&quot;");
                    break;
                case '\'':
                    result.Append("&#39;");
                    break;
                case '\u2028' or '\u2029': // line ends for some programs
                    result.Append(c == '\u2028' ? "&#8232;" : "&#8233;");
                    break;
                case < ' ' and not '\n' and not '\t':
                    result.Append((char)(ControlPictures + c));
                    break;
                case '\u007F':
                    result.Append(DeletePicture);
                    break;
                case (> '\u007F' and < '\u00A0') or (>= '\uD800' and <= '\uDFFF') or '\uFFFE' or '\uFFFF' or (>= '\u202A' and <= '\u202E') or (>= '\u2066' and <= '\u2069'):
                    result.Append(Replacement);
                    break;
                default:
                    result.Append(c);
                    break;
            }
        }
        return result.ToString();
    }

    /// <summary>A length or a place in a picture.</summary>
    public static string Coordinate(double value) => value.ToString("0.#", CultureInfo.InvariantCulture);

    /// <summary>A measured value, to three digits behind the point or four in all.</summary>
    public static string Number(double value) => double.IsPositiveInfinity(value) ? "∞" : value.ToString(Math.Abs(value) switch
    {
        >= 1e9 or (> 0 and < 1e-3) => "0.###e0",
        >= 1000 => "#,##0",
        >= 100 => "0.#",
        >= 10 => "0.##",
        _ => "0.###",
    }, CultureInfo.InvariantCulture);
}
