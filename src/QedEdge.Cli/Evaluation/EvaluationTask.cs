using QedEdge.Json;

namespace QedEdge.Cli.Evaluation;

/// <summary>
/// A data set of questions in the form in which the Hugging Face hub's are exported to JSON lines, field names as there, with the prompts that LightEval builds
/// (github.com/huggingface/lighteval, src/lighteval/tasks; the cloze ones: github.com/huggingface/smollm, text/evaluation).
/// </summary>
/// <param name="Name">The task's name.</param>
/// <param name="Read">Reads one line.</param>
internal sealed record EvaluationTask(string Name, Func<JsonValue, PromptStyle, Question> Read)
{
    private const string AboutCommonSense = "The following are multiple choice questions (with answers) about common sense.";

    /// <summary>All tasks, in the published table's order.</summary>
    public static EvaluationTask[] All { get; } =
    [
        new("arc_challenge", ArcChallenge),
        new("commonsense_qa", CommonsenseQa),
        new("hellaswag", HellaSwag),
        new("winogrande", Winogrande),
        new("mmlu", Mmlu),
    ];

    /// <summary>allenai/ai2_arc: id, question, choices {text, label}, answerKey.</summary>
    private static Question ArcChallenge(JsonValue line, PromptStyle style)
    {
        (string[] texts, int gold) = LabelledChoices(line);
        return new Question($"Question: {line.Get("question").String()}\nAnswer:", [.. texts.Select(text => " " + text)], gold);
    }

    /// <summary>tau/commonsense_qa: id, question, question_concept, choices {label, text}, answerKey.</summary>
    private static Question CommonsenseQa(JsonValue line, PromptStyle style)
    {
        (string[] texts, int gold) = LabelledChoices(line);
        string question = line.Get("question").String();
        return style == PromptStyle.Cloze
            ? new Question(question, [.. texts.Select(text => " " + text)], gold)
            : new Question($"{AboutCommonSense}\n\n\nQuestion: {question}\n{Lettered(texts, ".  ")}Answer:", Letters(texts.Length, ""), gold);
    }

    /// <summary>Rowan/hellaswag: ind, activity_label, ctx_a, ctx_b, ctx, endings, source_id, split, split_type, label.</summary>
    private static Question HellaSwag(JsonValue line, PromptStyle style)
    {
        string[] endings = Texts(line.Get("endings"));
        int gold = Index(line.Get("label").StringOrNumber(), endings.Length, 0);
        string context = $"{line.Get("activity_label").String()}: {line.Get("ctx_a").String()} {Capitalized(line.Get("ctx_b").String())}";
        return style == PromptStyle.Cloze
            ? new Question(Cleaned(context + " "), [.. endings.Select(ending => " " + Cleaned(ending))], gold)
            : new Question($"{AboutCommonSense}\n\n\n\nQuestion: {context}\n{Lettered(endings, ". ")}Answer:", Letters(endings.Length, " "), gold);
    }

    /// <summary>allenai/winogrande, winogrande_xl: sentence, option1, option2, answer.</summary>
    private static Question Winogrande(JsonValue line, PromptStyle style)
    {
        string[] parts = line.Get("sentence").String().Split('_');
        if (parts.Length != 2)
            throw new QedException("\"sentence\" must have one _");
        string end = parts[1].Trim();
        return new Question(parts[0], [$"{line.Get("option1").String()} {end}", $"{line.Get("option2").String()} {end}"], Index(line.Get("answer").StringOrNumber(), 2, 1));
    }

    /// <summary>cais/mmlu: question, subject, choices, answer.</summary>
    private static Question Mmlu(JsonValue line, PromptStyle style)
    {
        string[] texts = Texts(line.Get("choices"));
        string subject = line.Get("subject").String(), topic = subject.Replace('_', ' '), question = line.Get("question").String(), answer = line.Get("answer").StringOrNumber();
        int gold = answer is [>= 'A' and <= 'Z'] ? Index((answer[0] - 'A').ToString(System.Globalization.CultureInfo.InvariantCulture), texts.Length, 0) : Index(answer, texts.Length, 0);
        return style == PromptStyle.Cloze
            ? new Question($"The following are questions about {topic}.\nQuestion: {question}\nAnswer:", [.. texts.Select(text => " " + text)], gold, subject)
            : new Question($"The following are multiple choice questions (with answers) about {topic}.\n\n\n\nQuestion: {question}\n{Lettered(texts, ". ")}Answer:", Letters(texts.Length, " "), gold, subject);
    }

    private static (string[] Texts, int Gold) LabelledChoices(JsonValue line)
    {
        JsonValue choices = line.Get("choices");
        string[] texts = Texts(choices.Get("text")), labels = Texts(choices.Get("label"));
        if (labels.Length != texts.Length)
            throw new QedException("\"choices\" has texts and labels of different number");
        string key = line.Get("answerKey").String().Trim();
        int gold = Array.IndexOf(labels, key);
        return gold >= 0 ? (texts, gold) : throw NoAnswer(key);
    }

    private static string[] Texts(JsonValue array)
    {
        string[] texts = [.. array.Array().Select(text => text.String())];
        return texts.Length is > 1 and <= 26 ? texts : throw new QedException($"a question has {texts.Length} choices; it needs 2 to 26");
    }

    private static int Index(string text, int count, int first) =>
        int.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out int index) && index >= first && index < first + count ? index - first : throw NoAnswer(text);

    private static QedException NoAnswer(string text) => new(text.Length == 0
        ? "the answer is empty; this split's answers are not published, take the one that samples/eval/README.md names"
        : $"the answer '{text}' is none of the choices");

    private static string Lettered(string[] texts, string between) => string.Concat(texts.Select((text, i) => $"{(char)('A' + i)}{between}{text}\n"));

    private static string[] Letters(int count, string before) => [.. Enumerable.Range(0, count).Select(i => before + (char)('A' + i))];

    /// <summary>The first letter large and all others small, as LightEval has it.</summary>
    private static string Capitalized(string text) => text.Length == 0 ? text : char.ToUpperInvariant(text[0]) + text[1..].ToLowerInvariant();

    /// <summary>Without the marks of the texts' source: "[title]" is a full stop, other brackets on one line go.</summary>
    private static string Cleaned(string text)
    {
        text = text.Replace(" [title]", ". ", StringComparison.Ordinal);
        for (int open = 0; (open = text.IndexOf('[', open)) >= 0;)
        {
            int length = text.AsSpan(open).IndexOfAny(']', '\n');
            if (length >= 0 && text[open + length] == ']')
                text = text.Remove(open, length + 1);
            else
                open++;
        }
        return text.Replace("  ", " ", StringComparison.Ordinal);
    }
}
