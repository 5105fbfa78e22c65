using System.Globalization;
using System.Text;
using QedEdge.Generation;
using QedEdge.Memory;
using QedEdge.Text;

namespace QedEdge.Cli.Tiny;

/// <summary>
/// The smallest <c>qed</c> (<c>-p:QedProfile=Tiny</c>): it generates, from a model file in int4 or the one built in, and nothing else. Options are those of
/// <c>qed generate</c>, and so is the text; docs/size.md says what is left out.
/// </summary>
internal static class Program
{
    private const string Usage = "usage: qed [generate] PROMPT [-m FILE] [-n N] [-s SEED] [-t N] [-c N] [--temp X] [--top-k N] [--top-p X] [--greedy] [--ignore-eos]";

    private static int Main(string[] args)
    {
        StandardStreams.KeepClosedOnesTaken(); // before anything opens a file
        try
        {
            Generate(args);
            return 0;
        }
        catch (Exception e) when (e is FormatException or OverflowException or InvalidOptionException)
        {
            return Fail(2, e is InvalidOptionException ? e.Message : Usage);
        }
        catch (QedException e)
        {
            return Fail(e is ModelFormatException ? 3 : 1, e.Message);
        }
        catch (IOException e)
        {
            return Fail(1, e.Message);
        }
    }

    private static void Generate(string[] args)
    {
        string? file = Environment.GetEnvironmentVariable("QED_MODEL"), prompt = null;
        int? most = null, threads = null, context = null, topK = null;
        float? temperature = null, topP = null;
        ulong? seed = null;
        bool ignoreEos = false;
        for (int i = args is ["generate", ..] ? 1 : 0; i < args.Length; i++)
        {
            switch (args[i])
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
                default: prompt = prompt is null && !args[i].StartsWith('-') ? args[i] : throw new FormatException(); break;
            }

            string Value() => ++i < args.Length ? args[i] : throw new FormatException();
            int Integer() => int.Parse(Value(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
            float Number() => float.Parse(Value(), NumberStyles.Float, CultureInfo.InvariantCulture);
        }

        using QedModel model = string.IsNullOrEmpty(file) ? QedModel.Open(BuiltIn(), "built-in model", new ModelOptions()) : QedModel.Open(file, new ModelOptions());
        Tokenizer tokenizer = model.Tokenizer ?? throw model.TokenizerProblem ?? new QedException($"{model.File.Name} has no tokenizer");
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
            throw new FormatException();
        using Session session = model.CreateSession(new SessionOptions { Threads = threads, ContextLength = context });
        using Stream output = StandardStreams.Output();
        var bytes = new byte[1024];
        var text = new GeneratedText(tokenizer, [], Show);
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

    private static int Fail(int code, string message)
    {
        using Stream error = StandardStreams.Error();
        error.Write(Encoding.UTF8.GetBytes($"error: {message}\n"));
        return code;
    }
}
