using System.Globalization;
using QedEdge.Cli.Batch;
using QedEdge.Cli.Json;
using QedEdge.CommandLine;
using QedEdge.Json;
using QedEdge.Memory;

namespace QedEdge.Cli.Commands;

/// <summary><c>qed batch</c>: many prompts or texts to score, one JSON object a line.</summary>
internal sealed class BatchCommand
{
    private readonly CommonOptions _common = new();
    private readonly SamplingInput _sampling = new();
    private readonly TextOption _input = new("--input", "-i") { ValueName = "FILE", Description = "Lines with a prompt, messages, tokens, or a score or choices (docs/json.md); - reads standard input", IsRequired = true };
    private readonly TextOption _output = new("--output", "-o") { ValueName = "FILE", Description = "Receives a line for each, in order; standard output if not given, or -", IsWritten = true, TakesStandardOutput = true };
    private readonly Flag _resume = new("--resume") { Description = "Go on where a run with the same model and options that was stopped has left FILE.part" };
    private readonly Flag _force = new("--force") { Description = "Replace an existing output file, and what a stopped run left" };
    private readonly TextOption _shard = new("--shard") { ValueName = "I/N", Description = "Only every N-th line, from the I-th on (1/4, 2/4, 3/4, 4/4)" };
    private readonly IntegerOption _sequences = new("--sequences") { ValueName = "N", Description = "Sequences generated together", Default = 8 };

    public static Command Create()
    {
        var self = new BatchCommand();
        var command = new Command("batch", "Run many prompts from a file of JSON lines. A line that fails has its record too, with an \"error\", and the exit code is 1; --resume of an output that is complete does nothing and exits with 0.\n\nExample: qed batch -i prompts.jsonl -o answers.jsonl --seed 1",
            self._input, self._output, self._resume, self._force, self._shard, self._sequences);
        self._sampling.AddTo(command);
        self._common.AddRunOptions(command);
        command.Action = self.Run;
        return command;
    }

    private int Run(ParseResult parsed)
    {
        (int shard, int shards) = Shard(parsed.GetValue(_shard));
        string input = parsed.GetValue(_input)!;
        string? path = parsed.GetValue(_output) is var file and not "-" ? file : null;
        bool resume = parsed.GetValue(_resume), force = parsed.GetValue(_force);
        if (resume && (path is null || force))
            throw new UsageException("--resume goes with --output, and not with --force");
        if (resume && path is not null && FileStatus.Exists(path))
        {
            long failed = 0, done = 0;
            RecordFile.Read(path, record => (done, failed) = (done + 1, failed + (IsError(record) ? 1 : 0)));
            Terminal.Note($"{path}: is complete already");
            Outcome(failed, done, path);
            return ExitCode.Done; // there was nothing to do: a service that starts what failed once more comes to an end
        }
        if (!InputSource.IsStandardInput(input) && FileStatus.Find(input)?.Kind is null or FileKind.Folder)
            throw QedException.Unreadable(input, new FileNotFoundException());
        int sequences = parsed.GetValue(_sequences)!.Value; // it has a default
        using QedModel model = _common.OpenModel(parsed, sequences);
        var options = _sampling.Options(parsed, model);
        long errors = 0; // of an earlier run
        using RecordFile output = path is null ? RecordFile.ToOutput() : RecordFile.ToFile(path, resume, force, record => errors += IsError(record) ? 1 : 0);
        using var run = new BatchRun(model, _common.SessionOptions(parsed), sequences, options, _sampling.Stops(parsed), _sampling.HasSeed(parsed), output);
        using var interrupt = new Interrupt();
        IEnumerable<(long, byte[])> all = JsonLines.Read(input, interrupt.Token).Where((_, i) => i % shards == shard), lines = Remaining(all, output, input, run.Fingerprint);
        try
        {
            double total = JsonLines.CanBeReadAgain(input) ? all.LongCount() : double.NaN;
            // Not between records on the same terminal.
            using ProgressLine? progress = path is null && StandardStreams.OutputIsTerminal ? null : new ProgressLine("tokens", output.Count / total);
            run.Run(lines, () => progress?.Report(run.Tokens, output.Count / total), interrupt.Token);
        }
        catch (OperationCanceledException)
        {
            // A line that was being read or scored: it is left out like those being generated.
        }
        errors += run.Errors;
        if (interrupt.Token.IsCancellationRequested)
        {
            if (path is not null)
                Terminal.Note($"{output.Part} holds {output.Count} lines; --resume goes on behind them");
            return ExitCode.Interrupted;
        }
        output.Commit();
        return Outcome(errors, output.Count, path);
    }

    private static bool IsError(JsonValue record) => record.Find("error") is not null;

    /// <summary>Says how many lines failed: the output is whole, and who runs the command must not take it for more.</summary>
    private static int Outcome(long errors, long lines, string? path)
    {
        if (errors == 0)
            return ExitCode.Done;
        Terminal.Note($"{errors} of {lines} lines failed; see \"error\" in {path ?? "their records"}");
        return ExitCode.Failed;
    }

    /// <summary>The lines behind those that an earlier run has done.</summary>
    private static IEnumerable<(long, byte[])> Remaining(IEnumerable<(long Number, byte[] Line)> lines, RecordFile output, string input, string fingerprint)
    {
        long done = output.Count, skipped = 0;
        foreach ((long number, byte[] line) in lines)
        {
            if (skipped++ >= done)
            {
                yield return (number, line);
                continue;
            }
            if (skipped < done || output.Last is not { } last)
                continue;
            if (last.Get("id").StringOrNumber() != BatchLine.IdOf(number, line))
                throw new QedException($"{input}: line {number} has another id than the last record that was written; the output belongs to another input, begin anew with --force");
            if (last.Find(BatchRun.FingerprintName)?.String() != fingerprint)
                throw new QedException($"{input}: the run that was stopped had another model, --kv-type, --ctx-size, seed or sampling option, or was of another version; go on with the same, or begin anew with --force");
        }
        if (skipped < done)
            throw new QedException($"{input}: has {skipped} lines for {done} records that were written; the output belongs to another input, begin anew with --force");
    }

    private static (int Index, int Count) Shard(string? text)
    {
        if (text is null)
            return (0, 1);
        string[] parts = text.Split('/');
        return parts.Length == 2 && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out int index)
            && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int count) && index >= 1 && index <= count
            ? (index - 1, count)
            : throw new UsageException($"--shard: '{text}' is not I/N; give 1/4 for the first of four");
    }
}
