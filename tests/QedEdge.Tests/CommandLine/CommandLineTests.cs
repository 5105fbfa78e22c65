using System.Text.RegularExpressions;
using QedEdge.CommandLine;

namespace QedEdge.Tests.CommandLine;

/// <summary>How words become options: every form that is taken, and what is said of those that are not.</summary>
public sealed class CommandLineTests
{
    private readonly Argument _text = new("TEXT") { Description = "A text" };
    private readonly TextOption _file = new("--file", "-f") { ValueName = "FILE", Description = "A file" };
    private readonly TextOption _kind = new("--kind") { Words = ["round", "square"], Default = "round", Description = "A kind" };
    private readonly TextsOption _stops = new("--stop") { Description = "A text" };
    private readonly IntegerOption _count = new("--count", "-n") { Default = 3, Description = "A count", Check = text => text == "13" ? "--count: not that" : null };
    private readonly NumberOption _heat = new("--heat") { Description = "A number" };
    private readonly SeedOption _seed = new("--seed", "-s") { Description = "A seed" };
    private readonly Flag _loud = new("--loud", "-l") { Description = "Whether" };
    private readonly Flag _last = new("--last") { Description = "Whether" };
    private readonly Command _root;

    private string _printed = "", _said = "", _found = "";

    public CommandLineTests()
    {
        var say = new Command("say", "Says it. More of it.\n\nExample: tool say x", _text, _file, _kind, _stops, _count, _heat, _seed, _loud, _last)
        {
            Action = parsed =>
            {
                _found = FormattableString.Invariant($"{parsed.GetValue(_text)}|{parsed.GetValue(_file)}|{parsed.GetValue(_kind)}|{string.Join(',', parsed.GetValue(_stops))}|{parsed.GetValue(_count)}|{parsed.GetValue(_heat)}|{parsed.GetValue(_seed)}|{parsed.GetValue(_loud)}");
                return 7;
            },
        };
        var must = new Command("must", "Needs all.", new Argument("NAME") { Words = ["x", "y"], Description = "A name", IsRequired = true }, new TextOption("--output", "-o") { ValueName = "DIR", Description = "A folder", IsRequired = true }) { Action = _ => 0 };
        _root = new Command("tool", "Does things.") { Commands = [say, must] };
    }

    [Theory]
    [InlineData("||round||3|||False")]
    [InlineData("x||round||3|||False", "x")]
    [InlineData("x|y|square|a,b|5|0.8|18446744073709551615|True", "x", "-f", "y", "--kind", "square", "--stop", "a", "--stop=b", "-n", "5", "--heat", "0.8", "-s", "18446744073709551615", "-l")]
    [InlineData("x|y|round||5|-0.001||False", "--file=y", "-n5", "--heat=-1e-3", "x")]
    [InlineData("x|y|round||-5|||True", "-fy", "-n=-5", "--loud", "x")]
    [InlineData("-5 degrees||round||3|||False", "-5 degrees")] // no option begins with a digit
    [InlineData("-||round||3|||False", "-")]
    [InlineData("||round|,--x=y,a=b|3|||False", "--stop=", "--stop=--x=y", "--stop", "a=b")]
    [InlineData("--loud||round||3|||False", "--", "--loud")]
    [InlineData("--||round||3|||True", "-l", "--", "--")]
    [InlineData("||round||3|||False", "--loud=false")]
    [InlineData("-.5||round||4|||True", "-n5", "-l", "-.5", "-n", "4", "-l")] // the last value holds
    public void Forms(string expected, params string[] words)
    {
        Assert.Equal(7, Run(["say", .. words]));
        Assert.Equal(expected, _found);
    }

    [Theory]
    [InlineData("a command is missing: say, must (see 'tool --help')", "--")]
    [InlineData("unknown command 'sayy'; did you mean 'say'? (see 'tool --help')", "sayy")]
    [InlineData("unknown command 'mus'; did you mean 'must'? (see 'tool --help')", "mus")]
    [InlineData("the command comes first: tool say (see 'tool --help')", "--", "say")]
    [InlineData("unknown command 'nothing'; commands: say, must (see 'tool --help')", "nothing")]
    [InlineData("unknown option '--lout'; did you mean '--loud'? (see 'tool say --help')", "say", "--lout")]
    [InlineData("unknown option '--heater'; did you mean '--heat'? (see 'tool say --help')", "say", "--heater=1")]
    [InlineData("unknown option '-x'; see --help, or put -- before text that begins with a dash (see 'tool say --help')", "say", "-x")]
    [InlineData("'y' is one argument too many; text with spaces stands in quotes (see 'tool say --help')", "say", "x", "y")]
    [InlineData("--count VALUE needs a value (see 'tool say --help')", "say", "-n")]
    [InlineData("--file FILE needs a value; where that is '--loud', write --file=--loud (see 'tool say --help')", "say", "-f", "--loud")]
    [InlineData("--count: 'many' is not a whole number, or too large (see 'tool say --help')", "say", "-n", "many")]
    [InlineData("--count: '99999999999' is not a whole number, or too large (see 'tool say --help')", "say", "-n", "99999999999")]
    [InlineData("--count: not that (see 'tool say --help')", "say", "-n", "13")]
    [InlineData("--heat: '0,8' is not a number; it is written 0.8 (see 'tool say --help')", "say", "--heat", "0,8")]
    [InlineData("--seed: '-1' is not a whole number from 0 to 18446744073709551615 (see 'tool say --help')", "say", "-s", "-1")]
    [InlineData("--kind takes round or square, not 'squar'; did you mean 'square'? (see 'tool say --help')", "say", "--kind", "squar")]
    [InlineData("--file needs a file name (see 'tool say --help')", "say", "-f", "")]
    [InlineData("--file FILE needs a value; where that is '--lout', write --file=--lout (see 'tool say --help')", "say", "-f", "--lout")]
    [InlineData("--file FILE needs a value; where that is '-n5', write --file=-n5 (see 'tool say --help')", "say", "-f", "-n5")]
    [InlineData("--stop VALUE needs a value; where that is '-h', write --stop=-h (see 'tool say --help')", "say", "--stop", "-h")]
    [InlineData("unknown option '-_'; see --help, or put -- before text that begins with a dash (see 'tool say --help')", "say", "-_")]
    [InlineData("'y' is one argument too many (see 'tool must --help')", "must", "x", "y", "-o", "d")]
    [InlineData("--heat: ' 1' is not a number; it is written 0.8 (see 'tool say --help')", "say", "--heat", " 1")]
    [InlineData("--loud: 'maybe' is not true or false; it needs neither (see 'tool say --help')", "say", "--loud=maybe")]
    [InlineData("--output DIR is missing (see 'tool must --help')", "must", "x")]
    [InlineData("NAME is missing (see 'tool must --help')", "must", "-o", "x")]
    [InlineData("NAME and --output DIR are missing (see 'tool must --help')", "must")]
    [InlineData("--output needs a folder name (see 'tool must --help')", "must", "x", "-o", "")]
    public void WhatIsWrong_IsSaid(string expected, params string[] words) => Assert.Equal(expected, Assert.Throws<UsageException>(() => Run(words)).Message);

    [Fact]
    public void Help_ComesBeforeAllMistakes()
    {
        foreach (string[] words in new string[][] { ["say", "--wrong", "-h"], ["say", "-?"], ["say", "x", "--help", "--file"], ["say", "--help=true"], ["help", "say"], ["--help", "say"], ["-h", "say", "more"] })
        {
            Assert.Equal(0, Run(words));
            Assert.Equal("""
                Says it. More of it.

                Usage: tool say [TEXT] [options]

                Arguments:
                  TEXT  A text

                Options:
                  -f, --file FILE      A file
                  --kind round|square  A kind [default: round]
                  --stop VALUE         A text
                  -n, --count VALUE    A count [default: 3]
                  --heat VALUE         A number
                  -s, --seed VALUE     A seed
                  -l, --loud           Whether
                  --last               Whether
                  -?, -h, --help       Show help and usage information

                Example:
                  tool say x

                """, _printed, ignoreLineEndingDifferences: true);
        }
        Assert.Equal(7, Run("say", "--", "--help"));
        Assert.Equal(0, Run("help"));
        Assert.Contains("\n  say   Says it\n  must  Needs all\n", _printed);
    }

    [Fact]
    public void WithoutACommand_HelpIsShown_AndItIsWrongUsage()
    {
        Assert.Equal(2, Run());
        Assert.Equal("", _printed);
        Assert.Contains("\n  say   Says it\n", _said);
        Assert.Equal(0, Run("--help"));
        Assert.Equal(_said, _printed);
    }

    /// <summary>No word is cut and no line longer than the terminal, however narrow.</summary>
    [Theory]
    [InlineData(50)]
    [InlineData(64)]
    [InlineData(80)]
    [InlineData(120)]
    public void Help_IsAsWideAsTheTerminal(int width)
    {
        string description = string.Join(' ', Enumerable.Range(0, 40).Select(i => new string((char)('a' + i % 26), 1 + i % 11)));
        var root = new Command("tool", description, new TextOption("--short", "-s") { Description = description }, new TextOption("--a-rather-long-name-of-one", "-l") { Words = ["one", "three", "seven"], Description = description }) { Action = _ => 0 };
        string page = "";
        Assert.Equal(0, CommandLineProgram.Run(root, "", ["-h"], new Screen(text => page = text, _ => { }, width)));
        Assert.InRange(page.Split('\n').Max(line => line.Length), width * 7 / 10, width);
        Assert.Equal(3, Regex.Matches(Regex.Replace(page, @"\s+", " "), Regex.Escape(description)).Count);
        Assert.Equal(80, new Screen(_ => { }, _ => { }).Width);
    }

    [Fact]
    public void AnArgumentCalledHelp_IsTaken_WhereAProgramNeedsNoCommand()
    {
        string name = "";
        var root = new Command("tool", "Does it.", _text, _file) { Action = parsed => (name = parsed.GetValue(_text)!).Length };
        Assert.Equal(4, CommandLineProgram.Run(root, "", ["help", "-f", "x"], Nowhere));
        Assert.Equal("help", name);
        Assert.Equal(0, CommandLineProgram.Run(root, "", ["help"], Nowhere));
    }

    [Fact]
    public void Version_IsPrinted()
    {
        Assert.Equal(0, Run("--version", "say"));
        Assert.Equal("1.2.3\n", _printed);
    }

    [Fact]
    public void WhatIsNotGiven_CanBeCompleted()
    {
        Assert.Equal(7, CommandLineProgram.Run(_root, "", ["say", "-n", "5"], Nowhere, parsed =>
        {
            Assert.True(parsed.Has(_count));
            Assert.False(parsed.Has(_heat));
            parsed.Add(_heat, "0.5");
        }));
        Assert.Equal("||round||5|0.5||False", _found);
    }

    private static Screen Nowhere { get; } = new(_ => { }, _ => { });

    private int Run(params string[] words) => CommandLineProgram.Run(_root, "1.2.3", words, new Screen(text => _printed = text, text => _said = text, 60));
}
