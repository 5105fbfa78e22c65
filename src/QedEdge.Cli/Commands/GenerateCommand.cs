using System.Globalization;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text;
using QedEdge.Cli.Json;
using QedEdge.CommandLine;
using QedEdge.Constraints;
using QedEdge.Generation;
using QedEdge.Memory;
using QedEdge.Text;

namespace QedEdge.Cli.Commands;

/// <summary><c>qed generate</c>: streams a continuation of a prompt.</summary>
internal sealed class GenerateCommand
{
    private readonly CommonOptions _common = new() { SaysMoreItself = true };
    private readonly PromptInput _prompt = new();
    private readonly SamplingInput _sampling = new();
    private readonly ConstraintInput _constraint = new();
    private readonly ContextInput _context = new(overflow: "stop");
    private readonly TextOption _cache = new("--prompt-cache") { ValueName = "FILE", Description = "Keeps the prompt's keys and values in a file: the part that a later prompt has in common with it is not computed again", IsWritten = true };
    private readonly IntegerOption _logprobs = new("--logprobs") { ValueName = "N", Description = "With --json: the log-probability of each token and of the N most likely in its place, before any option changes them" };
    private readonly Flag _verbosePrompt = new("--verbose-prompt") { Description = "Show the prompt's tokens on standard error first" };
    private readonly Flag _printIds = new("--print-ids") { Description = "Print token ids instead of text" };
    private readonly Flag _digest = new("--digest") { Description = "Print one hash over the logits after the prompt and after each token fed (standard error, or in the JSON): equal on all machines" };

    public static Command Create()
    {
        var self = new GenerateCommand();
        var command = new Command("generate", "Continue a text. Options change the distribution in this order: logit bias, penalties, top-k, temperature, top-p, min-p, typical.\n\nExample: qed generate \"Once upon a time\" -n 100 --seed 7");
        self._prompt.AddTo(command);
        self._sampling.AddTo(command);
        command.AddGroup(OptionGroups.Sampling, self._constraint.All);
        self._context.AddTo(command);
        command.AddGroup(OptionGroups.Machine, self._cache);
        command.AddGroup(OptionGroups.Output, self._logprobs, self._verbosePrompt, self._printIds, self._digest);
        self._common.AddRunOptions(command);
        command.AddGroup(OptionGroups.Output, self._common.Json);
        command.Action = self.Run;
        return command;
    }

    private int Run(ParseResult parsed)
    {
        try
        {
            return Generate(parsed);
        }
        catch (ContextLengthException e)
        {
            throw new QedException(ContextMessage.Of(e, "prompt", slides: true), e);
        }
    }

    private int Generate(ParseResult parsed)
    {
        Constraint? constraint = _constraint.Find(parsed);
        if (constraint is not null && _sampling.Stops(parsed).Length > 0)
            throw new UsageException("--stop would cut a text of --regex or --choice; leave it out");
        using QedModel model = _common.OpenModel(parsed);
        Tokenizer? tokenizer = model.Tokenizer;
        // Without a prompt the text begins as all texts do, or as the file's baked prompt.
        int capacity = _context.Slides(parsed) ? int.MaxValue : _common.Capacity(parsed, model);
        int[] prompt = _prompt.Find(parsed, model, capacity) ?? model.BakedPrefix?.Tokens.ToArray() ?? PromptInput.Encode(model, [], goesOn: false);
        if (parsed.GetValue(_verbosePrompt))
            ShowTokens(prompt, tokenizer);
        int? likely = parsed.GetValue(_logprobs);
        if (likely is < 0 or > RequestLimits.LikelyTokens || (likely is not null && !parsed.GetValue(_common.Json)))
            throw new UsageException($"--logprobs goes with --json and takes 0 to {RequestLimits.LikelyTokens}");
        using var interrupt = new Interrupt(); // not before: a prompt that never comes must not keep Ctrl-C from ending us
        var digest = parsed.GetValue(_digest) ? new XxHash128() : null;
        var progress = new PromptProgress();
        GenerationOptions options = _sampling.Options(parsed, model) with
        {
            OnLogits = digest is null ? null : (_, logits) => digest.Append(MemoryMarshal.AsBytes(logits)),
            OnPrefill = progress.Report,
            Constraint = constraint,
        };
        bool json = parsed.GetValue(_common.Json), ids = parsed.GetValue(_printIds) || tokenizer is null;

        using Session session = model.CreateSession(_context.Apply(parsed, _common.SessionOptions(parsed)));
        var text = new StringBuilder();
        var chosen = new List<TokenRecord>(); // for the JSON alone: a run may go on for ever
        bool first = true;
        var shown = new GeneratedText(tokenizer, _sampling.Stops(parsed), piece =>
        {
            if (json)
                text.Append(piece);
            else if (!ids)
                Terminal.WriteWords(piece);
        }, prompt);

        var cache = new PromptCache(parsed.GetValue(_cache));
        int cached = cache.Restore(session, prompt);
        cache.Warn();
        options = options with { OnPrompt = () => cache.Save(session, cached) };
        var generator = new Generator(session, options);
        GenerationResult result;
        try
        {
            result = generator.Run(prompt, (id, logits) =>
            {
                if (json)
                    chosen.Add(TokenRecord.Of(id, logits, likely));
                else if (ids)
                    Terminal.Write(first ? Text(id) : "," + Text(id));
                first = false;
                return shown.Append(id);
            }, interrupt.Token, cached);
        }
        finally
        {
            progress.Dispose(); // gone before anything else is said
        }
        shown.End();

        string? hash = digest is null ? null : Convert.ToHexStringLower(digest.GetCurrentHash());
        if (json)
            WriteJson(result, text, chosen, options.Sampling.Seed, hash, tokenizer);
        else
            Terminal.WriteWords("\n");
        cache.Warn();
        if (result.Finish == FinishReason.Length && !json && StandardStreams.OutputIsTerminal && StandardStreams.ErrorIsTerminal)
            Terminal.Note(result.GeneratedTokens < options.MaxTokens ? $"(the context of {session.Capacity} tokens is full; --overflow slide goes on)" : $"(cut after {result.GeneratedTokens} tokens; -n allows more)");
        if (hash is not null && !json)
            Terminal.Note($"digest {hash}");
        if (parsed.GetValue(_common.Verbose))
        {
            Terminal.Note(string.Create(CultureInfo.InvariantCulture,
                $"{model.InstructionSet}, {session.Threads} threads, kv {KvCacheTypes.NameOf(session.KvType)}: prefill {result.PromptTokens} tokens ({result.CachedTokens} cached), {GenerationRecord.PerSecond(result.PromptTokens - result.CachedTokens, result.PrefillTime):0.#} tokens/s; decode {result.GeneratedTokens} tokens, {GenerationRecord.PerSecond(result.GeneratedTokens, result.DecodeTime):0.#} tokens/s; seed {options.Sampling.Seed}"));
        }
        return result.Finish == FinishReason.Cancelled ? ExitCode.Interrupted : ExitCode.Done;
    }

    /// <summary>The tokens as the model gets them: id and text.</summary>
    public static void ShowTokens(int[] ids, Tokenizer? tokenizer)
    {
        foreach (int id in ids)
            Terminal.Note($"{id,6}  {(tokenizer is null || (uint)id >= (uint)tokenizer.VocabSize ? "" : TerminalText.OneLine(tokenizer.Decode([id], SpecialTokenText.Keep, continues: true)))}");
    }

    private static void WriteJson(GenerationResult result, StringBuilder text, List<TokenRecord> tokens, ulong seed, string? digest, Tokenizer? tokenizer) => Terminal.WriteJson(json =>
    {
        if (tokenizer is not null)
            json.WriteString("text", text.ToString());
        json.WriteNumbers("ids", tokens.Select(token => token.Id));
        TokenRecord.Write(json, tokens, tokenizer);
        GenerationRecord.Write(json, result, seed);
        if (digest is not null)
            json.WriteString("digest", digest);
    });

    private static string Text(int id) => id.ToString(CultureInfo.InvariantCulture);
}
