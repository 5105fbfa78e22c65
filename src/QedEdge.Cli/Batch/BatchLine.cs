using System.Globalization;
using System.Text;
using QedEdge.Chat;
using QedEdge.Generation;
using QedEdge.Json;
using QedEdge.Sampling;
using QedEdge.Text;

namespace QedEdge.Cli.Batch;

/// <summary>What one line of a batch asks for.</summary>
/// <param name="Prompt">The prompt's text, for choices and scores.</param>
/// <param name="Chat">The conversation that it is, or null.</param>
/// <param name="Tokens">The prompt's token ids.</param>
/// <param name="Score">A text to score after the prompt, or null.</param>
/// <param name="Choices">Texts to choose from, or null.</param>
/// <param name="Options">What to generate.</param>
/// <param name="Stops">Texts that end it.</param>
/// <param name="Likely">How many likely tokens are reported for each token, or null for no probabilities.</param>
/// <param name="Plain">Whether special tokens' text in it is ordinary text.</param>
internal sealed record BatchLine(string Prompt, BatchChat? Chat, int[] Tokens, string? Score, string[]? Choices, GenerationOptions Options, string[] Stops, int? Likely, bool Plain)
{
    /// <summary>Whether what is generated goes on from the prompt's text; an answer to messages is a text of its own.</summary>
    public bool Continues { get; private init; }

    private static readonly string[] Known =
    [
        "id", "prompt", "plain", "messages", "tools", "enable_thinking", "chat_template_kwargs", "tokens", "score", "choices", "max_tokens", "temperature", "top_k", "top_p", "min_p", "typical", "repeat_penalty", "presence_penalty",
        "frequency_penalty", "repeat_last_n", "penalize_new", "logit_bias", "seed", "stop", "ignore_eos", "logprobs",
    ];

    /// <summary>Reads a line.</summary>
    /// <param name="line">The line's object.</param>
    /// <param name="model">The model.</param>
    /// <param name="capacity">Tokens of a session's context.</param>
    /// <param name="defaults">What holds where the line says nothing.</param>
    /// <param name="stops">As <paramref name="defaults"/>.</param>
    /// <exception cref="QedException">It is not usable.</exception>
    public static BatchLine Read(JsonValue line, QedModel model, int capacity, GenerationOptions defaults, string[] stops)
    {
        if (line.Names.FirstOrDefault(name => !Known.Contains(name)) is { } unknown)
            throw new QedException($"\"{ModelFormatException.OneLine(unknown)}\" is unknown; known are {string.Join(", ", Known)}");
        JsonValue? prompt = line.Find("prompt"), messages = line.Find("messages"), tokens = line.Find("tokens"), score = line.Find("score"), choices = line.Find("choices");
        int given = new[] { prompt, messages, tokens }.Count(value => value is not null);
        if (given > 1)
            throw new QedException("give one of \"prompt\", \"messages\" and \"tokens\"");
        if (score is not null && choices is not null)
            throw new QedException("give one of \"score\" and \"choices\"");
        if (score is not null || choices is not null ? tokens is not null : given == 0)
            throw new QedException(given == 0 ? "there is no \"prompt\", \"messages\", \"tokens\" or \"score\"" : "\"score\" and \"choices\" go with \"prompt\" or \"messages\"");
        if (messages is null && ConversationReader.Members.FirstOrDefault(name => line.Find(name) is not null) is { } alone)
            throw new QedException($"\"{alone}\" goes with \"messages\"");
        BatchChat? chat = messages is null ? null : BatchChat.Read(line, model, capacity);
        string text = prompt?.String() ?? "";
        bool plain = line.Find("plain")?.Boolean() ?? false;
        int[] ids = tokens is not null ? Ids(tokens)
            : score is not null || choices is not null ? []
            : chat is not null ? chat.Encode()
            : Encode(model, capacity, text, plain);
        return new BatchLine(text, chat, ids, score?.String(), choices is null ? null : Texts(choices, "choices", RequestLimits.Choices), Generation(line, defaults), [.. line.Find("stop") is { } stop ? Texts(stop, "stop", RequestLimits.Stops) : stops, .. chat is null ? [] : chat.Stops],
            line.Find("logprobs")?.Int32() is not { } likely ? null
                : likely is >= 0 and <= RequestLimits.LikelyTokens ? likely
                : throw new QedException($"\"logprobs\" must be 0 to {RequestLimits.LikelyTokens}"), plain)
        {
            Continues = chat is null,
        };
    }

    /// <summary>What a line's record has as its id: the line's own, else its number.</summary>
    public static string IdOf(long number, byte[] line)
    {
        try
        {
            if (JsonValue.ParseObject(line).Find("id") is { } id)
                return id.StringOrNumber();
        }
        catch (QedException)
        {
            // A line that cannot be used.
        }
        return number.ToString(CultureInfo.InvariantCulture);
    }

    private static int[] Ids(JsonValue tokens)
    {
        int[] ids = tokens.Int32s(RequestLimits.Ids);
        return ids.Length > 0 ? ids : throw new QedException("\"tokens\" is empty; there is nothing to continue");
    }

    private static int[] Encode(QedModel model, int capacity, string text, bool plain)
    {
        Tokenizer tokenizer = model.RequireTokenizer();
        model.RequireFits(Encoding.UTF8.GetByteCount(text), capacity);
        var ids = new List<int>();
        tokenizer.Encode(text, ids, plain ? tokenizer.PromptOptions & ~EncodeOptions.ParseSpecial : tokenizer.PromptOptions);
        return ids.Count > 0 ? [.. ids] : throw new QedException("the prompt is empty and the model has no token to begin with");
    }

    /// <summary>A string, or an array of strings, none of them empty.</summary>
    private static string[] Texts(JsonValue value, string name, int most)
    {
        string[] texts = value.IsArray ? [.. value.Array(most).Select(text => text.String())] : [value.String()];
        return texts.Length > 0 && !texts.Contains("") ? texts : throw new QedException($"\"{name}\" is empty or holds an empty text");
    }

    private static GenerationOptions Generation(JsonValue line, GenerationOptions defaults)
    {
        SamplingOptions sampling = defaults.Sampling with
        {
            Temperature = line.Find("temperature")?.Single() ?? defaults.Sampling.Temperature,
            TopK = line.Find("top_k")?.Int32() ?? defaults.Sampling.TopK,
            TopP = line.Find("top_p")?.Single() ?? defaults.Sampling.TopP,
            MinP = line.Find("min_p")?.Single() ?? defaults.Sampling.MinP,
            TypicalP = line.Find("typical")?.Single() ?? defaults.Sampling.TypicalP,
            RepeatPenalty = line.Find("repeat_penalty")?.Single() ?? defaults.Sampling.RepeatPenalty,
            PresencePenalty = line.Find("presence_penalty")?.Single() ?? defaults.Sampling.PresencePenalty,
            FrequencyPenalty = line.Find("frequency_penalty")?.Single() ?? defaults.Sampling.FrequencyPenalty,
            PenaltyWindow = line.Find("repeat_last_n")?.Int32() ?? defaults.Sampling.PenaltyWindow,
            PenalizesPrompt = line.Find("penalize_new")?.Boolean() is { } onlyNew ? !onlyNew : defaults.Sampling.PenalizesPrompt,
            LogitBias = line.Find("logit_bias") is { } bias ? Biases(bias) : defaults.Sampling.LogitBias,
            Seed = line.Find("seed")?.UInt64() ?? defaults.Sampling.Seed,
        };
        sampling.Validate();
        return defaults with
        {
            Sampling = sampling,
            MaxTokens = line.Find("max_tokens")?.Int32() ?? defaults.MaxTokens,
            IgnoreEos = line.Find("ignore_eos")?.Boolean() ?? defaults.IgnoreEos,
        };
    }

    private static Dictionary<int, float> Biases(JsonValue given)
    {
        var biases = new Dictionary<int, float>();
        foreach ((string name, JsonValue value) in given.Members())
        {
            if (!int.TryParse(name, CultureInfo.InvariantCulture, out int id))
                throw new QedException($"\"logit_bias\" has '{ModelFormatException.OneLine(name)}', which is no token id");
            biases[id] = value.IsNumber ? value.Single() : value.String() == "-inf" ? float.NegativeInfinity : throw new QedException($"\"logit_bias.{name}\" must be a number or \"-inf\"");
        }
        return biases;
    }
}
