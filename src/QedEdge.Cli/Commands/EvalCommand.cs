using System.Globalization;
using QedEdge.Cli.Evaluation;
using QedEdge.Cli.Json;
using QedEdge.CommandLine;
using QedEdge.Evaluation;
using QedEdge.Memory;

namespace QedEdge.Cli.Commands;

/// <summary><c>qed eval</c>: the multiple-choice tasks of QED's published table.</summary>
internal sealed class EvalCommand
{
    private const double PublishedAverage = 0.287318;
    private const string Peers = "SmolLM2-135M 0.299140, gpt-neo-125m 0.279464, pythia-160m-deduped 0.275796, gpt2 0.273993";

    private readonly CommonOptions _common = new();
    private readonly Argument _folder = new("DIR") { Description = "A folder with NAME.jsonl of one task or more: arc_challenge, commonsense_qa, hellaswag, winogrande, mmlu" };
    private readonly TextsOption _tasks = new("--task") { ValueName = "NAME=FILE", Description = "One task's questions (repeatable)" };
    private readonly TextOption _protocol = new("--protocol") { ValueName = "NAME", Description = "What of a choice is counted: qed, as for QED's published results; standard, all its tokens", Words = ["qed", "standard"], Default = "qed" };
    private readonly TextOption _prompts = new("--prompts") { ValueName = "STYLE", Description = "How questions are put: lighteval, as for the published results; cloze, as SmolLM2 was measured", Words = ["lighteval", "cloze"], Default = "lighteval" };
    private readonly IntegerOption _limit = new("--limit") { ValueName = "N", Description = "Only the first N questions of each task" };
    private readonly TextOption _output = new("--output", "-o") { ValueName = "FILE", Description = "Receives a JSON line for each question", IsWritten = true };
    private readonly Flag _resume = new("--resume") { Description = "Go on where a run that was stopped has left FILE.part" };
    private readonly Flag _force = new("--force") { Description = "Replace an existing output file, and what a stopped run left" };

    public static Command Create()
    {
        var self = new EvalCommand();
        var command = new Command("eval", "Answer multiple-choice tasks, as JSON lines from the Hugging Face hub.\n\nExample: qed eval samples/eval",
            self._folder, self._tasks, self._protocol, self._prompts, self._limit, self._output, self._resume, self._force);
        self._common.AddRunOptions(command);
        command.Add(self._common.Json);
        command.Action = self.Run;
        return command;
    }

    private int Run(ParseResult parsed)
    {
        if (parsed.GetValue(_limit) < 1)
            throw new UsageException("--limit must be 1 or more");
        string? path = parsed.GetValue(_output);
        bool resume = parsed.GetValue(_resume), force = parsed.GetValue(_force);
        if (resume && (path is null || force))
            throw new UsageException("--resume goes with --output, and not with --force");
        List<(EvaluationTask Task, string Path)> tasks = Tasks(parsed);
        using QedModel model = _common.OpenModel(parsed);
        using Session session = model.CreateSession(_common.SessionOptions(parsed));
        ChoiceProtocol protocol = ChooseCommand.Protocol(parsed.GetValue(_protocol));
        PromptStyle style = parsed.GetValue(_prompts) == "cloze" ? PromptStyle.Cloze : PromptStyle.LightEval;
        var run = new EvaluationRun(session, protocol, style, parsed.GetValue(_limit));
        foreach ((EvaluationTask task, string file) in tasks)
            run.Add(task, file);
        if (resume && path is not null && FileStatus.Exists(path))
        {
            RecordFile.Read(path, run.Restore);
            Report(parsed, run, model, protocol, style);
            return ExitCode.Done;
        }
        double total = run.CountQuestions();
        using RecordFile? records = path is null ? null : RecordFile.ToFile(path, resume, force, run.Restore);
        using var interrupt = new Interrupt();
        try
        {
            long before = Math.Max(0, (records?.Count ?? 0) - 1); // the header is none
            using var progress = new ProgressLine("questions", before / total);
            run.Run(records, done => progress.Report(done - before, done / total), interrupt.Token);
        }
        catch (OperationCanceledException)
        {
            if (records is not null)
                Terminal.Note($"{records.Part} holds what was answered; --resume goes on behind it");
            return ExitCode.Interrupted;
        }
        if (run.Results.FirstOrDefault(result => result.Accuracy.Count == 0) is { } empty)
            throw new QedException($"{tasks.First(task => task.Task == empty.Task).Path}: holds no questions");
        records?.Commit();
        Report(parsed, run, model, protocol, style);
        return ExitCode.Done;
    }

    private void Report(ParseResult parsed, EvaluationRun run, QedModel model, ChoiceProtocol protocol, PromptStyle style)
    {
        if (parsed.GetValue(_common.Json))
            WriteJson(run, model, protocol, style);
        else
            WriteTable(run, model, protocol, style);
    }

    private List<(EvaluationTask Task, string Path)> Tasks(ParseResult parsed)
    {
        var files = new Dictionary<string, string>();
        if (parsed.GetValue(_folder) is { } folder)
        {
            if (FileStatus.Find(folder) is not { Kind: FileKind.Folder })
                throw new UsageException($"{folder}: there is no such folder");
            foreach (EvaluationTask task in EvaluationTask.All)
            {
                string file = Path.Combine(folder, task.Name + ".jsonl");
                if (FileStatus.Exists(file))
                    files[task.Name] = file;
            }
        }
        foreach (string given in parsed.GetValue(_tasks))
        {
            int equals = given.IndexOf('=', StringComparison.Ordinal);
            string name = equals < 0 ? given : given[..equals];
            if (equals < 0 || equals == given.Length - 1 || !EvaluationTask.All.Any(task => task.Name == name))
                throw new UsageException($"--task: '{given}' is not NAME=FILE with a NAME of {string.Join(", ", EvaluationTask.All.Select(task => task.Name))}");
            files[name] = given[(equals + 1)..];
        }
        if (files.Count == 0)
            throw new UsageException($"there are no questions: give a folder with arc_challenge.jsonl or another task's file, or --task NAME=FILE (samples/eval/README.md says how to get them)");
        return [.. EvaluationTask.All.Where(task => files.ContainsKey(task.Name)).Select(task => (task, files[task.Name]))];
    }

    private static void WriteTable(EvaluationRun run, QedModel model, ChoiceProtocol protocol, PromptStyle style)
    {
        Line($"{model.File.Name}, protocol {EvaluationRun.Name(protocol)}, prompts {EvaluationRun.Name(style)}, no examples");
        Line($"{"task",-15} {"questions",9}  {"acc",-16}  {"acc_norm",-16}  {"QED-75M published",17}");
        foreach (TaskResult result in run.Results)
            Line($"{result.Task.Name,-15} {result.Accuracy.Count,9}  {Share(result.Accuracy),-16}  {Share(result.NormalizedAccuracy),-16}  {result.Task.Published,17:0.000000}");
        if (run.IsWhole)
            Line($"{"average",-15} {"",9}  {run.Results.Average(result => result.Accuracy.Mean),-16:0.0000}  {run.Results.Average(result => result.NormalizedAccuracy.Mean),-16:0.0000}  {PublishedAverage,17:0.000000}");
        foreach (TaskResult result in run.Results.Where(result => result.MeanOfGroups is not null))
            Line($"{result.Task.Name}: the mean of {result.Groups.Count} subjects' accuracies is {result.MeanOfGroups:0.0000}");
        if (run.IsWhole)
            Line($"published averages of others: {Peers}");

        static string Share(TaskResult.Share share) => string.Create(CultureInfo.InvariantCulture, $"{share.Mean:0.0000}{(share.Count > 1 ? $" ± {share.Error:0.0000}" : "")}");
        static void Line(FormattableString text) => Terminal.WriteLine(text.ToString(CultureInfo.InvariantCulture));
    }

    private static void WriteJson(EvaluationRun run, QedModel model, ChoiceProtocol protocol, PromptStyle style) => Terminal.WriteJson(json =>
    {
        json.WriteString("model", model.File.Name);
        json.WriteString("protocol", EvaluationRun.Name(protocol));
        json.WriteString("prompts", EvaluationRun.Name(style));
        json.WriteStartArray("tasks");
        foreach (TaskResult result in run.Results)
        {
            json.WriteStartObject();
            json.WriteString("task", result.Task.Name);
            json.WriteNumber("questions", result.Accuracy.Count);
            json.WriteFinite("acc", result.Accuracy.Mean);
            json.WriteFinite("acc_error", result.Accuracy.Error);
            json.WriteFinite("acc_norm", result.NormalizedAccuracy.Mean);
            json.WriteFinite("acc_norm_error", result.NormalizedAccuracy.Error);
            json.WriteFinite("published", result.Task.Published);
            if (result.MeanOfGroups is { } mean)
            {
                json.WriteFinite("acc_mean_of_groups", mean);
                json.WriteStartObject("groups");
                foreach ((string group, TaskResult.Share share) in result.Groups)
                    json.WriteFinite(group, share.Mean);
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        json.WriteEndArray();
        if (!run.IsWhole)
            return;
        json.WriteFinite("average", run.Results.Average(result => result.Accuracy.Mean));
        json.WriteFinite("published_average", PublishedAverage);
    });
}
