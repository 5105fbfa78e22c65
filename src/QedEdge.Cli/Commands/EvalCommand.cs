using QedEdge.Cli.Evaluation;
using QedEdge.Cli.Json;
using QedEdge.CommandLine;
using QedEdge.Evaluation;
using QedEdge.Memory;

namespace QedEdge.Cli.Commands;

/// <summary><c>qed eval</c>: the multiple-choice tasks of QED's published table.</summary>
internal sealed class EvalCommand
{
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
        command.AddGroup(OptionGroups.Output, self._common.Json);
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
            Write(new EvaluationReport(run, model, protocol, style), parsed);
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
        Write(new EvaluationReport(run, model, protocol, style), parsed);
        return ExitCode.Done;
    }

    private void Write(EvaluationReport report, ParseResult parsed)
    {
        if (parsed.GetValue(_common.Json))
            report.WriteJson();
        else
            report.WriteTable();
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
}
