using System.Text;
using QedEdge.Machine;
using QedEdge.Text;

namespace QedEdge.Chat;

/// <summary>Finds out what a template puts around turns by having it render words that nobody says.</summary>
internal static class TurnProbe
{
    private const string User = "Aardvark", Answer = "Xanthippe", Next = "Yggdrasil";

    /// <summary>What ends an answer: what stands between it and another message of each role, the first special token in it, or where there is none its text.</summary>
    public static string[] StopTexts(ChatTemplate template, Tokenizer tokenizer)
    {
        var stops = new List<string>();
        foreach (string role in (ReadOnlySpan<string>)["user", "system", "assistant"])
        {
            if (Behind(template, role) is { } text && StopText(text, tokenizer) is { } stop && !stops.Contains(stop))
                stops.Add(stop);
        }
        return [.. stops];
    }

    /// <summary>The ids that two conversations with a system message have in common, or null where the message is not in them as a whole.</summary>
    public static int[]? EncodeSystem(ChatTemplate template, string system)
    {
        Conversation Of(string text) => new() { Messages = [new("system", system), new("user", text)], Now = LocalTime.Now };
        RenderedText first = template.Render(Of(User), addGenerationPrompt: false), second = template.Render(Of(Next), addGenerationPrompt: false);
        int common = first.Text.AsSpan().CommonPrefixLength(second.Text);
        if (first.Text.AsSpan(0, common).IndexOf(system.Trim()) < 0)
            return null;
        int[] ids = template.Encode(first.Cut(common));
        ReadOnlySpan<int> same = ids.AsSpan(0, ids.AsSpan().CommonPrefixLength(template.Encode(first)));
        return same[..same.CommonPrefixLength(template.Encode(second))].ToArray();
    }

    /// <summary>What stands between an answer and the words of what follows it.</summary>
    private static string? Behind(ChatTemplate template, string role)
    {
        try
        {
            string text = template.Render(new Conversation { Messages = [new("user", User), new("assistant", Answer), new(role, Next)], Now = DateTime.UnixEpoch }).Text;
            int answer = text.LastIndexOf(Answer, StringComparison.Ordinal), begin = answer + Answer.Length, next = answer < 0 ? -1 : text.IndexOf(Next, begin, StringComparison.Ordinal);
            return next < 0 ? null : text[begin..next];
        }
        catch (QedException)
        {
            return null; // no such turn
        }
    }

    private static string? StopText(string text, Tokenizer tokenizer)
    {
        var ids = new List<int>();
        tokenizer.Encode(text, ids, EncodeOptions.ParseSpecial);
        foreach (int id in ids)
        {
            if (tokenizer.IsSpecial(id) && id != tokenizer.UnkId)
                return Encoding.UTF8.GetString(tokenizer.Piece(id));
        }
        // "\nUser:" ends an answer, and "User:" within a line does not; a tag does anywhere.
        string end = text.TrimEnd(), tag = end.TrimStart();
        return tag.Length == 0 ? null : char.IsLetterOrDigit(tag[0]) ? end : tag;
    }
}
