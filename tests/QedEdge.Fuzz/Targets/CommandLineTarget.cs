using System.Text;
using QedEdge.Cli;
using QedEdge.CommandLine;
using QedEdge.Conversion.Cli;

namespace QedEdge.Fuzz.Targets;

/// <summary>Command lines of both programs, their words parted by line feeds and the program's name the first: read, completed, shown help; nothing is run.</summary>
internal sealed class CommandLineTarget : Target
{
    private readonly List<string> _words = [];
    private Command[] _roots = [];
    private SamplingInput _sampling = null!;
    private QedModel _model = null!;
    private ParseResult? _parsed;

    public override int Share => 20;

    public override bool SeedsAreSound => false; // a command alone lacks what it requires

    public override IEnumerable<byte[]> Seeds(string folder)
    {
        _model = QedModel.Open(Samples.Model(folder));
        _sampling = new SamplingInput();
        var sampling = new Command("sampling", "All that says how tokens are chosen.");
        _sampling.AddTo(sampling);
        _roots =
        [
            Cli.Program.BuildRoot(),
            ConvertCommand.Create(default, RepackCommand.Create(default), RandomCommand.Create(default), ManualCommands.CreateCompletion(), ManualCommands.CreateMan()),
            new Command("sampling-root", "Holds the command.") { Commands = [sampling] },
        ];
        foreach (Command command in _roots.SelectMany(root => root.Commands.Prepend(root)))
        {
            if (command.Action is not null || command == sampling)
                command.Action = parsed => Read(parsed, command == sampling);
            _words.AddRange([command.Name, .. command.AllOptions.SelectMany(option => option.Names), .. command.Options.SelectMany(option => option.Words)]);
        }
        _words.AddRange(["", "-", "--", "=", "help", "0", "1", "-1", "1.5", "1e99", "nan", "inf", "-inf", "2147483648", "18446744073709551615", "99999999999999999999", "true", "false", "15=-1.5", "3=-inf", "=", "a=b", "ffn_.*=q4_0",
            "(=q8_0", "x{999999999}=f16", "é\u0301", "\u001b[2J", "a b", "'", "\"", "/dev/null", new string('x', 3000)]);
        return
        [
            .. _roots.SelectMany((root, at) => root.Commands.Select(command => Line(at, [command.Name]))),
            Line(0, "generate", "--model", "m.gguf", "-n", "5", "--temp=0.8", "--logit-bias", "3=-inf", "ab"), Line(1, "in", "-o", "out.gguf", "--type", "q4_0", "--tensor-type", "ffn=q8_0"),
            Line(2, "sampling", "--temp", "0.5", "--top-k=3", "--logit-bias", "2=1.5", "--seed", "7", "--stop", "a"),
        ];
    }

    public override byte[] Mutate(Random random, byte[] input, byte[] other)
    {
        List<string> words = [.. Encoding.UTF8.GetString(input).Split('\n')];
        string[] theirs = Encoding.UTF8.GetString(other).Split('\n');
        for (int left = 1 + random.Next(4); left > 0; left--)
        {
            int at = random.Next(words.Count);
            string word = _words[random.Next(_words.Count)];
            switch (random.Next(7))
            {
                case 0:
                    words.Insert(at + 1, word);
                    break;
                case 1 when at > 0:
                    words[at] = word;
                    break;
                case 2 when at > 0:
                    words.RemoveAt(at);
                    break;
                case 3:
                    words.Insert(at + 1, $"{word}={_words[random.Next(_words.Count)]}");
                    break;
                case 4:
                    words.InsertRange(at + 1, theirs.Skip(1).Take(random.Next(4)));
                    break;
                case 5 when at > 0 && words[at].Length < 10000:
                    words[at] += word;
                    break;
                case 6 when at > 0:
                    words[at] = Encoding.UTF8.GetString(Mutation.Bytes.Change(random, Encoding.UTF8.GetBytes(words[at]), other)).Replace('\n', ' ');
                    break;
            }
        }
        return Encoding.UTF8.GetBytes(string.Join('\n', words));
    }

    public override string Execute(Input input)
    {
        string[] words = Encoding.UTF8.GetString(input.Bytes).Split('\n');
        int root = Array.FindIndex(_roots, one => one.Name == words[0]);
        _parsed = null;
        string shown = "";
        CommandLineProgram.Run(_roots[Math.Max(root, 0)], "1.0", words[1..], new Screen(text => shown += text, text => shown += text));
        return _parsed is null ? $"{words[0]} shows text" : "understood";
    }

    /// <summary>Asks for every value, as a command does.</summary>
    private int Read(ParseResult parsed, bool sampling)
    {
        foreach (Option option in parsed.Command.Options)
        {
            _ = option switch
            {
                Flag flag => parsed.GetValue(flag),
                TextOption text => parsed.GetValue(text),
                TextsOption texts => parsed.GetValue(texts),
                IntegerOption integer => parsed.GetValue(integer),
                SeedOption seed => parsed.GetValue(seed),
                NumberOption number => (object?)parsed.GetValue(number),
                _ => throw new FaultException($"an option of unknown type: {option.Name}"),
            };
        }
        if (sampling)
        {
            _sampling.Options(parsed, _model);
            _sampling.Stops(parsed);
        }
        _parsed = parsed;
        return 0;
    }

    private byte[] Line(int root, params string[] words) => Encoding.UTF8.GetBytes(string.Join('\n', [_roots[root].Name, .. words]));
}
