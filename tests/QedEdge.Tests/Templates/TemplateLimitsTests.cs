using QedEdge.Templates;

namespace QedEdge.Tests.Templates;

/// <summary>Each length of a template, below, at and above its limit.</summary>
public sealed class TemplateLimitsTests
{
    [Theory, Limit(typeof(TemplateLimits), nameof(TemplateLimits.Source))]
    public void Source(LimitTrial trial) => trial.Check(() => Template.Parse(new string(' ', trial.Count)));

    [Theory, Limit(typeof(TemplateLimits), nameof(TemplateLimits.Depth))]
    public void Depth(LimitTrial trial)
    {
        int blocks = trial.Count - 2; // the last one's condition is an expression in an expression
        trial.Check(() => Render(string.Concat(Enumerable.Repeat("{% if 1 %}", blocks)) + string.Concat(Enumerable.Repeat("{% endif %}", blocks))));
        string nested = $"{{% set n = namespace(l=[]) %}}{{% for i in range({trial.Length}) %}}{{% set n.l = [n.l] %}}{{% endfor %}}";
        trial.Check(() => Render(nested + "{{ n.l }}"));
        trial.Check(() => Render(nested + "{{ n.l|tojson }}"));
    }

    [Theory, Limit(typeof(TemplateLimits), nameof(TemplateLimits.EvaluationDepth))]
    public void EvaluationDepth(LimitTrial trial) => trial.Check(() => Render($"{{{{ 1{string.Concat(Enumerable.Repeat("+1", trial.Count - 2))} }}}}")); // a body, and a chain that is one node deep for each number

    [Theory, Limit(typeof(TemplateLimits), nameof(TemplateLimits.Steps))]
    public void Steps(LimitTrial trial) => trial.Check(() => new Rendering(DateTime.UnixEpoch, TestContext.Current.CancellationToken).Spend(trial.Length));

    [Theory, Limit(typeof(TemplateLimits), nameof(TemplateLimits.Text))]
    public void Text(LimitTrial trial) => trial.Check(() => Assert.Equal(trial.Count, Render($"{{{{ 'x' * {trial.Length} }}}}").Length));

    [Theory, Limit(typeof(TemplateLimits), nameof(TemplateLimits.Made))]
    public void Made(LimitTrial trial)
    {
        var run = new Rendering(DateTime.UnixEpoch, TestContext.Current.CancellationToken);
        const int piece = TemplateLimits.Text / 2;
        for (int i = 1; i < TemplateLimits.Made / piece; i++)
            run.Make(0, piece);
        trial.Check(() => run.Make(0, trial.Length - TemplateLimits.Made + piece));
    }

    [Theory, Limit(typeof(TemplateLimits), nameof(TemplateLimits.Range))]
    public void Range(LimitTrial trial) => trial.Check(() => Render($"{{{{ range({trial.Length})|length }}}}"));

    [Theory, Limit(typeof(TemplateLimits), nameof(TemplateLimits.Digits))]
    public void Digits(LimitTrial trial)
    {
        trial.Check(() => Render($"{{{{ {new string('9', trial.Count)} }}}}"));
        trial.Check(() => TemplateFiles.Variables($"{{\"n\":-{new string('9', trial.Count)}}}"));
    }

    [Theory, Limit(typeof(TemplateLimits), nameof(TemplateLimits.Indent))]
    public void Indent(LimitTrial trial)
    {
        trial.Check(() => Render($"{{{{ [1]|tojson(indent={trial.Length}) }}}}"));
        trial.Check(() => Render($"{{{{ 'a'|indent({trial.Length}) }}}}"));
    }

    [Theory, Limit(typeof(TemplateLimits), nameof(TemplateLimits.Values))]
    public void Values(LimitTrial trial) => trial.Check(() => TemplateFiles.Variables($"{{\"a\":[{new string('0', trial.Count - 2).Replace("0", "0,", StringComparison.Ordinal).TrimEnd(',')}]}}"));

    [Theory, Limit(typeof(TemplateLimits), nameof(TemplateLimits.Error))]
    public void Error(LimitTrial trial)
    {
        string message = Assert.Throws<TemplateException>(() => Render($"{{{{ raise_exception('x' * {trial.Length}) }}}}")).Message;
        Assert.Equal(trial.Length > trial.Most ? new string('x', (int)trial.Most) + "…" : new string('x', trial.Count), message);
    }

    private static string Render(string source) => TemplateFiles.Render(source, "{}").Text;
}
