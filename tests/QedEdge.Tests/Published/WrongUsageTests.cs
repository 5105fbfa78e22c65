namespace QedEdge.Tests.Published;

/// <summary>Command lines that cannot be meant: exit code 2, and one line that says what to change.</summary>
public sealed class WrongUsageTests
{
    [Theory]
    [InlineData("unknown command 'foo'", "foo")]
    [InlineData("unknown command 'Once upon'; did you mean: qed generate \"Once upon\"", "Once upon")]
    [InlineData("unknown command 'm.gguf'; did you mean: qed chat -m m.gguf", "m.gguf")]
    [InlineData("whole number", "generate", "x", "--seed", "-1")]
    [InlineData("a number", "generate", "x", "--temp", "hot")]
    [InlineData("f16 or q8_0, not 'q4'", "generate", "x", "--kv-type", "q4")]
    [InlineData("--model needs a file name", "generate", "-m", "", "x")]
    [InlineData("--file needs a file name", "generate", "-f", "")]
    [InlineData("--output needs a file name", "logits", "--tokens", "1", "-o", "")]
    [InlineData("--output takes a file, and no standard output; a file of that name is ./-", "logits", "--tokens", "1", "-o", "-")]
    [InlineData("--plot takes a file,", "bench", "--plot", "-")]
    [InlineData("--prompt-cache takes a file,", "generate", "x", "--prompt-cache", "-")]
    [InlineData("threads must be 1 to 256", "generate", "x", "-t", "0")]
    [InlineData("context size must be 1 to 1024", "generate", "x", "-c", "1025")]
    [InlineData("context size must be 1 to 1024", "inspect", "-c", "-5")]
    [InlineData("neon or neon-dp, not 'foo'", "generate", "x", "--isa", "foo")]
    [InlineData("outside the vocabulary", "generate", "--tokens", "99999", "--repeat-penalty", "1.1")]
    [InlineData("attention mask", "logits", "--tokens", "1,2", "--attention-mask", "1")]
    [InlineData("position ids", "logits", "--tokens", "1,2", "--position-ids", "0,1024")]
    [InlineData("--chunk must be 1 or more", "logits", "--tokens", "1", "--chunk", "0")]
    [InlineData("top-p must be above 0", "generate", "x", "--top-p", "0")]
    [InlineData("'forget'", "generate", "x", "--overflow", "forget")]
    [InlineData("--sinks goes with --overflow slide", "generate", "x", "--sinks", "2")]
    [InlineData("sinks must be 0 to 8 with a context size of 16", "generate", "x", "--overflow", "slide", "--sinks", "9", "-c", "16")]
    [InlineData("give the text once", "tokenize", "a", "--jsonl", "b")]
    [InlineData("give megabytes or gigabytes", "plan", "--ram", "3")]
    [InlineData("ends with .svg", "bench", "--plot", "b.png")]
    [InlineData("ends with .md or .json", "bench", "--report", "b.txt")]
    [InlineData("ends with .html", "score", "x", "--html", "page.svg")]
    [InlineData("temperature must be finite and not below 0, got -1", "generate", "x", "--temp", "-1")]
    [InlineData("outside the vocabulary", "detokenize", "99999")]
    public void IsSaidInOneLine(string expected, params string[] arguments)
    {
        ProgramResult result = PublishedPrograms.Run("qed", "x64", arguments);
        OneLine.AssertError(2, result);
        Assert.Contains(expected, result.Error);
        Assert.DoesNotContain("System.", result.Error);
    }

    [Fact]
    public void TextThatBeginsWithAt_IsText()
    {
        ProgramResult result = PublishedPrograms.Run("qed", "x64", "tokenize", "@alice");
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
    }

    [Theory]
    [InlineData("/dev/null")]
    [InlineData("/dev/stdout")]
    public void ADevice_IsNotReplaced(string device)
    {
        ProgramResult result = PublishedPrograms.Run("qed", "x64", "logits", "--tokens", "1", "-o", device);
        OneLine.AssertError(1, result);
    }
}
