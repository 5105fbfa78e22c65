namespace QedEdge.Cli;

/// <summary>How far the computing of a long prompt has come, on standard error, gone before the first token.</summary>
internal sealed class PromptProgress : IDisposable
{
    private ProgressLine? _line;
    private int _before; // tokens that need not be computed

    /// <summary>As <see cref="Generation.GenerationOptions.OnPrefill"/>.</summary>
    public void Report(int done, int total)
    {
        if (_line is null)
            (_line, _before) = (new ProgressLine("tokens of the prompt", (double)done / total), done);
        _line.Report(done - _before, (double)done / total);
        if (done == total)
            Dispose();
    }

    /// <summary>Takes the line off the terminal; the next prompt begins another.</summary>
    public void Dispose()
    {
        _line?.Dispose();
        _line = null;
    }
}
