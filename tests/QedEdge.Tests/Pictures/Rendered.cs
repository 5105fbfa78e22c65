using System.Globalization;
using System.Text.RegularExpressions;
using System.Xml;
using System.Xml.Linq;
using QedEdge.Cli.Pictures;

namespace QedEdge.Tests.Pictures;

/// <summary>A picture as it was written, checked as every one of them must be: well-formed, and with nothing that is fetched or run.</summary>
internal sealed partial class Rendered
{
    private static readonly string[] Forbidden = ["href", "src=", "url(", "@import", "<script", "<iframe", "javascript:"];

    private Rendered(string text)
    {
        Text = text;
        using var reader = XmlReader.Create(new StringReader(text), new XmlReaderSettings { DtdProcessing = DtdProcessing.Ignore, XmlResolver = null });
        Document = XDocument.Load(reader, LoadOptions.PreserveWhitespace);
        foreach (string forbidden in Forbidden)
            Assert.DoesNotContain(forbidden, text, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("NaN", text, StringComparison.Ordinal);
        Assert.DoesNotContain(text, static c => char.IsControl(c) && c is not ('\n' or '\t'));
    }

    public string Text { get; }

    public XDocument Document { get; }

    /// <summary>What stands between the tags, as a reader gets it.</summary>
    public IEnumerable<string> Texts(string element) => Document.Descendants().Where(found => found.Name.LocalName == element).Select(found => found.Value);

    public IEnumerable<XElement> Elements(string name, string style) =>
        Document.Descendants().Where(found => found.Name.LocalName == name && (string?)found.Attribute("class") == style);

    public static Rendered Chart(LineChart chart) => Render(chart.Write);

    public static Rendered Page(IReadOnlyList<ScoredPiece> pieces, string title = "title", string about = "") => Render(output => SurprisePage.Write(output, title, about, pieces));

    /// <summary>Colours of a style sheet by name, as it sets them before the rule for dark screens or within it.</summary>
    public static Dictionary<string, string> Colors(string sheet, bool dark, Regex pattern)
    {
        int at = sheet.IndexOf("@media screen and (prefers-color-scheme:dark)", StringComparison.Ordinal);
        Assert.True(at > 0);
        var colors = new Dictionary<string, string>();
        foreach (Match match in pattern.Matches(dark ? sheet[at..] : sheet[..at]))
            colors[match.Groups[1].Value] = match.Groups[2].Value;
        return colors;
    }

    /// <summary>The contrast of two colours as WCAG 2 defines it, 1 to 21.</summary>
    public static double Contrast(string first, string second)
    {
        double a = Luminance(first), b = Luminance(second);
        return (Math.Max(a, b) + 0.05) / (Math.Min(a, b) + 0.05);
    }

    /// <summary>The relative luminance of a colour written as #rgb or #rrggbb.</summary>
    public static double Luminance(string color)
    {
        string digits = color.Length == 4 ? string.Concat(color[1..].Select(static c => new string(c, 2))) : color[1..];
        double sum = 0;
        double[] weights = [0.2126, 0.7152, 0.0722];
        for (int i = 0; i < 3; i++)
        {
            double part = int.Parse(digits.AsSpan(2 * i, 2), NumberStyles.HexNumber, CultureInfo.InvariantCulture) / 255.0;
            sum += weights[i] * (part <= 0.04045 ? part / 12.92 : Math.Pow((part + 0.055) / 1.055, 2.4));
        }
        return sum;
    }

    [GeneratedRegex(@"--(\w+):(#[0-9a-f]+)")]
    public static partial Regex Variables { get; }

    [GeneratedRegex(@"(?:^|[\s}])([.\w]+)\{(?:fill|stroke):(#[0-9a-f]+)")]
    public static partial Regex Rules { get; }

    /// <summary>Writes where the current culture has commas for points, which must not matter.</summary>
    private static Rendered Render(Action<TextWriter> write)
    {
        CultureInfo before = CultureInfo.CurrentCulture;
        var german = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        (german.NumberFormat.NumberDecimalSeparator, german.NumberFormat.NumberGroupSeparator, german.NumberFormat.NegativeSign) = (",", ".", "−");
        var output = new StringWriter();
        try
        {
            CultureInfo.CurrentCulture = german;
            write(output);
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
        Assert.DoesNotContain('\r', output.ToString());
        return new Rendered(output.ToString());
    }
}
