using QedEdge.Chat;
using QedEdge.Memory;

namespace QedEdge.Cli.Chat;

/// <summary>Shows an answer as it comes: what is said on standard output, what was thought before it dimmed on the terminal of standard error, and nowhere where there is none.</summary>
internal sealed class ShownAnswer : IDisposable
{
    private const string Dim = "\e[2m", Plain = "\e[0m";
    private static readonly bool ShowsThoughts = StandardStreams.ErrorIsTerminal;

    private bool _isThinking;

    /// <summary>Shows a piece.</summary>
    public void Show(AnswerPart part, ReadOnlySpan<char> text)
    {
        if (part == AnswerPart.Text)
        {
            Dispose();
            Terminal.WriteWords(text);
        }
        else if (ShowsThoughts)
        {
            if (!_isThinking)
                Terminal.Draw(Dim);
            _isThinking = true;
            Terminal.NotePart(text.ToString());
        }
    }

    /// <summary>Ends the thoughts.</summary>
    public void Dispose()
    {
        if (_isThinking)
            Terminal.Draw(Plain + "\n");
        _isThinking = false;
    }
}
