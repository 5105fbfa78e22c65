namespace QedEdge.Cli;

/// <summary>A line on standard error's terminal that changes and goes again.</summary>
internal sealed class TerminalLine : IDisposable
{
    private int _length; // of what stands there

    /// <summary>Shows a text in place of the one before.</summary>
    public void Show(string text)
    {
        Terminal.Draw("\r" + text.PadRight(_length));
        _length = text.Length;
    }

    /// <summary>Takes the line off the terminal.</summary>
    public void Dispose()
    {
        if (_length > 0)
            Terminal.Draw("\r" + new string(' ', _length + "^C".Length) + "\r"); // a terminal shows the key that ended the work behind it
        _length = 0;
    }
}
