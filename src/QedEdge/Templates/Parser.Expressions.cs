namespace QedEdge.Templates;

/// <summary>Expressions, those first that bind the loosest.</summary>
internal sealed partial class Parser
{
    private static readonly string[] Comparisons = ["==", "!=", "<=", ">=", "<", ">"];

    /// <summary>One expression, or several with commas: a tuple.</summary>
    /// <param name="conditional">Whether an if may stand in it; a loop's own may not be swallowed.</param>
    private Expression Tuple(bool conditional = true)
    {
        Expression first = One();
        if (!IsOperator(","))
            return first;
        var items = new List<Expression> { first };
        while (AcceptOperator(",") && Current.Kind != TokenKind.TagEnd && !IsOperator(")") && !IsOperator("="))
            items.Add(One());
        return new ListDisplay([.. items], isTuple: true);

        Expression One() => conditional ? Expression() : Or();
    }

    private Expression Expression()
    {
        Descend();
        Expression value = Or();
        while (Accept("if"))
        {
            Expression condition = Or();
            value = new Conditional(condition, value, Accept("else") ? Expression() : null);
        }
        _depth--;
        return value;
    }

    private Expression Or()
    {
        Expression value = And();
        while (Accept("or"))
            value = new Choice(value, And(), isOr: true);
        return value;
    }

    private Expression And()
    {
        Expression value = Not();
        while (Accept("and"))
            value = new Choice(value, Not(), isOr: false);
        return value;
    }

    private Expression Not()
    {
        int count = 0;
        while (Accept("not"))
            count++;
        Expression value = Comparison();
        for (int i = count > 2 ? 2 - count % 2 : count; i > 0; i--)
            value = new Negation(value);
        return value;
    }

    private Expression Comparison()
    {
        Expression first = Sum();
        List<string>? operators = null;
        var operands = new List<Expression>();
        while (ComparisonOperator() is { } comparison)
        {
            (operators ??= []).Add(comparison);
            operands.Add(Sum());
        }
        return operators is null ? first : new Comparison(first, [.. operators], [.. operands]);
    }

    private string? ComparisonOperator()
    {
        if (Accept("in"))
            return "in";
        if (Is("not") && _tokens[_next + 1] is { Kind: TokenKind.Name, Text: "in" })
        {
            _next += 2;
            return "not in";
        }
        return Current.Kind == TokenKind.Operator && Array.IndexOf(Comparisons, Current.Text) >= 0 ? Take().Text : null;
    }

    private Expression Sum()
    {
        Expression value = Concatenation();
        while (IsOperator("+") || IsOperator("-"))
            value = new Operation(Take().Text, value, Concatenation());
        return value;
    }

    private Expression Concatenation()
    {
        Expression value = Product();
        while (IsOperator("~"))
            value = new Operation(Take().Text, value, Product());
        return value;
    }

    private Expression Product()
    {
        Expression value = Unary();
        while (IsOperator("*") || IsOperator("/") || IsOperator("//") || IsOperator("%"))
            value = new Operation(Take().Text, value, Unary());
        return value;
    }

    /// <summary>A sign binds tighter than a filter: -3|abs is (-3)|abs.</summary>
    private Expression Unary(bool filters = true)
    {
        Descend();
        Expression value = AcceptOperator("-") ? new Sign(Unary(filters: false), minus: true)
            : AcceptOperator("+") ? new Sign(Unary(filters: false), minus: false)
            : Primary();
        value = Postfix(value);
        if (filters)
            value = FiltersAndTests(value);
        _depth--;
        return value;
    }

    private Expression Primary()
    {
        Token token = Take();
        switch (token.Kind)
        {
            case TokenKind.Name:
                return IsConstant(token.Text) ? new Constant(token.Text is "none" or "None" ? null : Values.Of(token.Text is "true" or "True")) : new Variable(token.Text);
            case TokenKind.Number:
                return new Constant(token.Number);
            case TokenKind.Quoted:
                if (Current.Kind != TokenKind.Quoted)
                    return new Constant(new TemplateText(token.Text));
                var text = new System.Text.StringBuilder(token.Text);
                while (Current.Kind == TokenKind.Quoted)
                    text.Append(Take().Text);
                return new Constant(new TemplateText(text.ToString()));
            case TokenKind.Operator when token.Text == "(":
                if (AcceptOperator(")"))
                    return new ListDisplay([], isTuple: true);
                Expression inner = Tuple();
                ExpectOperator(")");
                return inner;
            case TokenKind.Operator when token.Text == "[":
                return new ListDisplay([.. Items("]", null)], isTuple: false);
            case TokenKind.Operator when token.Text == "{":
                var values = new List<Expression>();
                return new DictDisplay([.. Items("}", values)], [.. values]);
            default:
                throw new TemplateException(token.Line, $"an expression is missing before '{token.Text}'");
        }
    }

    private static bool IsConstant(string name) => name is "true" or "True" or "false" or "False" or "none" or "None";

    /// <summary>Expressions up to a bracket; where values are asked for, each has one behind a colon.</summary>
    private List<Expression> Items(string end, List<Expression>? values)
    {
        var items = new List<Expression>();
        while (!AcceptOperator(end))
        {
            items.Add(Expression());
            if (values is not null)
            {
                ExpectOperator(":");
                values.Add(Expression());
            }
            if (AcceptOperator(","))
                continue;
            ExpectOperator(end);
            break;
        }
        return items;
    }

    private Expression Postfix(Expression value)
    {
        while (true)
        {
            if (AcceptOperator("."))
                value = Current.Kind == TokenKind.Number ? new ItemAccess(value, new Constant(Take().Number)) : new AttributeAccess(value, Name().Text);
            else if (AcceptOperator("["))
                value = Subscript(value);
            else if (IsOperator("("))
                value = new Call(value, Arguments());
            else
                return value;
        }
    }

    private Expression Subscript(Expression value)
    {
        var parts = new Expression?[3];
        int part = 0;
        while (!AcceptOperator("]"))
        {
            if (AcceptOperator(":"))
            {
                if (++part == parts.Length)
                    throw Unexpected();
            }
            else if (parts[part] is null)
                parts[part] = Expression();
            else
                throw Unexpected();
        }
        return part > 0 ? new SliceAccess(value, parts[0], parts[1], parts[2]) : new ItemAccess(value, parts[0] ?? throw Unexpected());
    }

    private ArgumentList Arguments()
    {
        var positional = new List<Expression>();
        bool[]? spread = null;
        var names = new List<string>();
        var named = new List<Expression>();
        ExpectOperator("(");
        while (!AcceptOperator(")"))
        {
            if (Current.Kind == TokenKind.Name && _tokens[_next + 1] is { Kind: TokenKind.Operator, Text: "=" })
            {
                names.Add(Take().Text);
                _next++;
                named.Add(Expression());
            }
            else if (names.Count > 0)
                throw new TemplateException(Current.Line, "an argument without a name stands behind one with a name");
            else
            {
                if (AcceptOperator("*"))
                {
                    Array.Resize(ref spread, positional.Count + 1);
                    spread[^1] = true;
                }
                positional.Add(Expression());
            }
            if (AcceptOperator(","))
                continue;
            ExpectOperator(")");
            break;
        }
        if (spread is not null)
            Array.Resize(ref spread, positional.Count);
        return new ArgumentList([.. positional], spread, [.. names], [.. named]);
    }

    private Expression FiltersAndTests(Expression value)
    {
        while (true)
        {
            if (AcceptOperator("|"))
                value = Filter(value);
            else if (Accept("is"))
                value = Test(value);
            else if (IsOperator("("))
                value = new Call(value, Arguments());
            else
                return value;
        }
    }

    private FilterCall Filter(Expression value)
    {
        Token token = Name();
        string name = token.Text;
        while (AcceptOperator("."))
            name += "." + Name().Text;
        if (!Filters.Exists(name))
            Unsupported ??= new TemplateException(token.Line, Filters.Unknown(name).Message).Message;
        return new FilterCall(value, name, IsOperator("(") ? Arguments() : new ArgumentList([], null, [], []));
    }

    private Expression Test(Expression value)
    {
        bool negated = Accept("not");
        Token name = Name();
        Expression[] arguments = [];
        if (AcceptOperator("("))
            arguments = [.. Items(")", null)];
        else if (Current.Kind is TokenKind.Quoted or TokenKind.Number || IsOperator("[") || IsOperator("{")
            || (Current.Kind == TokenKind.Name && Current.Text is not ("else" or "or" or "and" or "is" or "if" or "in" or "not")))
            arguments = [Postfix(Primary())];
        if (!Checks.Exists(name.Text))
            Unsupported ??= new TemplateException(name.Line, Checks.Unknown(name.Text).Message).Message;
        var check = new CheckCall(value, name.Text, arguments);
        return negated ? new Negation(check) : check;
    }
}
