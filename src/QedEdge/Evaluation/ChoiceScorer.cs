using QedEdge.Text;

namespace QedEdge.Evaluation;

/// <summary>How the likelihood of a choice is counted.</summary>
public enum ChoiceProtocol
{
    /// <summary>The usual way: the prompt after the begin-of-text token, and of the choice all its tokens; space at the prompt's end belongs to the choice.</summary>
    Standard,
    /// <summary>
    /// That of QED's published table: the prompt without space around it, prompt and whole each with begin- and end-of-text tokens, and counted from the whole what stands
    /// beyond the prompt's length: the choice without its first token, and the end.
    /// </summary>
    Qed,
}

/// <summary>How likely a choice is after a prompt.</summary>
/// <param name="Sum">log p of what is counted, in nats.</param>
/// <param name="Tokens">Tokens counted.</param>
/// <param name="Characters">Unicode characters of the choice's text.</param>
public readonly record struct ChoiceScore(double Sum, int Tokens, int Characters)
{
    /// <summary>The sum divided by the number of characters: what accuracy with normalised length compares.</summary>
    public double PerCharacter => Sum / Math.Max(1, Characters);

    /// <summary>The sum divided by the number of tokens.</summary>
    public double PerToken => Sum / Math.Max(1, Tokens);
}

/// <summary>Compares texts that may follow a prompt: classification without any training. The prompt is computed once.</summary>
public static class ChoiceScorer
{
    /// <summary>Scores each of several texts after one prompt.</summary>
    /// <param name="session">A session of a model with a tokenizer; it may hold anything, and what it has in common with the prompt is used.</param>
    /// <param name="prompt">What all choices follow.</param>
    /// <param name="choices">The texts as they follow the prompt; a word after a word begins with a space.</param>
    /// <param name="protocol">What is counted.</param>
    /// <param name="cancellation">Stops within a layer's time.</param>
    /// <param name="plain">Whether special tokens' text is ordinary text.</param>
    /// <exception cref="QedException">The model has no tokenizer, or a choice is empty.</exception>
    /// <exception cref="ContextLengthException">Prompt and choice do not fit.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static ChoiceScore[] Score(Session session, string prompt, IReadOnlyList<string> choices, ChoiceProtocol protocol = ChoiceProtocol.Standard, CancellationToken cancellation = default, bool plain = false)
    {
        Tokenizer tokenizer = session.Model.RequireTokenizer();
        foreach (string choice in choices)
            session.Model.RequireFits((long)prompt.AsSpan().Trim().Length + choice.Length, session.Overflow == ContextOverflow.Slide ? int.MaxValue : session.Capacity); // a UTF-16 unit is a byte or more
        return Score(session, choices, choice => Encode(tokenizer, prompt, choice, protocol, plain), cancellation);
    }

    /// <summary>Scores each of several texts as they are encoded.</summary>
    /// <param name="session">A session; it may hold anything, and what it has in common with the first ids is used.</param>
    /// <param name="choices">The texts.</param>
    /// <param name="encode">Gives prompt and choice as token ids, and the first of them that counts.</param>
    /// <param name="cancellation">Stops within a layer's time.</param>
    internal static ChoiceScore[] Score(Session session, IReadOnlyList<string> choices, Func<string, (int[] Ids, int Begin)> encode, CancellationToken cancellation)
    {
        var scores = new ChoiceScore[choices.Count];
        for (int i = 0; i < scores.Length; i++)
        {
            (int[] ids, int begin) = encode(choices[i]);
            if (begin < 1 || begin >= ids.Length)
                throw new QedException($"choice {i + 1} ('{choices[i]}') has no token to count");
            double sum = 0;
            foreach (double score in SequenceScorer.LogProbabilities(session, ids, begin, cancellation))
                sum += score;
            scores[i] = new ChoiceScore(sum, ids.Length - begin, choices[i].EnumerateRunes().Count());
        }
        return scores;
    }

    /// <summary>Prompt and choice as token ids, and the first of them that counts.</summary>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="prompt">The text before.</param>
    /// <param name="choice">The text that may follow, exactly as it follows.</param>
    /// <param name="protocol">What is counted.</param>
    /// <param name="plain">Whether special tokens' text is ordinary text.</param>
    public static (int[] Ids, int Begin) Encode(Tokenizer tokenizer, string prompt, string choice, ChoiceProtocol protocol, bool plain = false)
    {
        EncodeOptions around = (plain ? EncodeOptions.Plain : EncodeOptions.ParseSpecial) | (tokenizer.PromptOptions & EncodeOptions.AddBos);
        if (protocol == ChoiceProtocol.Qed)
        {
            around |= tokenizer.EosId >= 0 ? EncodeOptions.AddEos : 0;
            prompt = prompt.Trim();
        }
        else
        {
            string head = prompt.TrimEnd(); // the space before the choice belongs to it
            (prompt, choice) = (head, prompt[head.Length..] + choice);
        }
        List<int> before = [], whole = [];
        tokenizer.Encode(prompt, before, around);
        tokenizer.Encode(prompt + choice, whole, around);
        // Where prompt and choice share a token, it belongs to the choice.
        int begin = protocol == ChoiceProtocol.Qed ? before.Count : before.ToArray().AsSpan().CommonPrefixLength(whole.ToArray());
        return ([.. whole], begin);
    }
}
