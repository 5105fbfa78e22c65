using System.ComponentModel;
using System.Diagnostics;
using System.Text;
using QedEdge.CommandLine;
using QedEdge.Gguf;
using QedEdge.Memory;
using Spectre.Console;

namespace QedEdge.Conversion.Cli;

/// <summary>Progress and the closing table, on stderr: stdout is for results. Colours and movement only on a terminal.</summary>
internal static class Terminal
{
    /// <summary>The environment variable that turns colours off.</summary>
    public const string NoColor = "NO_COLOR";

    private static readonly Stream Error = TerminalStream.Of(StandardStreams.Error(), StandardStreams.ErrorIsTerminal);
    private static readonly Lazy<IAnsiConsole> LazyConsole = new(Create); // errors are said without it

    private static IAnsiConsole Console => LazyConsole.Value;

    /// <summary>Runs work under a progress bar where stderr is a terminal.</summary>
    /// <param name="work">Takes what to call with the share done (0 to 1) and a word about it.</param>
    public static void WithProgress(Action<Action<double, string>> work)
    {
        if (!Console.Profile.Capabilities.Interactive)
        {
            work(Log());
            return;
        }
        Console.Progress().AutoClear(true)
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .Start(context =>
            {
                var task = context.AddTask("reading", maxValue: 1);
                work((share, word) =>
                {
                    task.Value = share;
                    task.Description = Markup.Escape(TerminalText.OneLine(word));
                });
            });
    }

    /// <summary>Lines in a log, for work that takes long: what is being done, at most every ten seconds.</summary>
    private static Action<double, string> Log()
    {
        long last = Stopwatch.GetTimestamp();
        string said = "";
        return (share, word) =>
        {
            if (word == said || Stopwatch.GetElapsedTime(last) < TimeSpan.FromSeconds(10))
                return;
            (last, said) = (Stopwatch.GetTimestamp(), word);
            Note($"{share,4:P0} {word}");
        };
    }

    /// <summary>Writes a line about the run.</summary>
    public static void Note(string line) => Try(() => Error.Write(Encoding.UTF8.GetBytes(line + "\n")));

    /// <summary>Says what went wrong in one line.</summary>
    public static void Fail(string message) => Note("error: " + TerminalText.OneLine(string.Join(' ', message.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))));

    /// <summary>Prints warnings and what was written.</summary>
    /// <param name="report">What was done.</param>
    /// <param name="output">The file that was written.</param>
    /// <param name="showCard">Whether to print what the file says of how it was made and measured.</param>
    public static void Print(ConversionReport report, string output, bool showCard = false)
    {
        foreach (string warning in report.Warnings)
            Note("warning: " + warning);
        PrintTable(["type", "tensors", "values", "bits/value", "size", "largest error", "mean error"],
        [
            .. report.Types.Select(type => (string[])[TensorTypes.Name(type.Type), $"{type.TensorCount}", $"{type.ValueCount:N0}", $"{type.BitsPerValue:F2}", ByteSize.Text(type.Bytes),
                Digits(type.LargestError), Digits(type.MeanError)]),
            ["all", $"{report.TensorCount}", $"{report.ValueCount:N0}", $"{report.BitsPerValue:F2}", ByteSize.Text(report.Bytes), "", ""],
        ]);
        foreach (TypeReport type in report.Types.Where(static type => type.ExactCount > 0))
            Note($"{type.ExactCount} of the {TensorTypes.Name(type.Type)} matrices lay on the grid of Q4_0 already (quantization-aware training) and keep their values");
        if (report.MergedMatrices > 0)
            Note($"the adapter was merged into {report.MergedMatrices} {(report.MergedMatrices == 1 ? "matrix" : "matrices")}");
        if (showCard)
            PrintCard(output);
        Note($"wrote {output} ({ByteSize.Text(report.FileBytes)})");

        static string Digits(double error) => error == 0 ? "0" : error.ToString("G3");
    }

    /// <summary>A table; on a terminal that is too narrow for it a value in each line, so that no number is broken.</summary>
    private static void PrintTable(string[] titles, string[][] rows)
    {
        int[] widths = [.. titles.Select((title, i) => rows.Max(row => Math.Max(title.Length, row[i].Length)))];
        if (StandardStreams.ErrorWidth < widths.Sum() + widths.Length - 1)
        {
            foreach (string[] row in rows)
            {
                foreach (var (title, value) in titles.Zip(row).Where(cell => cell.Second != ""))
                    Note($"{(title == titles[0] ? "" : "  ")}{title} {value}");
            }
            return;
        }
        foreach (string[] row in rows.Prepend(titles))
            Note(string.Join(' ', row.Select((value, i) => i == 0 ? value.PadRight(widths[i]) : value.PadLeft(widths[i]))).TrimEnd());
    }

    private static void PrintCard(string model)
    {
        using GgufFile file = GgufFile.Open(model);
        foreach (var (label, value) in ModelCard.Of(file))
            Note($"  {label,-15} {TerminalText.OneLine(value)}");
    }

    private static void Try(Action write)
    {
        try
        {
            write();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or Win32Exception) // the last where .NET's console gets no thread
        {
            // Nobody listens: a note is not worth failing for.
        }
    }

    private static IAnsiConsole Create()
    {
        if (!OperatingSystem.IsWindows())
            System.Console.OutputEncoding = Encoding.UTF8; // whatever the locale says
        bool terminal = !System.Console.IsErrorRedirected;
        bool colour = terminal && string.IsNullOrEmpty(Environment.GetEnvironmentVariable(NoColor));
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(System.Console.Error),
            Ansi = terminal ? AnsiSupport.Detect : AnsiSupport.No,
            ColorSystem = colour ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            Interactive = terminal ? InteractionSupport.Detect : InteractionSupport.No,
        });
        if (!terminal)
            console.Profile.Width = 120; // a file has no width; do not wrap the table
        return console;
    }
}
