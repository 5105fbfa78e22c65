using System.Text.Json;
using QedEdge.Cli.Json;
using QedEdge.Evaluation;
using QedEdge.Json;
using QedEdge.Text;

namespace QedEdge.Cli.Evaluation;

/// <summary>Puts the questions of tasks to a model.</summary>
/// <param name="session">A session of the model; choices of one question share their prompt's keys and values.</param>
/// <param name="protocol">What of a choice is counted.</param>
/// <param name="style">How questions are put.</param>
/// <param name="limit">Questions of each task at most, or null.</param>
internal sealed class EvaluationRun(Session session, ChoiceProtocol protocol, PromptStyle style, int? limit)
{
    private readonly List<(TaskResult Result, string Path)> _tasks = [];
    private readonly Tokenizer _tokenizer = session.Model.RequireTokenizer();

    /// <summary>The tasks' results so far.</summary>
    public IEnumerable<TaskResult> Results => _tasks.Select(task => task.Result);

    /// <summary>Whether all tasks of the published table are there: only then averages compare.</summary>
    public bool IsWhole => _tasks.Count == EvaluationTask.All.Length;

    /// <summary>Adds a task to be run.</summary>
    public void Add(EvaluationTask task, string path) => _tasks.Add((new TaskResult(task), path));

    /// <summary>How many questions there are; not a number where a file can be read but once.</summary>
    /// <exception cref="QedException">A file cannot be read.</exception>
    public double CountQuestions() => _tasks.Sum(task => JsonLines.CanBeReadAgain(task.Path) ? Lines(task.Path).LongCount() : double.NaN);

    /// <summary>What a file of records begins with: records go together only where it is the same.</summary>
    public void WriteHeader(Utf8JsonWriter json)
    {
        json.WriteString("model", session.Model.File.Name);
        json.WriteString("protocol", Name(protocol));
        json.WriteString("prompts", Name(style));
        json.WriteString("tasks", string.Join(' ', _tasks.Select(task => task.Result.Task.Name)));
        json.WriteString("data", string.Join(' ', _tasks.Select(task => InputSource.Length(task.Path))));
        json.WriteString("kv_type", KvCacheTypes.NameOf(session.KvType));
        json.WriteNumber("context", session.Capacity);
        json.WriteNumber("limit", limit ?? 0);
    }

    /// <summary>Takes over a record of an earlier run.</summary>
    /// <exception cref="QedException">It is of other settings.</exception>
    public void Restore(JsonValue record)
    {
        if (record.Find("protocol") is not null)
        {
            JsonValue now = JsonValue.ParseObject(Terminal.Json(WriteHeader));
            foreach (string name in now.Names)
            {
                if (record.Get(name).StringOrNumber() != now.Get(name).StringOrNumber())
                    throw new QedException($"the run that was stopped had {name} '{record.Get(name).StringOrNumber()}', this one has '{now.Get(name).StringOrNumber()}'; use the same, or begin anew with --force");
            }
            return;
        }
        string task = record.Get("task").String();
        (Results.FirstOrDefault(result => result.Task.Name == task) ?? throw new QedException($"the run that was stopped had task '{task}'")).Add(record);
    }

    /// <summary>Answers all questions but those that an earlier run did.</summary>
    /// <param name="records">Receives a record of each, behind those that are there; or null.</param>
    /// <param name="onQuestion">Called after each with how many are done.</param>
    /// <param name="cancellation">Stops within a layer's time.</param>
    /// <exception cref="QedException">A line is not usable; the message names it.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public void Run(RecordFile? records, Action<long> onQuestion, CancellationToken cancellation)
    {
        long done = records is null ? 0 : Math.Max(0, records.Count - 1), index = 0;
        if (records is { Count: 0 })
            records.Add(0, WriteHeader);
        foreach ((TaskResult result, string path) in _tasks)
        {
            foreach ((long number, byte[] line) in Lines(path, cancellation))
            {
                if (index++ < done)
                    continue;
                try
                {
                    Answer(result, number, line, records, cancellation);
                }
                catch (QedException e) when (e is not OutputException)
                {
                    throw new QedException($"{path}: line {number}: {e.Message}", e);
                }
                onQuestion(index);
            }
        }
    }

    /// <summary>A protocol's name on the command line.</summary>
    public static string Name(ChoiceProtocol protocol) => protocol == ChoiceProtocol.Qed ? "qed" : "standard";

    /// <summary>A style's name on the command line.</summary>
    public static string Name(PromptStyle style) => style == PromptStyle.Cloze ? "cloze" : "lighteval";

    private IEnumerable<(long Number, byte[] Line)> Lines(string path, CancellationToken cancellation = default) =>
        JsonLines.Read(path, cancellation) is var lines && limit is { } most ? lines.Take(most) : lines;

    private void Answer(TaskResult result, long number, byte[] line, RecordFile? records, CancellationToken cancellation)
    {
        Question question = result.Task.Read(JsonValue.ParseObject(line), style);
        double[] scores = [.. question.Choices.Select(choice => Score(question.Prompt, choice, cancellation))];
        double[] perCharacter = [.. scores.Select((score, i) => score / Math.Max(1, question.Choices[i].TrimStart(' ').EnumerateRunes().Count()))];
        int best = Array.IndexOf(scores, scores.Max()), bestNormalized = Array.IndexOf(perCharacter, perCharacter.Max());
        result.Add(best == question.Gold, bestNormalized == question.Gold, question.Group);
        records?.Add(records.Count, json =>
        {
            json.WriteString("task", result.Task.Name);
            json.WriteNumber("line", number);
            if (question.Group is not null)
                json.WriteString("group", question.Group);
            json.WriteNumber("gold", question.Gold);
            json.WriteFinites("logprobs", scores);
            json.WriteNumber("best", best);
            json.WriteNumber("best_normalized", bestNormalized);
            json.WriteBoolean("correct", best == question.Gold);
            json.WriteBoolean("correct_normalized", bestNormalized == question.Gold);
        });
    }

    /// <summary>log p of a choice; what is too long for the context is cut off at the left, as LightEval does.</summary>
    private double Score(string prompt, string choice, CancellationToken cancellation)
    {
        (int[] ids, int begin) = ChoiceScorer.Encode(_tokenizer, prompt, choice, protocol);
        if (begin >= ids.Length)
            throw new QedException($"choice '{choice}' has no token to count");
        int cut = Math.Max(0, ids.Length - 1 - session.Capacity);
        double sum = 0;
        foreach (double score in SequenceScorer.LogProbabilities(session, ids.AsSpan(cut), Math.Max(1, begin - cut), cancellation))
            sum += score;
        return sum;
    }
}
