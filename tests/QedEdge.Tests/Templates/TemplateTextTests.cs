using QedEdge.Templates;

namespace QedEdge.Tests.Templates;

/// <summary>Who wrote a character is known through every operation, and errors name the line.</summary>
public sealed class TemplateTextTests
{
    /// <summary>Of {a: "xy", b: "é😀z"} (typed), templates' texts with what was typed in brackets.</summary>
    [Theory]
    [InlineData("{{ a }}-{{ b }}", "[xy]-[é😀z]")]
    [InlineData("{{ '<' + a + '>' }}", "<[xy]>")]
    [InlineData("{{ '<' ~ a ~ b }}", "<[xyé😀z]")]
    [InlineData("{{ ('  ' + a + ' ')|trim }}", "[xy]")]
    [InlineData("{{ ('-' + a + '-').strip('-x') }}", "[y]")]
    [InlineData("{{ (a + '|' + b).split('|')[1] }}", "[é😀z]")]
    [InlineData("{{ (a + ' <' + b).split()|join('+') }}", "[xy]+<[é😀z]")]
    [InlineData("{{ 'a.b'.replace('.', a) }}{{ a.replace('x', '<') }}{{ a.replace('', '.') }}", "a[xy]b<[y].[x].[y].")]
    [InlineData("{{ (a + '<>')[1:3] }}{{ (a + '<>')[::-1] }}{{ ('<' + b)[2] }}", "[y]<><[yx😀]")]
    [InlineData("{% for c in '<' + b %}{{ c }}.{% endfor %}", "<.[é].[😀].[z].")]
    [InlineData("{{ ('q' + a)|upper }}{{ ('q' + a)|capitalize }}{{ ('q' + a)|title }}", "Q[XY]Q[xy]Q[xy]")]
    [InlineData("{{ [a, '<', {'k': b}] }}", "['[xy]', '<', {'k': '[é😀z]'}]")]
    [InlineData("{{ [a, '<', {'k': b}]|tojson }}", "[\"[xy]\", \"<\", {\"k\": \"[é😀z]\"}]")]
    [InlineData("{{ (a + '\\n<')|tojson }}{{ [a + '\\n'] }}", "\"[xy]\\n<\"['[xy]\\n']")]
    [InlineData("{{ {'k': a}|tojson(indent=1) }}", "{\n \"k\": \"[xy]\"\n}")]
    [InlineData("{{ ('<\\n' + a)|indent(1) }}{{ (a + '\\n<')|indent(a) }}", "<\n [xyxy]\n[xy]<")]
    [InlineData("{% set n = namespace(t='<') %}{% for i in range(2) %}{% set n.t = n.t + a %}{% endfor %}{{ n.t }}", "<[xyxy]")]
    [InlineData("{% set t %}<{{ a }}>{% endset %}{{ t }}{% macro m(p) %}({{ p }}){% endmacro %}{{ m(a) }}", "<[xy]>([xy])")]
    [InlineData("{% filter upper %}q{{ a }}{% endfilter %}", "Q[XY]")]
    [InlineData("{{ a * 2 }}{{ '<' * 2 }}{{ a|list|join }}{{ [a, '<', b]|join('-') }}", "[xyxy]<<[xyxy]-<-[é😀z]")]
    [InlineData("{{ d|tojson }}{{ d.items()|list }}", "{\"[k]\": \"[v]\"}[('[k]', '[v]')]")]
    public void WhatWasTyped_StaysMarked(string source, string expected)
    {
        TemplateText text = TemplateFiles.Render(source, """{"a":"xy","b":"é😀z","d":{"k":"v"}}""");
        string marked = text.Text;
        for (int i = text.Typed.Length - 1; i >= 0; i--)
            marked = marked.Insert(text.Typed[i], i % 2 == 0 ? "[" : "]");
        Assert.Equal(expected, marked);
    }

    /// <summary>What Python's int and float take: digits of any script, single underscores between them.</summary>
    [Theory]
    [InlineData("1_000", "1000 1000.0")]
    [InlineData("٣", "3 3.0")]
    [InlineData("𝟘𝟙", "1 1.0")]
    [InlineData("1__0", "none none")]
    [InlineData("_1", "none none")]
    [InlineData("1_", "none none")]
    [InlineData("1_0.5", "10 10.5")]
    [InlineData(" 7 ", "7 7.0")]
    [InlineData("+5", "5 5.0")]
    [InlineData("1_e5", "none none")]
    [InlineData("1e1_0", "10000000000 10000000000.0")]
    [InlineData("۱٫۵", "none none")]
    public void ANumbersText_IsReadAsPythonReadsIt(string text, string expected) =>
        Assert.Equal(expected, TemplateFiles.Render("{{ '" + text + "'|int('none') }} {{ '" + text + "'|float('none') }}", "{}").Text);

    [Fact]
    public void SpacesAroundAWholeNumber_DoNotCount() => Assert.Equal("7", TemplateFiles.Render("{{ (' ' * 500 ~ '7')|int('none') }}", "{}").Text);

    [Theory]
    [InlineData("a\n{{ x.y.z }}", "line 2: 'x' is undefined")]
    [InlineData("\n\n{% set y = 'a' + 1 %}", "line 3: '+' is not possible with text and a whole number")]
    [InlineData("{{ 'a'|frob }}", "line 1: the filter 'frob' is unknown")]
    [InlineData("{% if a %}\n{{ a is frob }}{% endif %}", "line 2: the test 'frob' is unknown")]
    [InlineData("x\n{% include 'f' %}", "line 2: the tag 'include' is unknown, or ends nothing")]
    [InlineData("{% if a %}\n\n", "line 1: 'endif' is missing")]
    [InlineData("{{ a\n\n", "line 1: a tag has no end")]
    [InlineData("\n{{ (a] }}", "line 2: ']' closes nothing")]
    [InlineData("{% macro m(p) %}{{ p }}{% endmacro %}\n{{ m(q=1) }}", "line 2: the macro 'm' takes no argument 'q', or is given it twice")]
    [InlineData("{{ raise_exception('only ' ~ a ~ '!') }}", "only xy!")]
    [InlineData("{{ raise_exception('\\x1b[31m\\u202e') }}", "\\u001b[31m\\u202e")]
    public void AnError_NamesLineAndFeature(string source, string expected) =>
        Assert.Equal(expected, Assert.Throws<TemplateException>(() => TemplateFiles.Render(source, """{"a":"xy"}""")).Message);

    [Fact]
    public void WhatIsUnknown_IsKnownBeforeItIsReached()
    {
        Assert.Equal("line 2: the filter 'from_json' is unknown", Template.Parse("{% if false %}\n{{ 'x'|from_json }}{% endif %}").Unsupported);
        Assert.Null(Template.Parse("{{ 'x'|trim }}").Unsupported);
    }

    [Fact]
    public void Cancelled_Ends() => Assert.Throws<OperationCanceledException>(() =>
        Template.Parse("{% for i in range(99999) %}{% for j in range(9) %}{% endfor %}{% endfor %}").Render(new DictValue(), DateTime.UnixEpoch, new CancellationToken(canceled: true)));

    /// <summary>Python's words for floats, which .NET writes otherwise.</summary>
    [Theory]
    [InlineData("1.0", "1.0")]
    [InlineData("1e23", "1e+23")]
    [InlineData("1e16", "1e+16")]
    [InlineData("9999999999999998.0", "9999999999999998.0")]
    [InlineData("123456789012345.6", "123456789012345.6")]
    [InlineData("0.0001", "0.0001")]
    [InlineData("0.00001234", "1.234e-05")]
    [InlineData("1.5e300", "1.5e+300")]
    [InlineData("-0.0", "-0.0")]
    [InlineData("5e-324", "5e-324")]
    [InlineData("100", "100")]
    [InlineData("12345678901234567890123456789012345678", "12345678901234567890123456789012345678")]
    public void ANumber_IsWrittenAsPythonDoes(string json, string expected) => Assert.Equal(expected, TemplateFiles.Render("{{ x }}", $"{{\"x\":{json}}}").Text);
}
