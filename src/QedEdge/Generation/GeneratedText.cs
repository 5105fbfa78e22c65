using System.Text;
using QedEdge.Chat;
using QedEdge.Text;

namespace QedEdge.Generation;

/// <summary>Receives text; valid only during the call.</summary>
public delegate void TextHandler(ReadOnlySpan<char> text);

/// <summary>
/// Turns generated tokens into text that may be shown: no half characters, and nothing of a stop text nor behind it. Nothing is allocated per token.
/// </summary>
public sealed class GeneratedText
{
    private readonly StreamingDecoder? _decoder;
    private readonly StopFilter _stop;
    private readonly TextHandler _show;
    private readonly int[] _stopIds; // special tokens leave no text that could be looked for
    private bool _stoppedById;

    /// <summary>Starts an empty text.</summary>
    /// <param name="tokenizer">The model's, or null where there is none: then there is no text.</param>
    /// <param name="stops">Texts that end it, none of them empty; the text of a special token stands for that token.</param>
    /// <param name="show">Receives it: a piece for each token, which may be empty, and at the end what was held back.</param>
    /// <param name="follows">The tokens whose text it goes on from; none where it is a text of its own, such as an answer.</param>
    /// <exception cref="InvalidOptionException">A stop text is empty or too long, or there are too many.</exception>
    public GeneratedText(Tokenizer? tokenizer, IReadOnlyList<string> stops, TextHandler show, ReadOnlySpan<int> follows = default) : this(tokenizer, stops, show, follows, [])
    {
    }

    private GeneratedText(Tokenizer? tokenizer, IReadOnlyList<string> stops, TextHandler show, ReadOnlySpan<int> follows, IReadOnlyList<string> kept)
    {
        if (stops.Count > RequestLimits.Stops)
            throw new InvalidOptionException($"there can be {RequestLimits.Stops} stop texts at most, got {stops.Count}");
        foreach (string stop in stops) // a loop: Contains brought 59 KB into qed (docs/size.md)
        {
            if (stop == "")
                throw new InvalidOptionException("a stop text is empty");
            if (stop.Length > RequestLimits.StopLength)
                throw new InvalidOptionException($"a stop text can have {RequestLimits.StopLength} characters at most, got {stop.Length}");
        }
        _decoder = tokenizer is null ? null : new StreamingDecoder(tokenizer, SpecialTokenText.Skip, tokenizer.HasText(follows), SpecialTokens(tokenizer, kept));
        (_stop, _show, _stopIds) = (new StopFilter(stops), show, tokenizer is null ? [] : SpecialTokens(tokenizer, stops));
    }

    /// <summary>Starts an answer, whose tags for thoughts and calls are text also where the model's file calls them special tokens: <see cref="AnswerReader"/> reads them.</summary>
    /// <inheritdoc cref="GeneratedText(Tokenizer, IReadOnlyList{string}, TextHandler, ReadOnlySpan{int})"/>
    internal static GeneratedText OfAnswer(Tokenizer? tokenizer, IReadOnlyList<string> stops, TextHandler show) => new(tokenizer, stops, show, [], AnswerReader.Tags);

    /// <summary>Whether a stop text has appeared.</summary>
    public bool IsStopped => _stoppedById || _stop.Stopped;

    /// <summary>Whether all text of the tokens so far was shown.</summary>
    public bool IsWhole => !_stop.IsHolding && _decoder is null or { PendingBytes: 0 };

    /// <summary>Takes the next token.</summary>
    /// <param name="id">Its id.</param>
    /// <returns>Whether the text goes on: what a <see cref="TokenHandler"/> returns.</returns>
    public bool Append(int id)
    {
        foreach (int stop in _stopIds)
            _stoppedById |= id == stop;
        _show(_decoder is null || _stoppedById ? default : _stop.Append(_decoder.Append(id)));
        return !IsStopped;
    }

    /// <summary>Ends the text: what was held back is shown.</summary>
    public void End()
    {
        if (_decoder is not null)
            _show(_stop.Append(_decoder.Flush()));
        _show(_stop.Flush());
    }

    private static int[] SpecialTokens(Tokenizer tokenizer, IReadOnlyList<string> texts)
    {
        var ids = new List<int>();
        foreach (string text in texts)
        {
            int id = tokenizer.Find(Encoding.UTF8.GetBytes(text));
            if (id >= 0 && tokenizer.IsSpecial(id))
                ids.Add(id);
        }
        return [.. ids];
    }
}
