using System.Globalization;

namespace QedEdge.Cli.Pictures;

/// <summary>The range of an axis, widened to round values, with a tick at each: multiples of 1, 2 or 5 times a power of ten, or powers of two.</summary>
internal sealed class Scale
{
    /// <summary>Values beyond it have no place: the distance of two would not be a number.</summary>
    public const double Most = 1e300;

    private const double Least = 1e-300;             // what is closer to zero is zero
    private const double LeastRelative = 1e-9;       // and values closer together than that are equal
    private const double Slack = 1e-9;               // 0.3 / 0.1 is less than 3
    private const double MostWritten = 1e7;          // greater numbers have an exponent
    private const int LeastWritten = -4;             // power of ten of a step, smaller ones have an exponent
    private const int LastPowerWritten = 19, FirstPowerWritten = -4; // of two

    private readonly bool _logarithmic;
    private readonly int _power;    // of ten: the step is 1, 2 or 5 of it
    private readonly double _step;  // of the logarithm where that is what the axis shows
    private readonly double _first; // in steps

    private Scale(bool logarithmic, int power, double step, double first, double last)
    {
        (_logarithmic, _power, _step, _first) = (logarithmic, power, step, first);
        Intervals = (int)(last - first);
    }

    /// <summary>Parts between ticks, 1 or more; there is one tick more.</summary>
    public int Intervals { get; }

    /// <summary>Whether a value has a place on the axis.</summary>
    public static bool Shows(Axis axis, double value) => Math.Abs(value) <= Most && (!axis.Logarithmic || value > 0);

    /// <summary>The smallest scale that holds a range of values.</summary>
    /// <param name="axis">What the scale is for.</param>
    /// <param name="low">The least value; above <paramref name="high"/> where there are none.</param>
    /// <param name="high">The greatest value.</param>
    /// <param name="intervals">The most parts, 2 or more.</param>
    public static Scale Create(Axis axis, double low, double high, int intervals)
    {
        if (low > high)
            (low, high) = axis.Logarithmic ? (1, 2) : (0, 1);
        if (axis.Logarithmic)
            (low, high) = (Math.Log2(low), Math.Log2(high));
        else if (axis.FromZero)
            (low, high) = (Math.Min(low, 0), Math.Max(high, 0));

        double size = Math.Max(Math.Abs(low), Math.Abs(high));
        if (high - low <= Math.Max(size * LeastRelative, Least))
        {
            double room = axis.Logarithmic || size <= Least ? 1 : size / 2;
            (low, high) = (axis.FromZero && !axis.Logarithmic ? 0 : low - room, high + room);
        }

        for (int power = axis.Logarithmic ? 0 : (int)Math.Floor(Math.Log10((high - low) / intervals)); ; power++)
        {
            for (int digit = 1; digit <= 5; digit += digit == 1 ? 1 : 3)
            {
                double step = power < 0 ? digit / Math.Pow(10, -power) : digit * Math.Pow(10, power);
                double first = Math.Floor(low / step + Slack), last = Math.Ceiling(high / step - Slack);
                if (last - first <= intervals)
                    return new Scale(axis.Logarithmic, power, step, first, last);
            }
        }
    }

    /// <summary>Where a value lies: 0 at the first tick, 1 at the last.</summary>
    public double At(double value)
    {
        if (_logarithmic)
            value = value > 0 ? Math.Log2(value) : double.NegativeInfinity;
        return Math.Clamp((value / _step - _first) / Intervals, 0, 1);
    }

    /// <summary>The value at a tick.</summary>
    public double Tick(int index) => _logarithmic ? Math.Pow(2, (_first + index) * _step) : (_first + index) * _step;

    /// <summary>What is written at a tick: as many digits as the step needs.</summary>
    public string Label(int index)
    {
        double value = Tick(index);
        if (_logarithmic)
        {
            int exponent = (int)((_first + index) * _step);
            return exponent is < FirstPowerWritten or > LastPowerWritten ? "2" + Raised(exponent) : value.ToString("#,##0.####", CultureInfo.InvariantCulture);
        }
        if (value == 0)
            return "0";
        double greatest = Math.Max(Math.Abs(Tick(0)), Math.Abs(Tick(Intervals)));
        bool written = greatest < MostWritten && _power >= LeastWritten;
        int decimals = written ? -_power : (int)Math.Floor(Math.Log10(Math.Abs(value)) + Slack) - _power;
        string digits = decimals > 0 ? "." + new string('0', decimals) : "";
        return value.ToString(written ? "#,##0" + digits : "0" + digits + "e0", CultureInfo.InvariantCulture);
    }

    private static string Raised(int exponent)
    {
        char[] digits = exponent.ToString(CultureInfo.InvariantCulture).ToCharArray();
        for (int i = 0; i < digits.Length; i++)
            digits[i] = digits[i] == '-' ? '⁻' : "⁰¹²³⁴⁵⁶⁷⁸⁹"[digits[i] - '0'];
        return new string(digits);
    }
}
