using QedEdge.Templates;

namespace QedEdge.Tests.Templates;

/// <summary>Searching a text costs what it takes: a long piece that almost fits everywhere must not run for minutes between two looks at the limit.</summary>
public class TextSearchTests
{
    private const string Long = """{% set ns = namespace(s="ab") %}{% for i in range(21) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{% set s = ns.s %}{% set p = s[:2000000] + "aabb" %}""";

    [Theory]
    [InlineData("{{ p in s }}")]
    [InlineData("{{ s.split(p) | length }}")]
    [InlineData("{{ s.replace(p, '') | length }}")]
    public void APieceThatAlmostFitsEverywhere_EndsAtTheLimit(string search) =>
        Assert.Contains("steps", Assert.Throws<TemplateException>(() => TemplateFiles.Render(Long + search, "{}")).Message);

    [Fact]
    public void LongPieces_AreFoundWhereTheyAre()
    {
        string piece = new string('x', 40) + "y" + new string('z', 40);
        string text = new string('x', 45) + piece + "-" + piece[..^1] + "-" + piece;
        Assert.Equal("True|['" + new string('x', 45) + "', '-" + piece[..^1] + "-', '']|" + new string('x', 45) + "#-" + piece[..^1] + "-#",
            TemplateFiles.Render("{{ p in t }}|{{ t.split(p) }}|{{ t.replace(p, '#') }}", $$"""{"t":"{{text}}","p":"{{piece}}"}""").Text);
    }
}
