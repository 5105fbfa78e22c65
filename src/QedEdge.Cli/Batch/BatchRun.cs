using System.Globalization;
using System.IO.Hashing;
using System.Text;
using System.Text.Json;
using QedEdge.Cli.Chat;
using QedEdge.Cli.Json;
using QedEdge.Evaluation;
using QedEdge.Generation;
using QedEdge.Json;
using QedEdge.Sampling;
using QedEdge.Text;

namespace QedEdge.Cli.Batch;

/// <summary>Runs the lines of a batch: what is to be generated together, what is to be scored in between.</summary>
/// <param name="model">The model.</param>
/// <param name="options">Of each session.</param>
/// <param name="sequences">Sequences that are generated together.</param>
/// <param name="defaults">What holds where a line says nothing.</param>
/// <param name="stops">As <paramref name="defaults"/>.</param>
/// <param name="seeds">Whether line k takes the seed k - 1 beyond the default one; else each takes one at random.</param>
/// <param name="output">Receives the records.</param>
internal sealed class BatchRun(QedModel model, SessionOptions options, int sequences, GenerationOptions defaults, string[] stops, bool seeds, RecordFile output) : IDisposable
{
    /// <summary>The member of a record that says what made it.</summary>
    public const string FingerprintName = "fingerprint";

    private readonly int _capacity = options.ContextLength ?? model.Config.ContextLength;
    private Session? _scorer;

    /// <summary>What records depend on besides their lines: records with the same were made alike, whatever the machine, threads, shards and sequences.</summary>
    public string Fingerprint { get; } = FingerprintOf(model, options, seeds ? defaults : defaults with { Sampling = defaults.Sampling with { Seed = 0 } }, stops, seeds);

    /// <summary>Tokens that were generated or scored.</summary>
    public long Tokens { get; private set; }

    /// <summary>Lines that were not usable.</summary>
    public long Errors { get; private set; }

    /// <summary>Runs lines, in order; a line's record has the place that the line has among them, behind those that are there.</summary>
    /// <param name="lines">Number and text of each.</param>
    /// <param name="onProgress">Called for each token and line.</param>
    /// <param name="cancellation">Ends the run; lines under way are left out.</param>
    public void Run(IEnumerable<(long Number, byte[] Line)> lines, Action onProgress, CancellationToken cancellation)
    {
        using SessionBatch batch = model.CreateBatch(sequences, options);
        var generator = new BatchGenerator(batch);
        using IEnumerator<(long Number, byte[] Line)> rest = lines.GetEnumerator();
        long place = output.Count;
        bool more = true;
        while (more && !cancellation.IsCancellationRequested)
            generator.Run(Requests(), cancellation);

        // Ends where too much waits for a line that is still generated; it is done when the generator returns.
        IEnumerable<GenerationRequest> Requests()
        {
            while (!output.IsCrowded && (more = rest.MoveNext()))
            {
                long own = place++;
                if (Begin(rest.Current.Number, rest.Current.Line, record => { output.Add(own, record); onProgress(); }, onProgress, cancellation) is { } request)
                    yield return request;
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _scorer?.Dispose();

    /// <summary>Does a line, or returns what is to be generated for it.</summary>
    private GenerationRequest? Begin(long number, byte[] text, Action<Action<Utf8JsonWriter>> done, Action onProgress, CancellationToken cancellation)
    {
        (string Text, bool IsNumber)? id = null; // no more of the line is kept while it is answered
        Action<Utf8JsonWriter> members;
        try
        {
            JsonValue json = JsonValue.ParseObject(text);
            if (json.Find("id") is { } given)
                id = (given.StringOrNumber(), given.IsNumber);
            ulong seed = seeds ? defaults.Sampling.Seed + (ulong)(number - 1) : (ulong)Random.Shared.Next();
            BatchLine line = BatchLine.Read(json, model, _capacity, defaults with { Sampling = defaults.Sampling with { Seed = seed } }, stops);
            if (line.Choices is null && line.Score is null)
                return Generated(line, Done, Failed, onProgress);
            members = Scored(line, cancellation);
        }
        catch (QedException e)
        {
            Failed(e);
            return null;
        }
        Done(members);
        return null;

        void Done(Action<Utf8JsonWriter> write) => done(json =>
        {
            WriteId(json, id, number);
            write(json);
            json.WriteString(FingerprintName, Fingerprint);
        });

        void Failed(QedException e)
        {
            Errors++;
            Done(json => json.WriteString("error", $"line {number}: {(e is ContextLengthException context ? ContextMessage.Of(context, "line") : e.Message)}"));
        }
    }

    private GenerationRequest Generated(BatchLine line, Action<Action<Utf8JsonWriter>> done, Action<QedException> failed, Action onProgress)
    {
        Tokenizer? tokenizer = model.Tokenizer;
        var text = new StringBuilder();
        var shown = line.Continues ? new GeneratedText(tokenizer, line.Stops, piece => text.Append(piece), line.Tokens) : GeneratedText.OfAnswer(tokenizer, line.Stops, piece => text.Append(piece));
        var tokens = new List<TokenRecord>();
        return new GenerationRequest
        {
            Prompt = line.Tokens,
            Options = line.Options,
            OnError = failed,
            OnToken = (id, logits) =>
            {
                Tokens++;
                onProgress();
                tokens.Add(TokenRecord.Of(id, logits, line.Likely));
                return shown.Append(id);
            },
            OnEnd = finish =>
            {
                if (finish == FinishReason.Cancelled)
                    return; // a run that is resumed does it again
                shown.End();
                done(json =>
                {
                    if (line.Chat is { } chat)
                        MessagesText.WriteAnswer(json, chat.Answer(text.ToString()));
                    else if (tokenizer is not null)
                        json.WriteString("text", text.ToString());
                    json.WriteNumbers("ids", tokens.Select(token => token.Id));
                    TokenRecord.Write(json, tokens, tokenizer);
                    json.WriteString("finish_reason", JsonWriting.Name(finish));
                    json.WriteNumber("prompt_tokens", line.Tokens.Length);
                    json.WriteNumber("generated_tokens", tokens.Count);
                    json.WriteNumber("seed", line.Options.Sampling.Seed);
                });
            },
        };
    }

    private Action<Utf8JsonWriter> Scored(BatchLine line, CancellationToken cancellation)
    {
        _scorer ??= model.CreateSession(options);
        if (line.Choices is not null)
        {
            ChoiceScore[] scores = line.Chat is null ? ChoiceScorer.Score(_scorer, line.Prompt, line.Choices, cancellation: cancellation, plain: line.Plain)
                : ChoiceScorer.Score(_scorer, line.Choices, line.Chat.Encode, cancellation);
            Tokens += scores.Sum(score => score.Tokens);
            return json => ChoiceRecord.Write(json, line.Choices, scores);
        }
        TextScore score = (line.Chat is null ? TextScore.OfText(_scorer, model.RequireTokenizer(), Encoding.UTF8.GetBytes(line.Prompt), Encoding.UTF8.GetBytes(line.Score!), line.Plain, cancellation)
            : TextScore.OfContinuation(_scorer, line.Chat.Encode(), line.Chat.EncodeWith(line.Score!), cancellation)).RequireAny();
        Tokens += score.Count;
        return score.WriteTo;
    }

    private static string FingerprintOf(QedModel model, SessionOptions options, GenerationOptions defaults, string[] stops, bool seeds)
    {
        SamplingOptions sampling = defaults.Sampling;
        byte[] settings = Terminal.Json(json =>
        {
            json.WriteNumber("model", model.Fingerprint);
            json.WriteNumbers("session", [(int)options.KvType, options.ContextLength ?? model.Config.ContextLength]);
            json.WriteNumbers("counts", [defaults.MaxTokens, sampling.TopK, sampling.PenaltyWindow, defaults.IgnoreEos ? 1 : 0, seeds ? 1 : 0]);
            json.WriteNumber("seed", sampling.Seed);
            foreach (float value in (float[])[sampling.Temperature, sampling.TopP, sampling.MinP, sampling.TypicalP, sampling.RepeatPenalty, sampling.PresencePenalty, sampling.FrequencyPenalty])
                json.WriteNumber("option", BitConverter.SingleToUInt32Bits(value));
            foreach ((int id, float bias) in sampling.LogitBias ?? new Dictionary<int, float>())
                json.WriteNumber($"bias {id}", BitConverter.SingleToUInt32Bits(bias));
            foreach (string stop in stops)
                json.WriteString("stop", stop);
        });
        return XxHash3.HashToUInt64(settings).ToString("x16", CultureInfo.InvariantCulture);
    }

    /// <summary>A line's own id, else its number.</summary>
    private static void WriteId(Utf8JsonWriter json, (string Text, bool IsNumber)? id, long number)
    {
        json.WritePropertyName("id");
        if (id is not { } own)
            json.WriteNumberValue(number);
        else if (own.IsNumber)
            json.WriteRawValue(own.Text);
        else
            json.WriteStringValue(own.Text);
    }
}
