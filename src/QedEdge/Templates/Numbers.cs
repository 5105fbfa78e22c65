using System.Globalization;
using System.Text;

namespace QedEdge.Templates;

/// <summary>Whole numbers of 128 bits, where Python's have no end, and 64-bit floats; true counts as 1.</summary>
internal static class Numbers
{
    /// <summary>Whether a value counts as a number.</summary>
    public static bool IsNumber(object? value) => value is Int128 or double or bool;

    /// <summary>A whole number's value.</summary>
    public static Int128 Integer(object value) => value is bool truth ? truth ? 1 : 0 : (Int128)value;

    /// <summary>A number as float.</summary>
    public static double Float(object value) => value is double number ? number : (double)Integer(value);

    /// <summary>Whether a float is a whole number that fits.</summary>
    public static bool IsWhole(double number) => Math.Abs(number) < 1e38 && number == Math.Truncate(number);

    /// <summary>The order of two numbers.</summary>
    public static int Compare(object? a, object? b)
    {
        if (a is double || b is double)
        {
            double x = Float(a!), y = Float(b!);
            return x == y ? 0 : x < y ? -1 : 1; // not a number is equal to nothing
        }
        Int128 m = Integer(a!), n = Integer(b!);
        return m == n ? 0 : m < n ? -1 : 1;
    }

    /// <summary>A sum, difference, product, quotient or remainder.</summary>
    /// <exception cref="TemplateException">It divides by zero, or is too large.</exception>
    public static object Compute(string operation, object a, object b)
    {
        bool divides = operation is "/" or "//" or "%";
        if (a is double || b is double || operation == "/")
        {
            double x = Float(a), y = Float(b);
            if (divides && y == 0)
                throw new TemplateException("a division by zero");
            return operation switch
            {
                "+" => x + y,
                "-" => x - y,
                "*" => x * y,
                "/" => x / y,
                "//" => Math.Floor(x / y),
                _ => x - y * Math.Floor(x / y), // the sign is the divisor's
            };
        }
        Int128 m = Integer(a), n = Integer(b);
        if (divides && n == 0)
            throw new TemplateException("a division by zero");
        try
        {
            switch (operation)
            {
                case "+": return checked(m + n);
                case "-": return checked(m - n);
                case "*": return checked(m * n);
                default:
                    Int128 quotient = m / n, rest = m - quotient * n;
                    bool below = rest != 0 && (rest < 0) != (n < 0);
                    return operation == "//" ? quotient - (below ? 1 : 0) : rest + (below ? n : 0);
            }
        }
        catch (OverflowException)
        {
            throw new TemplateException("a whole number becomes too large");
        }
    }

    /// <summary>What Python reads as a number: digits of any script as ASCII's, white space around it and single underscores between digits left out.</summary>
    public static string Plain(string text)
    {
        var plain = new StringBuilder(text.Length);
        bool wasDigit = false;
        string trimmed = text.Trim();
        for (int i = 0; i < trimmed.Length; i++)
        {
            int digit = CharUnicodeInfo.GetDecimalDigitValue(trimmed, i);
            if (trimmed[i] == '_' && wasDigit && i + 1 < trimmed.Length && CharUnicodeInfo.GetDecimalDigitValue(trimmed, i + 1) >= 0)
                wasDigit = false;
            else
            {
                plain.Append(digit >= 0 ? (char)('0' + digit) : trimmed[i]);
                i += digit >= 0 && char.IsSurrogate(trimmed[i]) ? 1 : 0;
                wasDigit = digit >= 0;
            }
        }
        return plain.ToString();
    }

    /// <summary>A whole number, or null where it has too many digits.</summary>
    /// <param name="text">Digits, behind a minus where there is one.</param>
    public static object? ParseInteger(ReadOnlySpan<char> text)
    {
        bool minus = text is ['-', ..];
        ReadOnlySpan<char> digits = (minus ? text[1..] : text).TrimStart('0');
        if (digits.Length > TemplateLimits.Digits)
            return null;
        Int128 value = 0;
        foreach (char digit in digits)
            value = 10 * value + (digit - '0');
        return minus ? -value : value;
    }

    /// <summary>A number as Python writes it.</summary>
    public static string Text(object number) => number is double value ? Text(value) : Integer(number).ToString(CultureInfo.InvariantCulture);

    /// <summary>A count, for errors.</summary>
    public static string Text(int count) => count.ToString(CultureInfo.InvariantCulture);

    /// <summary>The shortest digits that read back, always with a point or an exponent.</summary>
    private static string Text(double value)
    {
        if (!double.IsFinite(value))
            return double.IsNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
        ReadOnlySpan<char> written = Math.Abs(value).ToString("R", CultureInfo.InvariantCulture);
        int exponent = 0, e = written.IndexOf('E');
        if (e >= 0)
        {
            exponent = int.Parse(written[(e + 1)..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
            written = written[..e];
        }
        int point = written.IndexOf('.');
        var digits = new StringBuilder().Append(written);
        if (point >= 0)
            digits.Remove(point, 1);
        exponent += (point >= 0 ? point : written.Length) - 1; // of the first digit
        while (digits.Length > 1 && digits[0] == '0')
        {
            digits.Remove(0, 1);
            exponent--;
        }
        while (digits.Length > 1 && digits[^1] == '0')
            digits.Length--;
        if (value == 0)
            exponent = 0;
        if (exponent is < -4 or > 15)
        {
            if (digits.Length > 1)
                digits.Insert(1, '.');
            digits.Append('e').Append(exponent < 0 ? '-' : '+').Append(Math.Abs(exponent).ToString("00", CultureInfo.InvariantCulture));
        }
        else if (exponent < 0)
            digits.Insert(0, "0." + new string('0', -exponent - 1));
        else
        {
            if (digits.Length < exponent + 2)
                digits.Append('0', exponent + 2 - digits.Length);
            digits.Insert(exponent + 1, '.');
        }
        return (double.IsNegative(value) ? "-" : "") + digits;
    }
}
