using System.Globalization;
using System.Text;

namespace QedEdge.Templates;

/// <summary>
/// Cuts a template into text and the tokens of its tags, as Jinja does with trim_blocks and lstrip_blocks. Every character is looked at once: a tag's end is found by reading its
/// tokens, since <c>}}</c> may stand within them.
/// </summary>
internal sealed class Lexer
{
    private readonly string _source;
    private readonly List<Token> _tokens = [];
    private int _at, _line = 1, _counted;

    private Lexer(string source) => _source = source;

    /// <summary>Reads a template.</summary>
    /// <exception cref="TemplateException">It is none.</exception>
    public static List<Token> Read(string source)
    {
        if (source.Length > TemplateLimits.Source)
            throw new TemplateException(1, "the template has " + Numbers.Text(source.Length) + " characters, more than the " + Numbers.Text(TemplateLimits.Source) + " that one may have");
        source = source.Replace("\r\n", "\n").Replace('\r', '\n');
        var lexer = new Lexer(source.EndsWith('\n') ? source[..^1] : source);
        lexer.ReadAll();
        return lexer._tokens;
    }

    /// <summary>Whether Python takes a character for white space.</summary>
    public static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\x1C' and <= '\x1F';

    private void ReadAll()
    {
        bool lineStart = true;
        while (true)
        {
            int open = NextTag();
            ReadOnlySpan<char> text = _source.AsSpan(_at, open - _at);
            if (open == _source.Length)
            {
                AddText(text, open);
                break;
            }
            char kind = _source[open + 1];
            _at = open + 2;
            char sign = Sign();
            if (sign == '-')
                text = TrimEnd(text);
            else if (sign == 0 && kind != '{')
                text = WithoutIndent(text, lineStart);
            AddText(text, open);
            char close = kind == '#' ? Comment(open) : Tag(kind, open);
            if (close == '-')
            {
                while (_at < _source.Length && IsSpace(_source[_at]))
                    _at++;
            }
            else if (close == 0 && kind != '{' && _at < _source.Length && _source[_at] == '\n')
                _at++;
            lineStart = _source[_at - 1] == '\n';
        }
        _tokens.Add(new Token(TokenKind.End, "the end", Line(_source.Length)));
    }

    private static ReadOnlySpan<char> TrimEnd(ReadOnlySpan<char> text)
    {
        while (!text.IsEmpty && IsSpace(text[^1]))
            text = text[..^1];
        return text;
    }

    /// <summary>Text without the white space at its end, where nothing else stands in that line.</summary>
    private static ReadOnlySpan<char> WithoutIndent(ReadOnlySpan<char> text, bool lineStart)
    {
        int line = text.LastIndexOf('\n') + 1;
        return (lineStart || line > 0) && TrimEnd(text[line..]).IsEmpty ? text[..line] : text;
    }

    /// <summary>Where the next tag begins, or the end.</summary>
    private int NextTag()
    {
        for (int i = _at; ; i++)
        {
            int found = _source.IndexOf('{', i);
            if (found < 0 || found + 1 == _source.Length)
                return _source.Length;
            if (_source[found + 1] is '{' or '%' or '#')
                return found;
            i = found;
        }
    }

    private void AddText(ReadOnlySpan<char> text, int end)
    {
        if (!text.IsEmpty)
            _tokens.Add(new Token(TokenKind.Text, text.ToString(), Line(end)));
    }

    /// <summary>The sign that says what becomes of the white space beside a tag, or 0.</summary>
    private char Sign() => _at < _source.Length && _source[_at] is '-' or '+' ? _source[_at++] : '\0';

    private char Comment(int open)
    {
        int end = _source.IndexOf("#}", _at, StringComparison.Ordinal);
        if (end < 0)
            throw new TemplateException(Line(open), "a comment has no end");
        char last = end > _at ? _source[end - 1] : '\0';
        _at = end + 2;
        return last is '-' or '+' ? last : '\0';
    }

    /// <summary>Reads a tag's tokens; returns the sign at its end.</summary>
    private char Tag(char kind, int open)
    {
        Add(kind == '{' ? TokenKind.OutputBegin : TokenKind.StatementBegin, open);
        var brackets = new StringBuilder(); // those that close the open ones
        while (true)
        {
            while (_at < _source.Length && IsSpace(_source[_at]))
                _at++;
            if (_at == _source.Length)
                throw new TemplateException(Line(open), "a tag has no end");
            char c = _source[_at];
            if (brackets.Length == 0 && EndOf(kind, c) is var end and > 0)
            {
                int begin = _at;
                _at += end;
                Add(TokenKind.TagEnd, begin);
                return end == 3 ? c : '\0';
            }
            if (c is '"' or '\'')
                Quoted(c);
            else if (char.IsAsciiDigit(c))
                Number();
            else if (c == '_' || char.IsLetter(c))
                Name();
            else
                Operator(c, brackets);
        }
    }

    /// <summary>The length of the end mark that stands here, or 0.</summary>
    private int EndOf(char kind, char c)
    {
        int sign = c == '-' || (c == '+' && kind == '%') ? 1 : 0;
        return _source.AsSpan(_at + sign).StartsWith(kind == '{' ? "}}" : "%}") ? sign + 2 : 0;
    }

    private void Name()
    {
        int begin = _at;
        while (_at < _source.Length && (_source[_at] == '_' || char.IsLetterOrDigit(_source[_at])))
            _at++;
        Add(TokenKind.Name, begin);
    }

    private void Number()
    {
        int begin = _at;
        Digits();
        bool isFloat = false;
        if (_at + 1 < _source.Length && _source[_at] == '.' && char.IsAsciiDigit(_source[_at + 1]))
        {
            isFloat = true;
            _at++;
            Digits();
        }
        int sign = _at + 1 < _source.Length && _source[_at + 1] is '+' or '-' ? 2 : 1;
        if (_at + sign < _source.Length && _source[_at] is 'e' or 'E' && char.IsAsciiDigit(_source[_at + sign]))
        {
            isFloat = true;
            _at += sign;
            Digits();
        }
        string text = _source[begin.._at].Replace("_", "");
        object? number = isFloat ? double.Parse(text, CultureInfo.InvariantCulture) : Numbers.ParseInteger(text);
        _tokens.Add(new Token(TokenKind.Number, text, Line(begin), number ?? throw new TemplateException(Line(begin), "a number has more than " + Numbers.Text(TemplateLimits.Digits) + " digits")));

        void Digits()
        {
            while (_at < _source.Length && (char.IsAsciiDigit(_source[_at]) || _source[_at] == '_'))
                _at++;
        }
    }

    private void Operator(char c, StringBuilder brackets)
    {
        ReadOnlySpan<char> rest = _source.AsSpan(_at);
        int length = rest.StartsWith("//") || rest.StartsWith("==") || rest.StartsWith("!=") || rest.StartsWith("<=") || rest.StartsWith(">=") ? 2 : 1;
        if (length == 1 && !"+-*/%~<>=()[]{},.:|".Contains(c))
            throw new TemplateException(Line(_at), $"the character '{QedException.Printable(c.ToString())}' means nothing in a tag");
        if (c is '(' or '[' or '{')
            brackets.Append(c == '(' ? ')' : c == '[' ? ']' : '}');
        else if (c is ')' or ']' or '}')
        {
            if (brackets.Length == 0 || brackets[^1] != c)
                throw new TemplateException(Line(_at), $"'{c}' closes nothing");
            brackets.Length--;
        }
        _at += length;
        Add(TokenKind.Operator, _at - length);
    }

    private void Quoted(char quote)
    {
        int begin = _at++;
        var text = new StringBuilder();
        while (true)
        {
            int next = _source.AsSpan(_at).IndexOfAny(quote, '\\');
            if (next < 0)
                throw new TemplateException(Line(begin), "a text in quotes has no end");
            text.Append(_source, _at, next);
            _at += next + 1;
            if (_source[_at - 1] == quote)
                break;
            Escape(text);
        }
        _tokens.Add(new Token(TokenKind.Quoted, text.ToString(), Line(begin)));
    }

    /// <summary>Reads what stands behind a backslash; one that means nothing stays.</summary>
    private void Escape(StringBuilder text)
    {
        char c = _at < _source.Length ? _source[_at] : '\0';
        int digits = c switch { 'x' => 2, 'u' => 4, 'U' => 8, _ => 0 };
        if (digits > 0 && _at + digits < _source.Length && int.TryParse(_source.AsSpan(_at + 1, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int code))
        {
            if (!Rune.IsValid(code))
                throw new TemplateException(Line(_at), "an escape in a text is half of a surrogate pair, or no character");
            text.Append(new Rune(code).ToString());
            _at += digits + 1;
            return;
        }
        if (c is >= '0' and <= '7')
        {
            int value = 0;
            for (int i = 0; i < 3 && _at < _source.Length && _source[_at] is >= '0' and <= '7'; i++)
                value = 8 * value + _source[_at++] - '0';
            text.Append((char)value);
            return;
        }
        int known = "ntrabfv\\'\"".IndexOf(c);
        if (known >= 0)
            text.Append("\n\t\r\a\b\f\v\\'\""[known]);
        else if (c != '\n')
        {
            text.Append('\\');
            return; // the character itself is read as any other
        }
        _at++;
    }

    private void Add(TokenKind kind, int begin) => _tokens.Add(new Token(kind, _source[begin.._at], Line(begin)));

    /// <summary>The line of a position, which never goes back by more than a tag.</summary>
    private int Line(int position)
    {
        if (position < _counted)
            return _line - _source.AsSpan(position, _counted - position).Count('\n');
        _line += _source.AsSpan(_counted, position - _counted).Count('\n');
        _counted = position;
        return _line;
    }
}
