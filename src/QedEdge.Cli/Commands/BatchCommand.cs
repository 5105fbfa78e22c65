using System.Globalization;
using QedEdge.Cli.Batch;
using QedEdge.Cli.Json;
using QedEdge.CommandLine;
using QedEdge.Memory;

namespace QedEdge.Cli.Commands;

/// <summary><c>qed batch</c>: many prompts or texts to score, one JSON object a line.</summary>
internal sealed class BatchCommand
{
    private readonly CommonOptions _common = new();
    private readonly SamplingInput _sampling = new();
    private readonly TextOption _input = new("--input", "-i") { ValueName = "FILE", Description = "Lines with a prompt, messages, tokens, or a score or choices (docs/json.md); - reads standard input", IsRequired = true };
    private readonly TextOption _output = new("--output", "-o") { ValueName = "FILE", Description = "Receives a line for each, in order; standard output if not given", IsWritten = true };
    private readonly Flag _resume = new("--resume") { Description = "Go on where a run with the same options that was stopped has left FILE.part" };
    private readonly Flag _force = new("--force") { Description = "Replace an existing output file, and what a stopped run left" };
    private readonly TextOption _shard = new("--shard") { ValueName = "I/N", Description = "Only every N-th line, from the I-th on (1/4, 2/4, 3/4, 4/4)" };
    private readonly IntegerOption _sequences = new("--sequences") { ValueName = "N", Description = "Sequences generated together", Default = 8 };

    public static Command Create()
    {
        var self = new BatchCommand();
        var command = new Command("batch", "Run many prompts from a file of JSON lines.\n\nExample: qed batch -i prompts.jsonl -o answers.jsonl --seed 1",
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
        string? path = parsed.GetValue(_output);
        bool resume = parsed.GetValue(_resume), force = parsed.GetValue(_force);
        if (resume && (path is null || force))
            throw new UsageException("--resume goes with --output, and not with --force");
        if (resume && File.Exists(path))
        {
            Terminal.Note($"{path}: is complete already");
            return ExitCode.Done;
        }
        if (input != "-" && !File.Exists(input))
            throw new QedException($"{input}: {(Directory.Exists(input) ? "is a folder; name a file in it" : "there is no such file")}");
        int sequences = parsed.GetValue(_sequences)!.Value; // it has a default
        using QedModel model = _common.OpenModel(parsed, sequences);
        var options = _sampling.Options(parsed, model);
        using RecordFile output = path is null ? RecordFile.ToOutput() : RecordFile.ToFile(path, resume, force);
        using var run = new BatchRun(model, _common.SessionOptions(parsed), sequences, options, _sampling.Stops(parsed), _sampling.HasSeed(parsed), output);
        IEnumerable<(long, string)> all = JsonLines.Read(input).Where((_, i) => i % shards == shard), lines = Remaining(all, output, input);
        double total = JsonLines.CanBeReadAgain(input) ? all.LongCount() : double.NaN;
        using var interrupt = new Interrupt();
        try
        {
            // Not between records on the same terminal.
            using ProgressLine? progress = path is null && StandardStreams.OutputIsTerminal ? null : new ProgressLine("tokens", output.Count / total);
            run.Run(lines, () => progress?.Report(run.Tokens, output.Count / total), interrupt.Token);
        }
        catch (OperationCanceledException)
        {
            // A line that was being scored: it is left out like those being generated.
        }
        if (run.Errors > 0)
            Terminal.Note($"{run.Errors} of {run.Lines} lines could not be used; their records have an \"error\"");
        if (interrupt.Token.IsCancellationRequested)
        {
            if (path is not null)
                Terminal.Note($"{output.Part} holds {output.Count} lines; --resume goes on behind them");
            return ExitCode.Interrupted;
        }
        output.Commit();
        return ExitCode.Done;
    }

    /// <summary>The lines behind those that an earlier run has done.</summary>
    private static IEnumerable<(long, string)> Remaining(IEnumerable<(long Number, string Line)> lines, RecordFile output, string input)
    {
        long done = output.Count, skipped = 0;
        foreach ((long number, string line) in lines)
        {
            if (skipped++ >= done)
            {
                yield return (number, line);
                continue;
            }
            if (skipped == done && output.Last is { } last && last.Get("id").StringOrNumber() != BatchLine.IdOf(number, line))
                throw new QedException($"{input}: line {number} has another id than the last record that was written; the output belongs to another input, begin anew with --force");
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
