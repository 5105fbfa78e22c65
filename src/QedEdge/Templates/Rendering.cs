using System.Runtime.CompilerServices;

namespace QedEdge.Templates;

/// <summary>One rendering: what it has taken so far.</summary>
/// <param name="now">What strftime_now formats.</param>
/// <param name="cancellation">Ends it.</param>
internal sealed class Rendering(DateTime now, CancellationToken cancellation)
{
    private const int StepsBetweenLooks = 1 << 14;

    private long _steps, _look = StepsBetweenLooks, _made;
    private int _depth;

    /// <summary>What strftime_now formats.</summary>
    public DateTime Now { get; } = now;

    /// <summary>The line of the tag that is being run, for errors.</summary>
    public int Line { get; set; } = 1;

    /// <summary>Counts work before it is done.</summary>
    /// <exception cref="TemplateException">It is too much.</exception>
    public void Spend(long steps = 1)
    {
        _steps += steps;
        if (_steps < _look)
            return;
        cancellation.ThrowIfCancellationRequested();
        if (_steps > TemplateLimits.Steps)
            throw new TemplateException("the template takes more than " + Numbers.Text(TemplateLimits.Steps) + " steps");
        _look = _steps + StepsBetweenLooks;
    }

    /// <summary>Counts text before it is made.</summary>
    /// <param name="before">What it becomes part of has so many characters already.</param>
    /// <param name="length">How many come.</param>
    /// <exception cref="TemplateException">It is too much.</exception>
    public void Make(long before, long length)
    {
        if (before + length > TemplateLimits.Text)
            throw new TemplateException("a text becomes longer than " + Numbers.Text(TemplateLimits.Text) + " characters");
        _made += length;
        if (_made > TemplateLimits.Made)
            throw new TemplateException("the template makes more than " + Numbers.Text(TemplateLimits.Made) + " characters of text");
        Spend(1 + length / 16);
    }

    /// <summary>Counts the elements of a list before it is made.</summary>
    /// <exception cref="TemplateException">They are too many.</exception>
    public void MakeList(long count)
    {
        const int asText = 8;
        Make(0, Math.Min(count, TemplateLimits.Text) * asText);
        Spend(count);
    }

    /// <summary>Goes into a node.</summary>
    /// <exception cref="TemplateException">It is too deep, for this thread's stack too.</exception>
    public void Enter()
    {
        Spend();
        if (++_depth > TemplateLimits.EvaluationDepth || !RuntimeHelpers.TryEnsureSufficientExecutionStack())
            throw new TemplateException("the template runs more than " + Numbers.Text(TemplateLimits.EvaluationDepth) + " levels deep");
    }

    /// <summary>Leaves a node. An error leaves all.</summary>
    public void Leave() => _depth--;
}
