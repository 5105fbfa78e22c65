using System.Globalization;
using System.Text;

namespace QedEdge.Constraints;

/// <summary>
/// Reads a regular expression: the syntax of ECMA-262 without what no finite automaton can do, and with the meaning that it has there for whole texts. Lazy
/// repetitions mean the same as others where all of a text must match.
/// </summary>
internal sealed class RegexParser
{
    private readonly string _pattern;
    private readonly bool _search;
    private int _at;
    private int _depth;

    private RegexParser(string pattern, bool search) => (_pattern, _search) = (pattern, search);

    /// <summary>Reads a pattern.</summary>
    /// <param name="pattern">The regular expression.</param>
    /// <param name="search">Whether a text need only contain what matches, as in JSON schemas; else all of it must match.</param>
    /// <exception cref="InvalidOptionException">It is none, has something that is not supported, or is too large; the message says where.</exception>
    public static Expression Parse(string pattern, bool search = false)
    {
        if (pattern.Length > ConstraintLimits.PatternLength)
            throw new InvalidOptionException($"the regular expression has {pattern.Length} characters; there can be {ConstraintLimits.PatternLength} at most");
        var parser = new RegexParser(pattern, search);
        Expression all = parser.Alternatives();
        return parser._at == pattern.Length ? all : throw Error("')' without '('", parser._at);
    }

    private Expression Alternatives()
    {
        var alternatives = new List<Expression>();
        do
            alternatives.Add(Alternative());
        while (Take('|'));
        return alternatives.Count == 1 ? alternatives[0] : Expression.Choice([.. alternatives]);
    }

    private Expression Alternative()
    {
        var parts = new List<Expression>();
        bool begins = false, ends = false;
        if (_depth == 0 && Take('^'))
            begins = true;
        while (_at < _pattern.Length && _pattern[_at] is not ('|' or ')'))
        {
            if (_depth == 0 && _pattern[_at] == '$' && (_at + 1 == _pattern.Length || _pattern[_at + 1] == '|'))
            {
                _at++;
                ends = true;
                break;
            }
            parts.Add(Repeated());
        }
        if (_search && _depth == 0 && !begins)
            parts.Insert(0, Anything);
        if (_search && _depth == 0 && !ends)
            parts.Add(Anything);
        return parts.Count == 1 ? parts[0] : Expression.Sequence([.. parts]);
    }

    private static Expression Anything => Expression.Repeat(Expression.Character(ScalarSet.Of((0, ScalarSet.End - 1))), 0, Expression.Endless);

    private Expression Repeated()
    {
        int begin = _at;
        Expression part = Atom();
        if (Repetition() is not { } count)
            return part;
        if (count.Most != Expression.Endless && count.Most > ConstraintLimits.Repetitions || count.Least > ConstraintLimits.Repetitions)
            throw Error($"a repetition of more than {ConstraintLimits.Repetitions}", begin);
        if (count.Least > count.Most)
            throw Error("a repetition whose ends are reversed", begin);
        Take('?'); // lazy: the same texts
        int after = _at;
        return Repetition() is null ? Expression.Repeat(part, count.Least, count.Most) : throw Error("a repetition of a repetition", after);
    }

    private (int Least, int Most)? Repetition()
    {
        if (Take('*'))
            return (0, Expression.Endless);
        if (Take('+'))
            return (1, Expression.Endless);
        if (Take('?'))
            return (0, 1);
        int begin = _at;
        if (Take('{') && Number() is { } least)
        {
            int most = least;
            if (Take(','))
                most = Number() ?? Expression.Endless;
            if (Take('}'))
                return (least, most);
        }
        _at = begin; // a brace that stands for itself
        return null;
    }

    /// <summary>A whole number, or null; what is too large for one is beyond every limit.</summary>
    private int? Number()
    {
        int begin = _at;
        while (_at < _pattern.Length && char.IsAsciiDigit(_pattern[_at]))
            _at++;
        return _at == begin ? null : int.TryParse(_pattern.AsSpan(begin, _at - begin), NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value < Expression.Endless ? value : Expression.Endless - 1;
    }

    private Expression Atom()
    {
        int begin = _at;
        switch (_pattern[_at])
        {
            case '(':
                return Group();
            case '[':
                return Expression.Character(Class());
            case '.':
                _at++;
                return Expression.Character(ScalarSet.LineEnds.Complement());
            case '^' or '$':
                throw Error($"'{_pattern[_at]}' anywhere but at an end of the pattern", begin);
            case '*' or '+' or '?':
                throw Error("a repetition of nothing", begin);
            case '\\':
                return Escape(inClass: false) is { } set ? Expression.Character(set) : Literal(Scalar(begin));
            default:
                return Literal(Scalar(begin));
        }
    }

    private static Expression Literal(int scalar) => Expression.Bytes(Encoding.UTF8.GetBytes(new Rune(scalar).ToString()));

    private Expression Group()
    {
        int begin = _at++;
        if (++_depth > ConstraintLimits.GroupDepth)
            throw Error($"more than {ConstraintLimits.GroupDepth} groups within each other", begin);
        if (Take('?'))
        {
            ReadOnlySpan<char> rest = _pattern.AsSpan(_at);
            int name = rest is ['<', not ('=' or '!'), ..] ? rest.IndexOf('>') : -1;
            if (name > 0)
                _at += name + 1;
            else if (!Take(':'))
                throw Error(rest is ['=' or '!', ..] or ['<', '=' or '!', ..] ? "look-around, which is not supported" : $"'(?{(rest.IsEmpty ? "" : rest[..1])}', which is not supported", begin);
        }
        Expression group = Alternatives();
        if (!Take(')'))
            throw Error("'(' without ')'", begin);
        _depth--;
        return group;
    }

    private ScalarSet Class()
    {
        int begin = _at++;
        bool negated = Take('^');
        var set = new ScalarSet();
        if (_at < _pattern.Length && _pattern[_at] == ']')
            throw Error("an empty class; a bracket in a class is \\]", begin);
        while (!Take(']'))
        {
            if (_at == _pattern.Length)
                throw Error("'[' without ']'", begin);
            if (_pattern.AsSpan(_at) is ['[', ':' or '.' or '=', ..])
                throw Error("a POSIX class, which is not supported", _at);
            int from = _at;
            if (Member() is { } several)
            {
                set.Add(several);
                continue;
            }
            int first = Scalar(from), last = first;
            if (_pattern.AsSpan(_at) is ['-', not ']', ..])
            {
                _at++;
                int to = _at;
                last = Member() is null ? Scalar(to) : throw Error("a range that ends in a set", from);
                if (last < first)
                    throw Error("a range whose ends are reversed", from);
            }
            set.Add(first, last);
        }
        return negated ? set.Complement() : set;
    }

    /// <summary>The set of \d and its like in a class, or null: then a character stands there, which is not passed over yet.</summary>
    private ScalarSet? Member() => _at < _pattern.Length && _pattern[_at] == '\\' ? Escape(inClass: true) : null;

    /// <summary>The set that an escape stands for; null where it stands for a character, which is not passed over.</summary>
    private ScalarSet? Escape(bool inClass)
    {
        if (_at + 1 == _pattern.Length)
            throw Error("a backslash at the end", _at);
        ScalarSet? set = _pattern[_at + 1] switch
        {
            'd' => ScalarSet.Digits,
            'D' => ScalarSet.Digits.Complement(),
            'w' => ScalarSet.Word,
            'W' => ScalarSet.Word.Complement(),
            's' => ScalarSet.Space,
            'S' => ScalarSet.Space.Complement(),
            'b' when inClass => ScalarSet.Of(('\b', '\b')),
            'b' or 'B' => throw Error("a word boundary, which is not supported", _at),
            'p' or 'P' => throw Error("a Unicode property, which is not supported", _at),
            >= '1' and <= '9' or 'k' => throw Error("a back-reference, which is not supported", _at),
            _ => null,
        };
        _at += set is null ? 0 : 2;
        return set;
    }

    /// <summary>The character that stands here, written as itself or as an escape.</summary>
    /// <param name="begin">Where it begins, for errors.</param>
    private int Scalar(int begin)
    {
        if (_at == _pattern.Length)
            throw Error("'[' without ']'", begin);
        int unit = _pattern[_at++];
        if (unit == '\\')
            unit = EscapedUnit(begin);
        if (unit is < 0xD800 or > 0xDFFF)
            return unit <= 0x10FFFF ? unit : throw Error("an escape beyond U+10FFFF", begin);
        if (unit < 0xDC00 && _at < _pattern.Length)
        {
            int low = _pattern[_at++];
            if (low == '\\' && _at < _pattern.Length)
                low = EscapedUnit(begin);
            if (low is >= 0xDC00 and <= 0xDFFF)
                return char.ConvertToUtf32((char)unit, (char)low);
        }
        throw Error("half of a surrogate pair", begin);
    }

    /// <summary>What an escape stands for whose backslash was passed over.</summary>
    private int EscapedUnit(int begin)
    {
        if (_at == _pattern.Length)
            throw Error("a backslash at the end", begin);
        char c = _pattern[_at++];
        switch (c)
        {
            case 'n':
                return '\n';
            case 'r':
                return '\r';
            case 't':
                return '\t';
            case 'f':
                return '\f';
            case 'v':
                return '\v';
            case '0' when _at == _pattern.Length || !char.IsAsciiDigit(_pattern[_at]):
                return 0;
            case 'x' or 'u' when Take('{'):
                int close = _pattern.IndexOf('}', _at);
                return Hex(begin, close - _at, most: 6) is var braced && Take('}') ? braced : throw Error("an escape without '}'", begin);
            case 'x':
                return Hex(begin, 2, 2);
            case 'u':
                return Hex(begin, 4, 4);
            default:
                return !char.IsAsciiLetterOrDigit(c) && c < 0x80 ? c : throw Error($"the escape '\\{c}', which is not known", begin);
        }
    }

    private int Hex(int begin, int digits, int most)
    {
        if (digits < 1 || digits > most || digits > _pattern.Length - _at
            || !int.TryParse(_pattern.AsSpan(_at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int value))
        {
            throw Error("an escape without its hexadecimal digits", begin);
        }
        _at += digits;
        return value;
    }

    private bool Take(char c)
    {
        if (_at == _pattern.Length || _pattern[_at] != c)
            return false;
        _at++;
        return true;
    }

    private static InvalidOptionException Error(string what, int at) => new($"the regular expression has {what}, at character {at + 1}");
}
