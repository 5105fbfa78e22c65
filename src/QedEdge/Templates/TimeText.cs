using System.Globalization;
using System.Text;

namespace QedEdge.Templates;

/// <summary>The function <c>strftime_now</c>. By hand: .NET's formats of dates would take 20 KB of an executable.</summary>
internal static class TimeText
{
    private const string Months = "January February March April May June July August September October November December";
    private const string Days = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday";

    /// <summary>The time as a format says, in English; what the format does not know stays.</summary>
    public static TemplateText Of(Rendering run, string format)
    {
        var text = new StringBuilder();
        for (int i = 0; i < format.Length; i++)
        {
            run.Make(text.Length, 1);
            if (format[i] != '%' || i + 1 == format.Length)
            {
                text.Append(format[i]);
                continue;
            }
            bool bare = format[i + 1] == '-' && i + 2 < format.Length; // without zeros before
            if (Part(run.Now, format[bare ? i + 2 : i + 1]) is not { } part)
            {
                text.Append('%');
                continue;
            }
            run.Make(text.Length, part.Length);
            text.Append(bare && part.TrimStart('0') is { Length: > 0 } digits ? digits : part);
            i += bare ? 2 : 1;
        }
        return new TemplateText(text.ToString());
    }

    private static string? Part(DateTime now, char format) => format switch
    {
        'Y' => Digits(now.Year, 4),
        'y' => Digits(now.Year % 100, 2),
        'm' => Digits(now.Month, 2),
        'd' => Digits(now.Day, 2),
        'j' => Digits(now.DayOfYear, 3),
        'H' => Digits(now.Hour, 2),
        'I' => Digits((now.Hour + 11) % 12 + 1, 2),
        'M' => Digits(now.Minute, 2),
        'S' => Digits(now.Second, 2),
        'p' => now.Hour < 12 ? "AM" : "PM",
        'B' => Months.Split(' ')[now.Month - 1],
        'b' => Months.Split(' ')[now.Month - 1][..3],
        'A' => Days.Split(' ')[(int)now.DayOfWeek],
        'a' => Days.Split(' ')[(int)now.DayOfWeek][..3],
        '%' => "%",
        _ => null,
    };

    private static string Digits(int number, int count) => number.ToString(CultureInfo.InvariantCulture).PadLeft(count, '0');
}
