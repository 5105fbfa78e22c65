using System.Runtime.CompilerServices;

namespace QedEdge.Templates;

/// <summary>Makes a tree of a template's tokens: here statements, in the other file expressions.</summary>
internal sealed partial class Parser
{
    private readonly List<Token> _tokens;
    private int _next, _depth, _loops;

    private Parser(List<Token> tokens) => _tokens = tokens;

    /// <summary>What an expression asks for that there is not, with its line, or null. Where it is never reached it does no harm.</summary>
    public string? Unsupported { get; private set; }

    /// <summary>Reads a template.</summary>
    /// <param name="source">Its text.</param>
    /// <param name="unsupported">As <see cref="Unsupported"/>.</param>
    /// <exception cref="TemplateException">It is none, or has a tag that there is not.</exception>
    public static Body Read(string source, out string? unsupported)
    {
        var parser = new Parser(Lexer.Read(source));
        Body body = parser.Body(out _);
        unsupported = parser.Unsupported;
        return body;
    }

    private Token Current => _tokens[_next];

    /// <summary>Statements up to a tag that ends them, whose name is read.</summary>
    /// <param name="end">That name; "" at the end of the template.</param>
    /// <param name="ends">Names that end them; none for the whole template.</param>
    private Body Body(out string end, params ReadOnlySpan<string> ends)
    {
        int line = _next > 0 ? _tokens[_next - 1].Line : 1;
        Descend();
        var statements = new List<Statement>();
        while (true)
        {
            Token token = Take();
            switch (token.Kind)
            {
                case TokenKind.Text:
                    statements.Add(new Literal(token.Text) { Line = token.Line });
                    break;
                case TokenKind.OutputBegin:
                    statements.Add(new Output(Tuple()) { Line = token.Line });
                    EndTag();
                    break;
                case TokenKind.StatementBegin:
                    Token name = Name();
                    if (ends.Contains(name.Text))
                    {
                        end = name.Text;
                        _depth--;
                        return new Body([.. statements]) { Line = line };
                    }
                    statements.Add(Statement(name));
                    break;
                default:
                    if (ends.Length > 0)
                        throw new TemplateException(line, $"'{ends[^1]}' is missing");
                    end = "";
                    return new Body([.. statements]) { Line = line };
            }
        }
    }

    /// <summary>Statements up to one end, with its tag.</summary>
    private Body Block(string end)
    {
        EndTag();
        Body body = Body(out _, end);
        EndTag();
        return body;
    }

    /// <summary>A block that no break or continue leaves.</summary>
    private Body Apart(string end)
    {
        (int loops, _loops) = (_loops, 0);
        Body body = Block(end);
        _loops = loops;
        return body;
    }

    private Statement Statement(Token name) => name.Text switch
    {
        "if" => If(name.Line),
        "for" => For(name.Line),
        "set" => Set(name.Line),
        "macro" => Macro(Name()),
        "call" => CallBlock(name),
        "filter" => new Output(Filtered("endfilter", isFirst: true)) { Line = name.Line },
        "generation" => new Generation(Apart("endgeneration")) { Line = name.Line },
        "break" => Jump(name, Flow.Break),
        "continue" => Jump(name, Flow.Continue),
        _ => throw new TemplateException(name.Line, $"the tag '{name.Text}' is unknown, or ends nothing"),
    };

    private If If(int line)
    {
        var conditions = new List<Expression>();
        var bodies = new List<Body>();
        Body? otherwise = null;
        string tag = "elif";
        while (tag == "elif")
        {
            conditions.Add(Tuple());
            EndTag();
            bodies.Add(Body(out tag, "elif", "else", "endif"));
        }
        if (tag == "else")
            otherwise = Block("endif");
        else
            EndTag();
        return new If([.. conditions], [.. bodies], otherwise) { Line = line };
    }

    private For For(int line)
    {
        Target target = Target(mayBeAttribute: false);
        Expect("in");
        Expression value = Tuple(conditional: false);
        Expression? condition = Accept("if") ? Expression() : null;
        EndTag();
        _loops++;
        Body body = Body(out string tag, "else", "endfor");
        _loops--;
        Body? otherwise = null;
        if (tag == "else")
            otherwise = Block("endfor");
        else
            EndTag();
        return new For(target, value, condition, body, otherwise) { Line = line };
    }

    private Set Set(int line)
    {
        Target target = Target(mayBeAttribute: true);
        if (AcceptOperator("="))
        {
            var set = new Set(target, Tuple()) { Line = line };
            EndTag();
            return set;
        }
        return new Set(target, Filtered("endset", isFirst: false)) { Line = line };
    }

    /// <summary>What a block writes, through the filters that its tag names.</summary>
    /// <param name="end">The tag that ends it.</param>
    /// <param name="isFirst">Whether the first filter stands without a |.</param>
    private Expression Filtered(string end, bool isFirst)
    {
        int filters = _next;
        while (Current.Kind != TokenKind.TagEnd && Current.Kind != TokenKind.End)
            _next++; // read behind the body, which they are around
        int behind = _next;
        Body body = Block(end);
        int done = _next;
        _next = filters;
        Expression value = new CapturedBody(body);
        for (bool more = isFirst || AcceptOperator("|"); more; more = AcceptOperator("|"))
            value = Filter(value);
        if (_next != behind)
            throw Unexpected();
        _next = done;
        return value;
    }

    private MacroDefinition Macro(Token name)
    {
        (string[] parameters, Expression?[] defaults) = Parameters();
        return new MacroDefinition(name.Text, parameters, defaults, Apart("endmacro")) { Line = name.Line };
    }

    private CallBlock CallBlock(Token tag)
    {
        (string[] parameters, Expression?[] defaults) = Current is { Kind: TokenKind.Operator, Text: "(" } ? Parameters() : ([], []);
        if (Postfix(Primary()) is not Call call)
            throw new TemplateException(tag.Line, "'call' needs a call");
        var caller = new MacroDefinition(Templates.Macro.Caller, parameters, defaults, Apart("endcall"));
        return new CallBlock(caller, call) { Line = tag.Line };
    }

    private (string[] Names, Expression?[] Defaults) Parameters()
    {
        var names = new List<string>();
        var defaults = new List<Expression?>();
        ExpectOperator("(");
        while (!AcceptOperator(")"))
        {
            names.Add(Name().Text);
            defaults.Add(AcceptOperator("=") ? Expression() : null);
            if (AcceptOperator(","))
                continue;
            ExpectOperator(")");
            break;
        }
        return ([.. names], [.. defaults]);
    }

    private Jump Jump(Token name, Flow flow)
    {
        if (_loops == 0)
            throw new TemplateException(name.Line, $"'{name.Text}' stands in no loop");
        EndTag();
        return new Jump(flow) { Line = name.Line };
    }

    private Target Target(bool mayBeAttribute)
    {
        bool inBrackets = AcceptOperator("(");
        var names = new List<string>();
        do
        {
            if (names.Count > 0 && Current is not { Kind: TokenKind.Name, Text: not "in" })
                break; // a comma at the end
            Token name = Name();
            if (IsConstant(name.Text) || (name.Text == "loop" && !mayBeAttribute))
                throw new TemplateException(name.Line, $"'{name.Text}' cannot be given a value");
            if (mayBeAttribute && names.Count == 0 && AcceptOperator("."))
                return new Target([name.Text], Name().Text);
            names.Add(name.Text);
        }
        while (AcceptOperator(","));
        if (inBrackets)
            ExpectOperator(")");
        return new Target([.. names], null);
    }

    private Token Take() => _next < _tokens.Count - 1 ? _tokens[_next++] : _tokens[_next];

    private Token Name() => Current.Kind == TokenKind.Name ? Take() : throw new TemplateException(Current.Line, $"a name is missing before '{Current.Text}'");

    private bool Is(string text, TokenKind kind = TokenKind.Name) => Current.Kind == kind && Current.Text == text;

    private bool Accept(string text, TokenKind kind = TokenKind.Name)
    {
        bool found = Is(text, kind);
        if (found)
            _next++;
        return found;
    }

    private void Expect(string text, TokenKind kind = TokenKind.Name)
    {
        if (!Accept(text, kind))
            throw new TemplateException(Current.Line, $"'{text}' is missing before '{Current.Text}'");
    }

    private bool IsOperator(string text) => Is(text, TokenKind.Operator);

    private bool AcceptOperator(string text) => Accept(text, TokenKind.Operator);

    private void ExpectOperator(string text) => Expect(text, TokenKind.Operator);

    private void EndTag()
    {
        if (Current.Kind != TokenKind.TagEnd)
            throw Unexpected();
        _next++;
    }

    private TemplateException Unexpected() => new(Current.Line, $"'{Current.Text}' is not possible here");

    private void Descend()
    {
        if (++_depth > TemplateLimits.Depth || !RuntimeHelpers.TryEnsureSufficientExecutionStack())
            throw new TemplateException(Current.Line, "more than " + Numbers.Text(TemplateLimits.Depth) + " expressions and blocks stand within each other");
    }
}
