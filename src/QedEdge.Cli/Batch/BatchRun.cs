using System.Text;
using System.Text.Json;
using QedEdge.Cli.Json;
using QedEdge.Evaluation;
using QedEdge.Generation;
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
    private Session? _scorer;

    /// <summary>Tokens that were generated or scored.</summary>
    public long Tokens { get; private set; }

    /// <summary>Lines that were done.</summary>
    public long Lines { get; private set; }

    /// <summary>Of them, those that were not usable.</summary>
    public long Errors { get; private set; }

    /// <summary>Runs lines, in order; a line's record has the place that the line has among them, behind those that are there.</summary>
    /// <param name="lines">Number and text of each.</param>
    /// <param name="onProgress">Called for each token and line.</param>
    /// <param name="cancellation">Ends the run; lines under way are left out.</param>
    public void Run(IEnumerable<(long Number, string Line)> lines, Action onProgress, CancellationToken cancellation)
    {
        using SessionBatch batch = model.CreateBatch(sequences, options);
        new BatchGenerator(batch).Run(Requests(lines, onProgress, cancellation), cancellation);
    }

    /// <inheritdoc/>
    public void Dispose() => _scorer?.Dispose();

    private IEnumerable<GenerationRequest> Requests(IEnumerable<(long Number, string Line)> lines, Action onProgress, CancellationToken cancellation)
    {
        long index = output.Count;
        foreach ((long number, string text) in lines)
        {
            long place = index++;
            if (Begin(number, text, record => { output.Add(place, record); Lines++; onProgress(); }, onProgress, cancellation) is { } request)
                yield return request;
        }
    }

    /// <summary>Does a line, or returns what is to be generated for it.</summary>
    private GenerationRequest? Begin(long number, string text, Action<Action<Utf8JsonWriter>> done, Action onProgress, CancellationToken cancellation)
    {
        JsonValue? id = null;
        Action<Utf8JsonWriter> members;
        try
        {
            JsonValue json = JsonValue.ParseObject(Encoding.UTF8.GetBytes(text));
            if (json.Find("id") is { } given)
            {
                given.StringOrNumber(); // refuses what is neither
                id = given;
            }
            ulong seed = seeds ? defaults.Sampling.Seed + (ulong)(number - 1) : (ulong)Random.Shared.Next();
            BatchLine line = BatchLine.Read(json, model, defaults with { Sampling = defaults.Sampling with { Seed = seed } }, stops);
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
        });

        void Failed(QedException e)
        {
            Errors++;
            Done(json => json.WriteString("error", $"line {number}: {e.Message}"));
        }
    }

    private GenerationRequest Generated(BatchLine line, Action<Action<Utf8JsonWriter>> done, Action<QedException> failed, Action onProgress)
    {
        Tokenizer? tokenizer = model.Tokenizer;
        var text = new StringBuilder();
        var shown = new GeneratedText(tokenizer, line.Stops, piece => text.Append(piece));
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
                    if (tokenizer is not null)
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
            ChoiceScore[] scores = ChoiceScorer.Score(_scorer, line.Prompt, line.Choices, cancellation: cancellation);
            Tokens += scores.Sum(score => score.Tokens);
            return json => ChoiceRecord.Write(json, line.Choices, scores);
        }
        TextScore score = TextScore.OfText(_scorer, model.RequireTokenizer(), Encoding.UTF8.GetBytes(line.Prompt), Encoding.UTF8.GetBytes(line.Score!), cancellation);
        Tokens += score.Count;
        return score.WriteTo;
    }

    /// <summary>A line's own id, else its number.</summary>
    private static void WriteId(Utf8JsonWriter json, JsonValue? id, long number)
    {
        json.WritePropertyName("id");
        if (id is null)
            json.WriteNumberValue(number);
        else
            id.WriteTo(json);
    }
}
