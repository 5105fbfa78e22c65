using System.Text.RegularExpressions;

namespace QedEdge.Tests.Published;

/// <summary>Manual pages, docs/cli.md and completions say what --help says, and the programs that they are for take them.</summary>
public sealed class DocumentationTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public static TheoryData<string> Programs => ["qed", "qed-convert"];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void TheCommittedPage_IsWhatTheProgramsPrint()
    {
        string expected = string.Concat(Programs.Select(program => Output(program.Data, "man", "--markdown")));
        Assert.True(File.ReadAllText(Path.Combine(TestData.Root, "docs", "cli.md")) == expected, """
            docs/cli.md is not what the programs print. In the repository's folder:
            for p in src/QedEdge.Cli converter/qed-convert; do dotnet run --project $p -c Release -- man --markdown; done > docs/cli.md
            """);
    }

    [Theory]
    [MemberData(nameof(Programs))]
    public void AnotherMachine_PrintsTheSame(string program)
    {
        foreach (string[] arguments in new string[][] { ["man"], ["man", "--markdown"], ["completion", "bash"] })
            Assert.Equal(Output(program, arguments), PublishedPrograms.Run(program, "cortex-a72", arguments).Output);
    }

    [Theory]
    [MemberData(nameof(Programs))]
    public void TheManualPage_IsSetWithoutWarnings(string program)
    {
        Tools.Require("groff", "mandoc");
        string page = Save("page.1", Output(program, "man"));
        foreach (string device in new[] { "utf8", "ascii", "ps" })
            AssertSilent(Tools.Run("groff", ["-man", "-ww", "-z", "-T" + device, page]));
        AssertSilent(Tools.Run("mandoc", ["-T", "lint", page]));
    }

    [Theory]
    [MemberData(nameof(Programs))]
    public void TheManualPage_CanBeRead(string program)
    {
        Tools.Require("groff");
        string text = Tools.Run("groff", ["-man", "-Tascii", "-P-cbou", "-rLL=400n", Save("page.1", Output(program, "man"))]).Output;
        Assert.Contains($" {program} man | man -l -\n", text);
        foreach (CommandHelp command in CommandHelp.All(program))
        {
            Assert.Contains($"\n       {command.Path}", text);
            Assert.All(command.Options, option => Assert.Contains($" {option.Head}", text));
        }
    }

    [Theory]
    [MemberData(nameof(Programs))]
    public void EveryOption_IsInTheSectionOfItsCommand(string program)
    {
        string page = Output(program, "man"), markdown = Output(program, "man", "--markdown");
        CommandHelp[] commands = CommandHelp.All(program);
        Assert.Equal(commands.Length - 1, Regex.Count(page, @"^\.SS ", RegexOptions.Multiline));
        Assert.Equal(commands.Length - 1, Regex.Count(markdown, "^## ", RegexOptions.Multiline));
        foreach (CommandHelp command in commands)
        {
            string inPage = command.Name == "" ? Section(page, ".SH DESCRIPTION\n", "\n.SH ") : Section(page, $".SS {Roff(command.Path)}\n", "\n.S");
            string inMarkdown = command.Name == "" ? Section(markdown, $"# {command.Path}\n", "\n| command |") : Section(markdown, $"\n## {command.Path}\n", "\n## ");
            Assert.Equal(command.Options.SelectMany(option => option.Names),
                Regex.Matches(inPage, @"(?<=^\.TP\n)\\fB\\-.*$", RegexOptions.Multiline).SelectMany(line => Regex.Matches(line.Value, @"\\fB(\\-.*?)\\fR")).Select(name => name.Groups[1].Value.Replace("\\-", "-")));
            Assert.Equal(command.Options.Select(option => $"| `{option.Head}` | {option.Description} |"),
                Regex.Matches(inMarkdown, "^\\| `-.*$", RegexOptions.Multiline).Select(row => WithoutEscapes(row.Value)));
        }
    }

    [Theory]
    [MemberData(nameof(Programs))]
    public void Bash_OffersWhatHelpShows(string program)
    {
        CommandHelp[] commands = CommandHelp.All(program);
        foreach (CommandHelp command in commands)
            Assert.Equal(command.Typed, Bash([.. command.Path.Split(' '), "-"]).Order(StringComparer.Ordinal));
        Assert.Equal(commands[1..].Select(command => command.Name), Bash(program, "").Where(word => !word.StartsWith("compopt", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("generate", "qed", "gen")]
    [InlineData("--kv-type", "qed", "generate", "--kv")]
    [InlineData("auto,f32,f16,q8_0", "qed", "generate", "--kv-type", "")]
    [InlineData("auto,f32,f16,q8_0", "qed", "generate", "--kv-type", "=")]
    [InlineData("f32,f16", "qed", "generate", "--kv-type", "=", "f")]
    [InlineData("avx2,avx512,avxvnni", "qed", "bench", "--isa", "avx")]
    [InlineData("", "qed", "generate", "--seed", "")]
    [InlineData("", "qed", "generate", "--", "--kv")]
    [InlineData("compopt -o default", "qed", "generate", "-m", "")]
    [InlineData("compopt -o default", "qed", "verify", "mod")]
    [InlineData("bash,fish,zsh", "qed", "completion", "")]
    [InlineData("repack,random,compopt -o plusdirs", "qed-convert", "r")]
    [InlineData("compopt -o plusdirs", "qed-convert", "folder", "--lora", "")]
    [InlineData("compopt -o default", "qed-convert", "folder", "-o", "")]
    [InlineData("packed,plain", "qed-convert", "repack", "--layout", "p")]
    [InlineData("packed,plain", "qed-convert", "folder", "--layout", "p")]
    public void Bash_OffersValues(string expected, params string[] words) => Assert.Equal(expected, string.Join(',', Bash(words)));

    [Theory]
    [MemberData(nameof(Programs))]
    public void Fish_OffersWhatHelpShows(string program)
    {
        CommandHelp[] commands = CommandHelp.All(program);
        foreach (CommandHelp command in commands)
        {
            // A dash alone is completed by short names, or where there are none by long ones.
            Assert.Equal(command.Typed, Fish(command.Path + " -").Concat(Fish(command.Path + " --")).Distinct().Order(StringComparer.Ordinal));
        }
        Assert.Equal(commands[1..].Select(command => command.Name).Order(StringComparer.Ordinal), Fish(program + " ").Where(word => !word.EndsWith('/')).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("auto,f16,f32,q8_0", "qed generate --kv-type ")]
    [InlineData("--kv-type=f16,--kv-type=f32", "qed generate --kv-type=f")]
    [InlineData("", "qed generate --seed ")]
    [InlineData("model.gguf,models/", "qed generate -m mod")]
    [InlineData("models/", "qed-convert mod")]
    [InlineData("models/", "qed-convert x --lora mod")]
    [InlineData("", "qed completion mod")]
    public void Fish_OffersValues(string expected, string line)
    {
        Save("model.gguf", "");
        Directory.CreateDirectory(Path.Combine(_folder, "models"));
        Assert.Equal(expected, string.Join(',', Fish(line)));
    }

    [Theory]
    [MemberData(nameof(Programs))]
    public void Zsh_OffersWhatHelpShows(string program)
    {
        CommandHelp[] commands = CommandHelp.All(program);
        foreach (CommandHelp command in commands)
            Assert.Equal(command.Typed, Zsh([.. command.Path.Split(' '), "-"]).Select(spec => Regex.Match(spec, @"^(?:\([^)]*\)|\*)(-[\w-]+)=?\[")).Where(option => option.Success).Select(option => option.Groups[1].Value).Order(StringComparer.Ordinal));
        Assert.Equal(commands[1..].Select(command => command.Name), Zsh(program, "").Where(row => row.StartsWith("command ", StringComparison.Ordinal)).Select(row => row["command ".Length..].Split(':')[0]));
    }

    [Theory]
    [InlineData("--kv-type=", ":TYPE:(auto f32 f16 q8_0)", "qed", "generate", "")]
    [InlineData("--seed=", ":N: ", "qed", "generate", "")]
    [InlineData("--model=", ":FILE:_files", "qed", "generate", "")]
    [InlineData("1::FILE", ":_files", "qed", "verify", "")]
    [InlineData("--lora=", ":DIR:_files -/", "qed-convert", "folder", "")]
    [InlineData("1:MODEL_DIR", "_files -/}", "qed-convert", "folder")]
    public void Zsh_OffersValues(string option, string ending, params string[] words) => Assert.EndsWith(ending, Assert.Single(Zsh(words), spec => spec.Contains(option)));

    private static string Output(string program, params string[] arguments)
    {
        ProgramResult result = PublishedPrograms.Run(program, "x64", arguments);
        Assert.True(result.ExitCode == 0, result.Error);
        return result.Output;
    }

    /// <summary>What bash offers for the last word of a command line, and how it is told to complete names of files.</summary>
    private string[] Bash(params string[] words)
    {
        const string Complete = """
            source "$1"; shift
            compopt() { COMPREPLY+=("compopt $*"); } # the real one works only while a line is edited
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
            completion=($(complete -p "$1"))
            "${completion[2]}"
            ((${#COMPREPLY[@]} == 0)) || printf '%s\n' "${COMPREPLY[@]}"
            """;
        return Lines("bash", ["--norc", "-u", "-c", Complete, "bash", Save("script.bash", Output(words[0], "completion", "bash")), .. words]);
    }

    /// <summary>What fish offers at the end of a command line.</summary>
    private string[] Fish(string line)
    {
        Tools.Require("fish");
        string program = line.Split(' ')[0];
        return [.. Lines("fish", ["--no-config", "-c", "source $argv[1]; complete -C $argv[2]", Save("script.fish", Output(program, "completion", "fish")), line]).Select(row => row.Split('\t')[0])];
    }

    /// <summary>What zsh is told to offer for the last word of a command line, and the commands where they are offered.</summary>
    private string[] Zsh(params string[] words)
    {
        const string Complete = """
            compdef() { }
            _arguments() { print -rl -- "$@"; print -rl -- "command "${^subcommands} } # the real ones work only while a line is edited
            source $1; shift
            words=("$@") CURRENT=$#
            _$1
            """;
        Tools.Require("zsh");
        return Lines("zsh", ["-f", "-u", "-c", Complete, "zsh", Save("script.zsh", Output(words[0], "completion", "zsh")), .. words]);
    }

    private string[] Lines(string program, string[] arguments)
    {
        ProgramResult result = Tools.Run(program, arguments, start => start.WorkingDirectory = _folder);
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        return result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    private string Save(string name, string text)
    {
        string file = Path.Combine(_folder, name);
        File.WriteAllText(file, text);
        return file;
    }

    private static void AssertSilent(ProgramResult result) => Assert.Equal((0, "", ""), (result.ExitCode, result.Output, result.Error));

    private static string Section(string text, string begin, string end)
    {
        int at = text.IndexOf(begin, StringComparison.Ordinal);
        Assert.True(at >= 0, $"there is no {begin}");
        string rest = text[(at + begin.Length)..];
        return rest.Split(end)[0];
    }

    private static string Roff(string text) => text.Replace("-", "\\-");

    private static string WithoutEscapes(string markdown) => Regex.Replace(markdown, @"\\(.)", "$1");
}
