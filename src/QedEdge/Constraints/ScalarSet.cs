namespace QedEdge.Constraints;

/// <summary>A set of Unicode scalar values. Surrogates may be in it: they have no encoding and are left out there.</summary>
internal sealed class ScalarSet
{
    /// <summary>One past the last scalar value.</summary>
    public const int End = 0x110000;

    private readonly List<int> _borders = []; // where ranges begin and end, in turn

    /// <summary>The digits of ECMA-262's \d.</summary>
    public static ScalarSet Digits => Of(('0', '9'));

    /// <summary>The characters of ECMA-262's \w.</summary>
    public static ScalarSet Word => Of(('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z'));

    /// <summary>The white space and ends of lines of ECMA-262's \s.</summary>
    public static ScalarSet Space => Of(('\t', '\r'), (' ', ' '), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF));

    /// <summary>The ends of lines, which ECMA-262's dot leaves out.</summary>
    public static ScalarSet LineEnds => Of(('\n', '\n'), ('\r', '\r'), (0x2028, 0x2029));

    /// <summary>A set of ranges, their ends included.</summary>
    public static ScalarSet Of(params ReadOnlySpan<(int First, int Last)> ranges)
    {
        var set = new ScalarSet();
        foreach ((int first, int last) in ranges)
            set.Add(first, last);
        return set;
    }

    /// <summary>The number of ranges that do not touch.</summary>
    public int Count => _borders.Count / 2;

    /// <summary>A range, its ends included.</summary>
    public (int First, int Last) this[int index] => (_borders[2 * index], _borders[2 * index + 1] - 1);

    /// <summary>Adds a range, its ends included.</summary>
    public void Add(int first, int last)
    {
        int begin = 0, end = 0;
        foreach (int border in _borders)
        {
            begin += border < first ? 1 : 0;
            end += border <= last + 1 ? 1 : 0;
        }
        // At odd places a range is open, which the new one goes on with.
        _borders.RemoveRange(begin, end - begin);
        if (end % 2 == 0)
            _borders.Insert(begin, last + 1);
        if (begin % 2 == 0)
            _borders.Insert(begin, first);
    }

    /// <summary>Adds all of another set.</summary>
    public void Add(ScalarSet other)
    {
        for (int i = 0; i < other.Count; i++)
            Add(other[i].First, other[i].Last);
    }

    /// <summary>All values that are not in the set.</summary>
    public ScalarSet Complement()
    {
        var others = new ScalarSet();
        int begin = 0;
        for (int i = 0; i < Count; i++)
        {
            if (this[i].First > begin)
                others.Add(begin, this[i].First - 1);
            begin = this[i].Last + 1;
        }
        if (begin < End)
            others.Add(begin, End - 1);
        return others;
    }
}
