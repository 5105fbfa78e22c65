namespace QedEdge.Templates;

/// <summary>
/// A chat template: the subset of Jinja that such templates use, as transformers sets it up. Immutable, for any number of threads. It reaches nothing but the variables it is given,
/// and ends, whatever it says (<see cref="TemplateLimits"/>).
/// </summary>
internal sealed class Template
{
    private readonly Body _body;

    private Template(Body body, string? unsupported) => (_body, Unsupported) = (body, unsupported);

    /// <summary>A filter or test that there is not, with its line, or null. It is an error only where it is reached.</summary>
    public string? Unsupported { get; }

    /// <summary>Reads a template.</summary>
    /// <exception cref="TemplateException">It is wrong, or has a tag that there is not; the message names the line.</exception>
    public static Template Parse(string source) => new(Parser.Read(source, out string? unsupported), unsupported);

    /// <summary>Runs it.</summary>
    /// <param name="variables">What it can see.</param>
    /// <param name="now">What strftime_now formats.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="TemplateException">It raises an error, does what cannot be done, or takes too much.</exception>
    public TemplateText Render(DictValue variables, DateTime now, CancellationToken cancellation = default)
    {
        var run = new Rendering(now, cancellation);
        var scope = new Scope();
        for (int i = 0; i < variables.Count; i++)
        {
            if (variables.KeyAt(i) is TemplateText name)
                scope.Set(name.Text, variables.ValueAt(i));
        }
        try
        {
            return _body.Capture(run, scope);
        }
        catch (TemplateException e) when (!e.HasPlace)
        {
            throw new TemplateException(run.Line, e.Message);
        }
    }
}
