using System.Globalization;
using QedEdge.Cli.Pictures;
using QedEdge.CommandLine;
using QedEdge.Memory;
using static QedEdge.Cli.BenchmarkReport;

namespace QedEdge.Cli.Commands;

/// <summary><c>qed bench</c>: prefill and decode speed beside this machine's plain-read speed.</summary>
internal sealed class BenchCommand
{
    private static readonly (string Title, int Width)[] Columns = // less than 80 in all
        [("test", 8), ("depth", 5), ("seqs", 4), ("threads", 7), ("tokens/s", 9), ("±", 7), ("weights GB/s", 12), ("plain GB/s", 10), ("share", 6)];

    private readonly CommonOptions _common = new();
    private readonly TextOption _prompts = new("--n-prompt", "-p") { ValueName = "N", Description = "Tokens to prefill; a list runs several tests", Default = "512" };
    private readonly TextOption _generated = new("--n-gen", "-n") { ValueName = "N", Description = "Tokens to decode", Default = "128" };
    private readonly TextOption _depths = new("--n-depth", "-d") { ValueName = "N", Description = "Positions cached before a test starts", Default = "0" };
    private readonly TextOption _sequences = new("--sequences") { ValueName = "N", Description = "Sequences computed together, each of that many tokens", Default = "1" };
    private readonly IntegerOption _repetitions = new("--repetitions", "-r") { ValueName = "N", Description = "Repetitions of each test", Default = 5 };
    private readonly TextOption _threads = new("--threads", "-t") { ValueName = "N", Description = "Threads; a list (1,2) runs every test with each" };
    private readonly Flag _csv = new("--csv") { Description = "Print comma-separated values" };
    private readonly PictureOutput _plot = new("--plot", ".svg", "Draw the speeds by depth, as SVG");

    private readonly PictureOutput _report;

    private BenchCommand() => _report = new("--report", ".md", "Write a report to pass on, with the machine's state before and after, as Markdown or JSON", ".json", _plot);

    public static Command Create()
    {
        var self = new BenchCommand();
        var command = new Command("bench", "Measure prefill and decode speed. Test pp512 feeds a prompt of 512 tokens, tg128 generates 128 tokens one by one; seqs is how many sequences are computed together. Weights GB/s is how fast generating reads the weights, plain GB/s how fast this machine reads them and does nothing else, share the one of the other.\n\nExample: qed bench -p 128 -n 32 -r 3 -t 1,2",
            self._common.Model, self._prompts, self._generated, self._depths, self._sequences, self._repetitions, self._threads, self._common.KvType, self._common.Isa, self._common.Verbose, self._csv);
        self._plot.AddTo(command);
        self._report.AddTo(command);
        command.AddGroup(OptionGroups.Output, self._common.Json);
        command.Action = self.Run;
        return command;
    }

    private int Run(ParseResult parsed)
    {
        int repetitions = parsed.GetValue(_repetitions)!.Value; // it has a default
        if (repetitions < 1)
            throw new UsageException($"--repetitions must be 1 or more, got {repetitions}");
        _plot.Check(parsed);
        _report.Check(parsed);
        int[] threads = parsed.GetValue(_threads) is { } list ? Sizes("--threads", list) : [RuntimeInfo.Detect().Threads];
        using QedModel model = _common.OpenModel(parsed);
        if (parsed.GetValue(_common.Verbose))
            Terminal.Note(InfoCommand.Processor(RuntimeInfo.Detect(model.InstructionSet)));
        MachineState before = MachineState.Now();
        var benchmark = new Benchmark(model, repetitions, _common.CacheType(parsed));
        var results = new List<BenchmarkResult>();
        int[] prompts = Sizes("--n-prompt", parsed.GetValue(_prompts)!), generated = Sizes("--n-gen", parsed.GetValue(_generated)!);
        int[] depths = Sizes("--n-depth", parsed.GetValue(_depths)!), batches = Sizes("--sequences", parsed.GetValue(_sequences)!);
        if (!prompts.Concat(generated).Any(n => n > 0))
            throw new UsageException("there is nothing to measure: give --n-prompt or --n-gen above 0");
        bool json = parsed.GetValue(_common.Json), csv = parsed.GetValue(_csv);
        int tests = threads.Length * depths.Length * batches.Length * (prompts.Count(n => n > 0) + generated.Count(n => n > 0));
        using (ProgressLine? progress = json ? new ProgressLine("tests") : null) // the others print each row as it comes
        {
            foreach (int count in threads)
            {
                foreach (int depth in depths)
                {
                    foreach (int sequences in batches)
                    {
                        foreach (int n in prompts.Where(n => n > 0))
                            Add(benchmark.Prefill(n, depth, sequences, count));
                        foreach (int n in generated.Where(n => n > 0))
                            Add(benchmark.Decode(n, depth, sequences, count));
                    }
                }
            }

            void Add(BenchmarkResult result)
            {
                results.Add(result);
                progress?.Report(results.Count, (double)results.Count / tests);
                if (csv && !json)
                    WriteCsv(result, isFirst: results.Count == 1);
                else if (!json)
                    WriteRow(model, benchmark.KvType, result, isFirst: results.Count == 1);
            }
        }
        _plot.Write(parsed, () => Chart(model, benchmark.KvType, results).Write);
        _report.Write(parsed, () => new BenchmarkReport(model, benchmark.KvType, before, MachineState.Now(), results).Of(_report.Name(parsed)!));
        if (json)
            WriteJson(model, benchmark.KvType, results);
        return ExitCode.Done;
    }

    private static LineChart Chart(QedModel model, string kvType, List<BenchmarkResult> results) => new()
    {
        Title = "Speed by depth of the context",
        Subtitle = $"{model.File.Name}, {model.InstructionSet}, keys and values {kvType}; medians and standard deviations",
        X = new Axis("positions cached before"),
        Y = new Axis("tokens per second", fromZero: true),
        Series =
        [
            .. results.GroupBy(r => $"{r.Test}, {r.Threads} {(r.Threads == 1 ? "thread" : "threads")}{(r.Sequences == 1 ? "" : $", {r.Sequences} sequences")}")
                .Select(group => new Series(group.Key, [.. group.Select(r => new Point(r.Depth, r.TokensPerSecond, r.Deviation))], errorBars: true)),
        ],
    };

    private static void WriteRow(QedModel model, string kvType, BenchmarkResult r, bool isFirst)
    {
        if (isFirst)
            Terminal.WriteLine($"{model.File.Name}, {model.InstructionSet}, kv {kvType}, resident {Benchmark.ResidentMegabytes()} MB");
        string[] values =
        [
            r.Test, Shown(r.Depth, "0"), Shown(r.Sequences, "0"), Shown(r.Threads, "0"), Shown(r.TokensPerSecond, "0.0"), Shown(r.Deviation, "0.0"),
            Shown(r.WeightGigabytes, "0.0"), Shown(r.PlainReadGigabytes, "0.0"), Shown(r.ReadShare, "0.0%"),
        ];
        string titles = "", row = "";
        for (int i = 0; i < values.Length; i++)
        {
            (string title, int width) = Columns[i];
            titles += i == 0 ? title.PadRight(width) : " " + title.PadLeft(width);
            row += i == 0 ? values[i].PadRight(width) : " " + values[i].PadLeft(width);
        }
        if (StandardStreams.OutputWidth < titles.Length)
        {
            for (int i = 0; i < values.Length; i++)
            {
                if (values[i] != "")
                    Terminal.WriteLine($"{(i == 0 ? "" : "  ")}{Columns[i].Title} {values[i]}");
            }
            return;
        }
        if (isFirst)
            Terminal.WriteLine(titles);
        Terminal.WriteLine(row);
    }

    private static void WriteCsv(BenchmarkResult r, bool isFirst)
    {
        if (isFirst)
            Terminal.WriteLine("test,depth,sequences,threads,tokens_per_second,stddev,weight_gb_per_second,plain_read_gb_per_second,read_share");
        Terminal.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{r.Test},{r.Depth},{r.Sequences},{r.Threads},{r.TokensPerSecond:0.###},{r.Deviation:0.###},{Shown(r.WeightGigabytes, "0.###")},{r.PlainReadGigabytes:0.###},{Shown(r.ReadShare, "0.####")}"));
    }

    private static void WriteJson(QedModel model, string kvType, List<BenchmarkResult> results) => Terminal.WriteJson(json =>
    {
        json.WriteString("model", model.File.Name);
        json.WriteString("isa", model.InstructionSet);
        json.WriteString("kv_type", kvType);
        json.WriteNumber("resident_mb", Benchmark.ResidentMegabytes());
        WriteResults(json, results);
    });

    private static int[] Sizes(string option, string text)
    {
        int[] sizes = CommonOptions.ParseNumbers(option, text);
        int wrong = Array.FindIndex(sizes, n => n < 0);
        return wrong < 0 ? sizes : throw new UsageException($"{option} must be 0 or more, got {sizes[wrong]}");
    }
}
