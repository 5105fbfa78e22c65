using System.Globalization;
using QedEdge.CommandLine;
using QedEdge.Generation;
using QedEdge.Sampling;

namespace QedEdge.Cli;

/// <summary>The options that say how tokens are chosen and when generation ends.</summary>
/// <param name="maxTokens">New tokens at most, where the user says nothing; null is what the model's file says.</param>
internal sealed class SamplingInput(int? maxTokens = null)
{
    private readonly IntegerOption _maxTokens = new("--max-tokens", "-n") { ValueName = "N", Description = maxTokens is null ? "New tokens at most; the model's own default, else 64" : "New tokens at most", Default = maxTokens };
    private readonly NumberOption _temperature = new("--temp") { ValueName = "X", Description = "Temperature; 0 is greedy (default: the model's, else 0.8)" };
    private readonly IntegerOption _topK = new("--top-k") { ValueName = "N", Description = "Only the N most likely tokens; 0 is off (default: the model's, else 50)" };
    private readonly NumberOption _topP = new("--top-p") { ValueName = "X", Description = "Only the most likely tokens that sum to X; 1 is off" };
    private readonly NumberOption _minP = new("--min-p") { ValueName = "X", Description = "Only tokens at least X times as likely as the likeliest; 0 is off" };
    private readonly NumberOption _typical = new("--typical") { ValueName = "X", Description = "Only tokens about as surprising as is to be expected, that sum to X (locally typical sampling); 1 is off" };
    private readonly NumberOption _repeat = new("--repeat-penalty") { ValueName = "X", Description = "Divides logits of the last tokens; 1 is off" };
    private readonly NumberOption _presence = new("--presence-penalty") { ValueName = "X", Description = "Taken off logits of the last tokens; 0 is off" };
    private readonly NumberOption _frequency = new("--frequency-penalty") { ValueName = "X", Description = "As --presence-penalty, once per occurrence; 0 is off" };
    private readonly IntegerOption _window = new("--repeat-last-n") { ValueName = "N", Description = "How many of the last tokens the penalties look at (default: 64)" };
    private readonly Flag _penalizeNew = new("--penalize-new") { Description = "The penalties look at generated tokens alone, not at the prompt, as OpenAI's do" };
    private readonly TextsOption _bias = new("--logit-bias") { ValueName = "ID=X", Description = "Adds X to a token's logit, -inf forbids it (repeatable)" };
    private readonly SeedOption _seed = new("--seed", "-s") { ValueName = "N", Description = "The same seed gives the same text on every machine; random if not given" };
    private readonly Flag _greedy = new("--greedy") { Description = "Always the most likely token" };
    private readonly TextsOption _stop = new("--stop") { ValueName = "TEXT", Description = "Ends before this text appears; the text of a special token stands for that token (repeatable)" };
    private readonly Flag _ignoreEos = new("--ignore-eos") { Description = "Goes on when the model ends the text" };

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        command.AddGroup(OptionGroups.Sampling, _maxTokens, _temperature, _topK, _topP, _minP, _typical, _repeat, _presence, _frequency, _window, _penalizeNew, _bias, _seed, _greedy, _stop, _ignoreEos);
    }

    /// <summary>Those that can be changed while a conversation goes on.</summary>
    public Option[] Settings => [_maxTokens, _temperature, _topK, _topP, _minP, _typical, _repeat, _presence, _frequency, _window, _penalizeNew, _seed, _ignoreEos];

    /// <summary>What holds for one of <see cref="Settings"/>, as it is typed.</summary>
    public string Setting(Option option, ParseResult parsed, GenerationOptions options)
    {
        SamplingOptions sampling = options.Sampling;
        return option == _maxTokens ? Text(options.MaxTokens)
            : option == _temperature ? Text(sampling.Temperature)
            : option == _topK ? Text(sampling.TopK)
            : option == _topP ? Text(sampling.TopP)
            : option == _minP ? Text(sampling.MinP)
            : option == _typical ? Text(sampling.TypicalP)
            : option == _repeat ? Text(sampling.RepeatPenalty)
            : option == _presence ? Text(sampling.PresencePenalty)
            : option == _frequency ? Text(sampling.FrequencyPenalty)
            : option == _window ? Text(sampling.PenaltyWindow)
            : option == _penalizeNew ? Text(!sampling.PenalizesPrompt)
            : option == _ignoreEos ? Text(options.IgnoreEos)
            : HasSeed(parsed) ? sampling.Seed.ToString(CultureInfo.InvariantCulture) : "random";
    }

    /// <summary>The command line with another setting; a temperature goes before an earlier --greedy.</summary>
    /// <exception cref="UsageException">It is no value of the option's.</exception>
    public ParseResult With(ParseResult parsed, Option option, string value) =>
        (option == _temperature && parsed.GetValue(_greedy) ? parsed.With(_greedy, "false") : parsed).With(option, value);

    /// <summary>The texts that end generation.</summary>
    /// <exception cref="UsageException">One is empty.</exception>
    public string[] Stops(ParseResult parsed)
    {
        string[] stops = parsed.GetValue(_stop);
        return stops.Contains("") ? throw new UsageException("--stop needs a text") : stops;
    }

    /// <summary>Whether a seed was given.</summary>
    public bool HasSeed(ParseResult parsed) => parsed.GetValue(_seed) is not null;

    /// <summary>What is to be generated.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="model">The model.</param>
    /// <exception cref="UsageException">An option is out of range.</exception>
    /// <exception cref="ModelFormatException">The model's own defaults are not usable.</exception>
    public GenerationOptions Options(ParseResult parsed, QedModel model)
    {
        GenerationOptions asked = GenerationOptions.Of(model);
        SamplingOptions defaults = asked.Sampling;
        var sampling = new SamplingOptions
        {
            Temperature = parsed.GetValue(_greedy) ? 0f : (float?)parsed.GetValue(_temperature) ?? defaults.Temperature,
            TopK = parsed.GetValue(_topK) ?? defaults.TopK,
            TopP = (float?)parsed.GetValue(_topP) ?? defaults.TopP,
            MinP = (float?)parsed.GetValue(_minP) ?? defaults.MinP,
            TypicalP = (float?)parsed.GetValue(_typical) ?? defaults.TypicalP,
            RepeatPenalty = (float?)parsed.GetValue(_repeat) ?? defaults.RepeatPenalty,
            PresencePenalty = (float?)parsed.GetValue(_presence) ?? defaults.PresencePenalty,
            FrequencyPenalty = (float?)parsed.GetValue(_frequency) ?? defaults.FrequencyPenalty,
            PenaltyWindow = parsed.GetValue(_window) ?? defaults.PenaltyWindow,
            PenalizesPrompt = !parsed.GetValue(_penalizeNew),
            LogitBias = Biases(parsed.GetValue(_bias), model.Config.VocabSize),
            Seed = parsed.GetValue(_seed) ?? (ulong)Random.Shared.Next(),
        };
        sampling.Validate();
        int most = parsed.GetValue(_maxTokens) ?? asked.MaxTokens;
        if (most < 0)
            throw new UsageException($"--max-tokens must be 0 or more, got {most}");
        return new GenerationOptions { Sampling = sampling, MaxTokens = most, IgnoreEos = parsed.GetValue(_ignoreEos) };
    }

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Text(float value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Text(bool value) => value ? "true" : "false";

    private static Dictionary<int, float>? Biases(string[] given, int vocabSize)
    {
        var biases = new Dictionary<int, float>();
        foreach (string text in given)
        {
            int equals = text.IndexOf('=', StringComparison.Ordinal);
            if (equals < 0 || !int.TryParse(text.AsSpan(0, equals), NumberStyles.None, CultureInfo.InvariantCulture, out int id) || Bias(text[(equals + 1)..]) is not { } bias)
                throw new UsageException($"--logit-bias: '{text}' is not ID=X; give a token id and a number or -inf, 15=-1.5");
            if (id >= vocabSize)
                throw new UsageException($"--logit-bias: token id {id} is outside the vocabulary of {vocabSize} entries");
            biases[id] = bias;
        }
        return biases.Count > 0 ? biases : null;

        static float? Bias(string text) => text is "-inf" ? float.NegativeInfinity
            : float.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out float value) && float.IsFinite(value) ? value : null;
    }
}
