using System.Text;

namespace QedEdge.Chat;

/// <summary>
/// Tells the parts of an answer apart as it comes: thoughts between <c>&lt;think&gt;</c> and <c>&lt;/think&gt;</c> at its beginning (Qwen, SmolLM3, DeepSeek), calls of tools between
/// <c>&lt;tool_call&gt;</c> and <c>&lt;/tool_call&gt;</c> (Qwen, Hermes, SmolLM3), or an answer that is nothing but a call (Llama 3). What is no such part is text, as it is.
/// </summary>
public sealed class AnswerReader
{
    private const string Think = "<think>", ThinkEnd = "</think>", Call = "<tool_call>", CallEnd = "</tool_call>";

    /// <summary>What parts an answer.</summary>
    internal static string[] Tags => [Think, ThinkEnd, Call, CallEnd];

    private readonly bool _hasTools;
    private readonly int _firstCall;
    private readonly AnswerHandler? _show;
    private readonly StringBuilder _text = new(), _reasoning = new();
    private readonly List<ToolCall> _calls = [];
    private readonly StringBuilder _call = new(); // what a call may be, and grows to any length
    private string _held = ""; // what belongs to no part yet; short but for a piece's own length
    private State _state;
    private bool _hasThought;

    private enum State
    {
        Beginning,
        Reasoning,
        BehindReasoning,
        Text,
        Call,
        OnlyCall,
    }

    /// <summary>Begins an answer.</summary>
    /// <param name="isThinking">Whether the prompt ends with <c>&lt;think&gt;</c>, so that the answer begins with thoughts.</param>
    /// <param name="hasTools">Whether tools were offered; else nothing is a call.</param>
    /// <param name="show">Receives text and thoughts, or null.</param>
    /// <param name="firstCall">The first call's id is <c>call_</c> and this number: one that no call of the conversation has.</param>
    public AnswerReader(bool isThinking, bool hasTools, AnswerHandler? show = null, int firstCall = 0)
    {
        (_hasTools, _show, _firstCall) = (hasTools, show, firstCall);
        _hasThought = isThinking;
        _state = isThinking ? State.Reasoning : State.Beginning;
    }

    /// <summary>Takes the next piece.</summary>
    public void Append(ReadOnlySpan<char> piece)
    {
        if (piece.IsEmpty)
            return;
        if (_state == State.Text && !_hasTools)
        {
            Show(AnswerPart.Text, piece);
            return;
        }
        _held = string.Concat(_held, piece);
        while (Step(isEnd: false))
        {
        }
    }

    /// <summary>Ends the answer.</summary>
    /// <returns>All of it.</returns>
    public ChatAnswer End()
    {
        while (Step(isEnd: true))
        {
        }
        string text = _text.ToString();
        return new ChatAnswer(_calls.Count > 0 ? text.TrimEnd() : text, _hasThought ? _reasoning.ToString().Trim() : null, _calls);
    }

    /// <summary>Gives what is held to the part it belongs to, as far as that is known; false where nothing can be done before more comes.</summary>
    private bool Step(bool isEnd)
    {
        switch (_state)
        {
            case State.Beginning or State.BehindReasoning:
                string begun = _held.TrimStart();
                bool mayThink = _state == State.Beginning;
                if (!isEnd && (begun.Length == 0 || (mayThink && begun.Length < Think.Length && Think.StartsWith(begun, StringComparison.Ordinal))))
                    return false;
                if (mayThink && begun.StartsWith(Think, StringComparison.Ordinal))
                {
                    _hasThought = true;
                    return Go(State.Reasoning, begun[Think.Length..]);
                }
                if (!mayThink)
                    _held = begun; // the template's line ends, not the answer's
                return Go(_hasTools && begun.StartsWith('{') ? State.OnlyCall : State.Text, _held);
            case State.Reasoning:
                return PassUpTo(ThinkEnd, AnswerPart.Reasoning, State.BehindReasoning, isEnd);
            case State.Text:
                return PassUpTo(_hasTools ? Call : "", AnswerPart.Text, State.Call, isEnd);
            case State.Call:
                int end = _held.IndexOf(CallEnd, StringComparison.Ordinal);
                if (end < 0 && !isEnd)
                    return Collect(keep: Beginning(CallEnd));
                string rest = end < 0 ? "" : _held[(end + CallEnd.Length)..];
                Collect(keep: end < 0 ? 0 : _held.Length - end);
                return EndCall(Call, end < 0 ? "" : CallEnd, rest);
            default:
                Collect(keep: 0);
                return isEnd && EndCall("", "", "");
        }
    }

    /// <summary>Adds what is held to the call, but for the end of it.</summary>
    private bool Collect(int keep)
    {
        _call.Append(_held, 0, _held.Length - keep);
        _held = _held[^keep..];
        return false;
    }

    /// <summary>Takes what was collected as a call, or shows it where it is none.</summary>
    private bool EndCall(string before, string after, string rest)
    {
        string text = _call.ToString();
        _call.Clear();
        if (ToolCallText.Read(text, _firstCall + _calls.Count) is { } call)
        {
            _calls.Add(call);
            return Go(State.Text, rest.TrimStart());
        }
        Show(AnswerPart.Text, before + text + after);
        return Go(State.Text, rest);
    }

    /// <summary>Shows what is held up to a mark, or what cannot be the beginning of one.</summary>
    private bool PassUpTo(string mark, AnswerPart part, State behind, bool isEnd)
    {
        int at = mark.Length == 0 ? -1 : _held.IndexOf(mark, StringComparison.Ordinal);
        if (at >= 0)
        {
            Show(part, _held.AsSpan(0, at));
            return Go(behind, _held[(at + mark.Length)..]);
        }
        int keep = isEnd ? 0 : Beginning(mark);
        Show(part, _held.AsSpan(0, _held.Length - keep));
        _held = _held[^keep..];
        return false;
    }

    /// <summary>How many characters at the end of what is held can be the beginning of a mark.</summary>
    private int Beginning(string mark)
    {
        int length = Math.Max(0, Math.Min(mark.Length - 1, _held.Length));
        while (!mark.AsSpan().StartsWith(_held.AsSpan(_held.Length - length)))
            length--;
        return length;
    }

    private bool Go(State state, string rest)
    {
        (_state, _held) = (state, rest);
        return rest.Length > 0;
    }

    private void Show(AnswerPart part, ReadOnlySpan<char> text)
    {
        StringBuilder whole = part == AnswerPart.Text ? _text : _reasoning;
        if (part == AnswerPart.Reasoning && whole.Length == 0)
            text = text.TrimStart();
        if (text.IsEmpty)
            return;
        whole.Append(text);
        _show?.Invoke(part, text);
    }
}
