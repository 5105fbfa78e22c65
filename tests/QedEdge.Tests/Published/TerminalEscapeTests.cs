using System.Text;
using System.Text.RegularExpressions;

namespace QedEdge.Tests.Published;

/// <summary>A model, names of files and lines of input that try to command the terminal: there they are shown, and a pipe gets the bytes.</summary>
public sealed partial class TerminalEscapeTests : IDisposable
{
    private const string Evil = "\u001b]0;PWNED\a\u001b[2J\r\u009b31m\u202egnp", Shown = @"\u001b]0;PWNED\u0007\u001b[2J\u000d\u009b31m\u202egnp";
    private const string Hidden = @"\u202egnp"; // JSON has escaped the rest
    private const string Likely = "--logit-bias 0=1000 -n 1 --greedy";

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;
    private readonly string _model;

    public TerminalEscapeTests()
    {
        _model = Path.Combine(_folder, "n\u001b[31mm\u202e.gguf");
        File.WriteAllBytes(_model, ChangedSample.WithToken(Evil));
        File.WriteAllText(Path.Combine(_folder, "lines"), $"{{\"id\": \"\u202e\", \"prompt\": \"Once\"}}\n");
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(Shown, "qed", $"generate -m \"$M\" Once {Likely}")]
    [InlineData(Hidden, "qed", $"generate -m \"$M\" Once {Likely} --json")]
    [InlineData(Shown, "qed", $"generate -m \"$M\" \"$T\" --verbose-prompt -n 0")]
    [InlineData(Hidden, "qed", $"batch -m \"$M\" -i lines {Likely}")]
    [InlineData(Shown, "qed", "detokenize -m \"$M\" 0")]
    [InlineData(Hidden, "qed", "detokenize -m \"$M\" 0 --json")]
    [InlineData(Hidden, "qed", "tokenize -m \"$M\" \"$T\" --json")]
    [InlineData(Shown, "qed", "score -m \"$M\" \"$T\"")]
    [InlineData(Hidden, "qed", "score -m \"$M\" \"$T\" --json")]
    [InlineData(Shown, "qed", "choose -m \"$M\" Once --choice \"$T\" --choice b")]
    [InlineData(Hidden, "qed", "choose -m \"$M\" Once --choice \"$T\" --choice b --json")]
    [InlineData(@"n\u001b[31mm\u202e", "qed", "inspect -m \"$M\"")]
    [InlineData(@"\u202e.gguf", "qed", "inspect \"$M\" --json")]
    [InlineData(@"n\u001b[31mm\u202e", "qed", "verify -m \"$M\"")]
    [InlineData(@"n\u001b[31mm\u202e", "qed", "plan -m \"$M\"")]
    [InlineData(@"n\u001b[31mm\u202e", "qed", "bench -m \"$M\" -p 2 -n 0 -r 1 -v")]
    [InlineData(@"n\u001b[31mm\u202e", "qed", "perplexity -m \"$M\" -f lines -v")]
    [InlineData(@"n\u001b[31mm\u202e", "qed", "compare -m \"$M\" -m \"$M\" -f lines")]
    [InlineData(@"n\u001b[31mm\u202e", "qed", "bake Once -m \"$M\" -o \"$M.baked\"")]
    [InlineData(@"n\u001b[31mm\u202e", "qed", "verify \"$M.none\"")] // errors of the library have no control characters anywhere
    [InlineData(@"n\u001b[31mm\u202e", "qed", "generate --kv-type=\"$M\"")]
    [InlineData(@"n\u001b[31mm\u202e", "qed", "chat --load-session \"$M\"")]
    [InlineData(@"n\u001b[31mm\u202e", "qed-convert", "\"$M\" -o x.gguf")]
    [InlineData(@"n\u001b[31mm\u202e", "qed-convert", "repack \"$M\" -o \"$M.plain\" --layout plain")]
    [InlineData(@"n\u001b[31mm\u202e", "qed-convert", "--type=\"$M\"")]
    public void OnATerminal_NothingIsACommand(string expected, string program, string arguments)
    {
        string shown = OnTerminal(program, arguments);
        Assert.Contains(expected, shown);
        AssertTame(shown);
    }

    [Fact]
    public void Chat_OnATerminal_ShowsWhatAnAnswerHides()
    {
        string model = Path.Combine(_folder, "plain-name.gguf");
        File.Move(_model, model);
        string shown = TerminalTests.OnTerminal($"chat -m {model} {Likely}", ("> ", "hi\n"), ("gnp", ""), ("> ", "\x04"));
        Assert.Contains(Shown, shown);
        AssertTame(shown);
    }

    [Fact]
    public void APipe_GetsTheBytes()
    {
        string program = PublishedPrograms.File("qed", "x64");
        Assert.Equal(Evil + "\n", Tools.Run(program, ["generate", "-m", _model, "Once", .. Likely.Split(' ')]).Output);
        Assert.Equal(Evil + "\n", Tools.Run(program, ["detokenize", "-m", _model, "0"]).Output);
    }

    /// <summary>Our own movements of the cursor work still.</summary>
    [Fact]
    public void Progress_IsDrawn_AndTheConvertersTable()
    {
        string shown = OnTerminal("qed-convert", $"{TestData.TinyQed} -o \"$M.new\" --type f32");
        Assert.Contains(@"wrote " + _folder + @"/n\u001b[31mm\u202e.gguf.new", shown);
        Assert.Contains("\u001b[", shown); // the bar's
        Assert.DoesNotContain("\u001b[31mm", shown);
    }

    private string OnTerminal(string program, string arguments)
    {
        Tools.Require("script");
        return Tools.Run("script", ["-qec", $"{PublishedPrograms.File(program, "x64")} {arguments}", "/dev/null"], start =>
        {
            start.StandardOutputEncoding = Encoding.UTF8;
            start.WorkingDirectory = _folder;
            start.Environment["M"] = _model;
            start.Environment["T"] = Evil;
            start.Environment["NO_COLOR"] = "1";
        }).Output;
    }

    /// <summary>Nothing but text, line ends, and what our progress and the converter's bar draw.</summary>
    private static void AssertTame(string shown) =>
        Assert.DoesNotContain(Ours().Replace(shown, ""), c => (char.IsControl(c) && c is not ('\n' or '\t')) || c is '\u202e');

    [GeneratedRegex(@"\r|\e\[\?(1|25|2004)[hl]|\e[=>]|\e\[2K|\e\[\d*[ACJ]|\e\[(0|2|38;5;\d+)?m")]
    private static partial Regex Ours();
}
