using System.CommandLine;
using System.Globalization;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text;
using QedEdge.Generation;
using QedEdge.Gguf;
using QedEdge.Sampling;
using QedEdge.Text;

namespace QedEdge.Cli.Commands;

/// <summary><c>qed generate</c>: streams a continuation of a prompt.</summary>
internal sealed class GenerateCommand
{
    private readonly CommonOptions _common = new();
    private readonly PromptInput _prompt = new();
    private readonly Option<int?> _maxTokens = new("--max-tokens", "-n") { HelpName = "N", Description = "New tokens at most; the model's own default, else 64" };
    private readonly Option<float?> _temperature = new("--temp") { HelpName = "X", Description = "Temperature; 0 is greedy (default: the model's, else 0.8)" };
    private readonly Option<int?> _topK = new("--top-k") { HelpName = "N", Description = "Only the N most likely tokens; 0 is off (default: the model's, else 50)" };
    private readonly Option<float?> _topP = new("--top-p") { HelpName = "X", Description = "Only the most likely tokens that sum to X; 1 is off" };
    private readonly Option<float?> _minP = new("--min-p") { HelpName = "X", Description = "Only tokens at least X times as likely as the likeliest; 0 is off" };
    private readonly Option<float?> _repeat = new("--repeat-penalty") { HelpName = "X", Description = "Divides logits of the last 64 tokens; 1 is off" };
    private readonly Option<float?> _presence = new("--presence-penalty") { HelpName = "X", Description = "Taken off logits of the last 64 tokens; 0 is off" };
    private readonly Option<float?> _frequency = new("--frequency-penalty") { HelpName = "X", Description = "As --presence-penalty, once per occurrence; 0 is off" };
    private readonly Option<ulong?> _seed = new("--seed", "-s") { HelpName = "N", Description = "The same seed gives the same text on every machine; random if not given" };
    private readonly Option<bool> _greedy = new("--greedy") { Description = "Always the most likely token" };
    private readonly Option<string[]> _stop = new("--stop") { HelpName = "TEXT", Description = "Ends before this text appears (repeatable)", AllowMultipleArgumentsPerToken = false };
    private readonly Option<bool> _ignoreEos = new("--ignore-eos") { Description = "Goes on when the model ends the text" };
    private readonly Option<string> _overflow = new("--overflow") { HelpName = "HOW", Description = "When the context is full: stop, or slide: forget the oldest tokens and go on", DefaultValueFactory = _ => "stop" };
    private readonly Option<int?> _sinks = new("--sinks") { HelpName = "N", Description = "First tokens that --overflow slide keeps (default: 4)" };
    private readonly Option<string?> _cache = new("--prompt-cache") { HelpName = "FILE", Description = "Keeps the prompt's keys and values in a file: the part that a later prompt has in common with it is not computed again" };
    private readonly Option<bool> _printIds = new("--print-ids") { Description = "Print token ids instead of text" };
    private readonly Option<bool> _digest = new("--digest") { Description = "Print one hash over the logits after the prompt and after each token fed (standard error, or in the JSON): equal on all machines" };

    public static Command Create()
    {
        var self = new GenerateCommand();
        var command = new Command("generate", "Continue a text.\n\nExample: qed generate \"Once upon a time\" -n 100 --seed 7");
        self._prompt.AddTo(command);
        foreach (Option option in new Option[] { self._maxTokens, self._temperature, self._topK, self._topP, self._minP,
            self._repeat, self._presence, self._frequency, self._seed, self._greedy, self._stop, self._ignoreEos, self._overflow, self._sinks, self._cache, self._printIds, self._digest })
        {
            command.Options.Add(option);
        }
        CommonOptions.NeedsName(self._cache);
        self._overflow.AcceptOnlyFromAmong("stop", "slide");
        self._common.AddRunOptions(command);
        command.Options.Add(self._common.Json);
        command.SetAction(self.Run);
        return command;
    }

    private int Run(ParseResult parsed)
    {
        using QedModel model = _common.OpenModel(parsed);
        Tokenizer? tokenizer = model.Tokenizer;
        int[] prompt = _prompt.Read(parsed, model);
        using var interrupt = new Interrupt(); // not before: a prompt that never comes must not keep Ctrl-C from ending us
        var digest = parsed.GetValue(_digest) ? new XxHash128() : null;
        GenerationOptions options = Options(parsed, model) with { OnLogits = digest is null ? null : (_, logits) => digest.Append(MemoryMarshal.AsBytes(logits)) };
        bool json = parsed.GetValue(_common.Json), ids = parsed.GetValue(_printIds) || tokenizer is null;

        using Session session = model.CreateSession(SessionOptions(parsed));
        var text = new StringBuilder();
        var chosen = new List<int>(); // for the JSON alone: a run may go on for ever
        bool first = true;
        var stop = new StopFilter(parsed.GetValue(_stop) ?? []);
        StreamingDecoder? decoder = tokenizer is null ? null : new StreamingDecoder(tokenizer);
        void Show(ReadOnlySpan<char> piece)
        {
            if (json)
                text.Append(piece);
            else if (!ids)
                Terminal.Write(piece);
        }

        int cached = RestorePrompt(session, model.BakedPrefix, parsed.GetValue(_cache), prompt);
        if (parsed.GetValue(_cache) is { } cache && cached < prompt.Length)
            options = options with { OnPrompt = () => session.Save(cache, overwrite: true) };
        var generator = new Generator(session, options);
        GenerationResult result = generator.Run(prompt, (id, _) =>
        {
            if (json)
                chosen.Add(id);
            else if (ids)
                Terminal.Write(first ? Text(id) : "," + Text(id));
            first = false;
            if (decoder is not null)
                Show(stop.Append(decoder.Append(id)));
            return !stop.Stopped;
        }, interrupt.Token, cached);
        if (decoder is not null)
        {
            Show(stop.Append(decoder.Flush()));
            Show(stop.Flush());
        }

        string? hash = digest is null ? null : Convert.ToHexStringLower(digest.GetCurrentHash());
        if (json)
            WriteJson(result, text, chosen, options.Sampling.Seed, hash, tokenizer is not null);
        else
            Terminal.Write("\n");
        if (hash is not null && !json)
            Terminal.Note($"digest {hash}");
        if (parsed.GetValue(_common.Verbose))
        {
            Terminal.Note(string.Create(CultureInfo.InvariantCulture,
                $"{model.InstructionSet}, {session.Threads} threads, kv {KvCacheTypes.NameOf(session.KvType)}: prefill {result.PromptTokens} tokens ({result.CachedTokens} cached), {PerSecond(result.PromptTokens - result.CachedTokens, result.PrefillTime):0.#} tokens/s; decode {result.GeneratedTokens} tokens, {PerSecond(result.GeneratedTokens, result.DecodeTime):0.#} tokens/s; seed {options.Sampling.Seed}"));
        }
        return result.Finish == FinishReason.Cancelled ? ExitCode.Interrupted : ExitCode.Done;
    }

    /// <summary>Takes what a prompt has in common with the one that was kept; returns how many tokens.</summary>
    private static int RestorePrompt(Session session, BakedPrefix? baked, string? path, ReadOnlySpan<int> prompt)
    {
        if (path is null || !Path.Exists(path))
            return 0;
        session.Restore(path);
        int common = session.CommonPrefix(prompt);
        if (baked is not null && baked.KvType == session.KvType && common < baked.Tokens.CommonPrefixLength(prompt))
        {
            session.Rollback(0); // the model file has more of it
            return 0;
        }
        if (common == prompt.Length && common == session.Position)
            return common; // its logits were kept with it
        common = Math.Min(common, prompt.Length - 1); // the last token is fed again for its logits
        session.Rollback(common);
        return common;
    }

    private SessionOptions SessionOptions(ParseResult parsed)
    {
        bool slides = parsed.GetValue(_overflow) == "slide";
        if (!slides && parsed.GetValue(_sinks) is not null)
            throw new UsageException("--sinks goes with --overflow slide");
        return _common.SessionOptions(parsed) with { Overflow = slides ? ContextOverflow.Slide : ContextOverflow.Stop, Sinks = parsed.GetValue(_sinks) };
    }

    private GenerationOptions Options(ParseResult parsed, QedModel model)
    {
        (SamplingOptions defaults, int defaultMaxTokens, bool sample) = Defaults(model.File);
        bool greedy = parsed.GetValue(_greedy) || (parsed.GetValue(_temperature) is null && !sample);
        var sampling = new SamplingOptions
        {
            Temperature = greedy ? 0f : parsed.GetValue(_temperature) ?? defaults.Temperature,
            TopK = parsed.GetValue(_topK) ?? defaults.TopK,
            TopP = parsed.GetValue(_topP) ?? defaults.TopP,
            MinP = parsed.GetValue(_minP) ?? defaults.MinP,
            RepeatPenalty = parsed.GetValue(_repeat) ?? defaults.RepeatPenalty,
            PresencePenalty = parsed.GetValue(_presence) ?? defaults.PresencePenalty,
            FrequencyPenalty = parsed.GetValue(_frequency) ?? defaults.FrequencyPenalty,
            Seed = parsed.GetValue(_seed) ?? (ulong)Random.Shared.Next(),
        };
        sampling.Validate();
        int maxTokens = parsed.GetValue(_maxTokens) ?? defaultMaxTokens;
        if (maxTokens < 0)
            throw new UsageException($"--max-tokens must be 0 or more, got {maxTokens}");
        if ((parsed.GetValue(_stop) ?? []).Contains(""))
            throw new UsageException("--stop needs a text");
        return new GenerationOptions { Sampling = sampling, MaxTokens = maxTokens, IgnoreEos = parsed.GetValue(_ignoreEos) };
    }

    /// <summary>What the model's file says where the user says nothing.</summary>
    /// <exception cref="ModelFormatException">A value is not usable.</exception>
    private static (SamplingOptions Sampling, int MaxTokens, bool Sample) Defaults(GgufFile file)
    {
        const string Prefix = "general.sampling.";
        GgufMetadata keys = file.Metadata;
        var sampling = new SamplingOptions
        {
            Temperature = keys.FindFloat32(Prefix + "temperature") ?? SamplingOptions.Default.Temperature,
            TopK = Int32(Prefix + "top_k") ?? SamplingOptions.Default.TopK,
            TopP = keys.FindFloat32(Prefix + "top_p") ?? SamplingOptions.Default.TopP,
        };
        try
        {
            sampling.Validate();
        }
        catch (InvalidOptionException e)
        {
            throw new ModelFormatException(ModelFault.Damaged, file.Name, $"the keys {Prefix}… are not usable: {e.Message}");
        }
        return (sampling, Int32(Prefix + "max_new_tokens") ?? new GenerationOptions().MaxTokens, keys.FindBool(Prefix + "do_sample") != false);

        int? Int32(string key) => keys.FindUInt32(key) is not { } value ? null
            : value <= int.MaxValue ? (int)value
            : throw new ModelFormatException(ModelFault.Damaged, file.Name, $"the value {value} is too large", key: key);
    }

    private static void WriteJson(GenerationResult result, StringBuilder text, List<int> ids, ulong seed, string? digest, bool hasText) => Terminal.WriteJson(json =>
    {
        if (hasText)
            json.WriteString("text", text.ToString());
        json.WriteStartArray("ids");
        foreach (int id in ids)
            json.WriteNumberValue(id);
        json.WriteEndArray();
        json.WriteString("finish_reason", result.Finish switch { FinishReason.Stop => "stop", FinishReason.Eos => "eos", FinishReason.Cancelled => "cancelled", _ => "length" });
        json.WriteNumber("prompt_tokens", result.PromptTokens);
        json.WriteNumber("cached_tokens", result.CachedTokens);
        json.WriteNumber("generated_tokens", result.GeneratedTokens);
        json.WriteNumber("prefill_tokens_per_second", Math.Round(PerSecond(result.PromptTokens - result.CachedTokens, result.PrefillTime), 2));
        json.WriteNumber("decode_tokens_per_second", Math.Round(PerSecond(result.GeneratedTokens, result.DecodeTime), 2));
        json.WriteNumber("seed", seed);
        if (digest is not null)
            json.WriteString("digest", digest);
    });

    private static string Text(int id) => id.ToString(CultureInfo.InvariantCulture);

    private static double PerSecond(int tokens, TimeSpan time) => time > TimeSpan.Zero ? tokens / time.TotalSeconds : 0;
}
