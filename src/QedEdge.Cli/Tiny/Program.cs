using System.Globalization;
using System.Text;
using QedEdge.CommandLine;
using QedEdge.Generation;
using QedEdge.Memory;
using QedEdge.Text;

namespace QedEdge.Cli.Tiny;

/// <summary>
/// The smallest <c>qed</c> (<c>-p:QedProfile=Tiny</c>): it generates, from a model file or the one built in, and nothing else. What options it has are those
/// of <c>qed generate</c>, and so is the text; docs/size.md says what is left out.
/// </summary>
internal static class Program
{
    private const string Usage = "usage: qed [generate] PROMPT [-m FILE] [-n N] [-s SEED] [-t N] [-c N] [--temp X] [--top-k N] [--top-p X] [--greedy] [--ignore-eos]";

    private static int Main(string[] args) => new Shell(Classify, static message => Write(TerminalStream.Of(StandardStreams.Error(), StandardStreams.ErrorIsTerminal), $"error: {message}")).Run(() => Run(args));

    private static int Run(string[] args)
    {
        StandardStreams.KeepClosedOnesTaken(); // before anything opens a file
        MappingFaults.EndTheProgram();
        if (args is ["-h" or "--help" or "-?", ..])
            Write(StandardStreams.Output(), Usage);
        else
            Generate(args);
        return ExitCode.Done;
    }

    private static Failure? Classify(Exception e) =>
        e is QedException ? new(e is InvalidOptionException ? ExitCode.Usage : e is ModelFormatException ? ExitCode.Model : ExitCode.Failed, e.Message) : null;

    private static void Generate(string[] args)
    {
        string? file = Environment.GetEnvironmentVariable("QED_MODEL"), prompt = null;
        int? most = null, threads = null, context = null, topK = null;
        float? temperature = null, topP = null;
        ulong? seed = null;
        bool ignoreEos = false;
        for (int i = args is ["generate", ..] ? 1 : 0; i < args.Length; i++)
        {
            string word = args[i];
            try
            {
                switch (word)
                {
                    case "-m" or "--model": file = Value(); break;
                    case "-n" or "--max-tokens": most = Integer(); break;
                    case "-s" or "--seed": seed = ulong.Parse(Value(), NumberStyles.None, CultureInfo.InvariantCulture); break;
                    case "-t" or "--threads": threads = Integer(); break;
                    case "-c" or "--ctx-size": context = Integer(); break;
                    case "--temp": temperature = Number(); break;
                    case "--top-k": topK = Integer(); break;
                    case "--top-p": topP = Number(); break;
                    case "--greedy": temperature = 0; break;
                    case "--ignore-eos": ignoreEos = true; break;
                    case "--" when i == args.Length - 2: prompt ??= args[++i]; break;
                    default: prompt = prompt is null && !(word.StartsWith('-') && word.Length > 1 && !char.IsAsciiDigit(word[1])) ? word : throw new FormatException(); break;
                }
            }
            catch (Exception e) when (e is FormatException or OverflowException)
            {
                throw new InvalidOptionException($"'{word}' is not understood, or what follows it; {Usage}");
            }

            string Value() => ++i < args.Length ? args[i] : throw new FormatException();
            int Integer() => int.Parse(Value(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
            float Number() => float.Parse(Value(), NumberStyles.Float, CultureInfo.InvariantCulture);
        }

        using QedModel model = string.IsNullOrEmpty(file) ? QedModel.Open(BuiltIn(), "built-in model", new ModelOptions()) : QedModel.Open(file, new ModelOptions());
        Tokenizer tokenizer = model.RequireTokenizer();
        GenerationOptions own = GenerationOptions.Of(model);
        var options = own with
        {
            MaxTokens = most ?? own.MaxTokens,
            IgnoreEos = ignoreEos,
            Sampling = own.Sampling with
            {
                Temperature = temperature ?? own.Sampling.Temperature,
                TopK = topK ?? own.Sampling.TopK,
                TopP = topP ?? own.Sampling.TopP,
                Seed = seed ?? (ulong)Random.Shared.Next(),
            },
        };
        options.Sampling.Validate();
        int[] ids = tokenizer.EncodePrompt(prompt);
        if (ids.Length == 0)
            throw new InvalidOptionException($"there is no prompt; {Usage}");
        using Session session = model.CreateSession(new SessionOptions { Threads = threads, ContextLength = context });
        using Stream output = TerminalStream.Of(StandardStreams.Output(), StandardStreams.OutputIsTerminal);
        var bytes = new byte[1024];
        var text = new GeneratedText(tokenizer, [], Show, ids);
        new Generator(session, options).Run(ids, (id, _) => text.Append(id));
        text.End();
        Show("\n");

        void Show(ReadOnlySpan<char> piece)
        {
            int count = Encoding.UTF8.GetByteCount(piece);
            if (count > bytes.Length)
                bytes = new byte[count];
            output.Write(bytes.AsSpan(0, Encoding.UTF8.GetBytes(piece, bytes)));
            output.Flush();
        }
    }

    private static UnmanagedMemoryStream BuiltIn() =>
        typeof(Program).Assembly.GetManifestResourceStream("model.gguf") as UnmanagedMemoryStream ?? throw new InvalidOptionException("this executable has no built-in model; name one with --model FILE");

    private static void Write(Stream stream, string line) => stream.Write(Encoding.UTF8.GetBytes(line + "\n"));
}
