using System.Diagnostics;
using System.Text;

namespace QedEdge.Tests.Published;

/// <summary>Where a prompt comes from: the command line, a pipe, a baked model file; and what of it counts.</summary>
public sealed class PromptSourceTests : IDisposable
{
    private static readonly string[] Few = ["-n", "12", "--seed", "1"];

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("The king was very angry", "The king was very angry\n")]
    [InlineData("The king was very angry", "\uFEFFThe king was very angry\r\n")]
    [InlineData("two\n\nlines\n", "two\n\nlines\n\n")]
    public void APipe_IsThePrompt_OfEveryCommandThatTakesOne(string text, string piped)
    {
        string[][] commands = [["generate", .. Few], ["score"], ["choose", "--choice", " a", "--choice", " b"], ["tokenize"]];
        foreach (string[] command in commands)
        {
            ProgramResult expected = Piped("", [.. command, text]);
            Assert.Equal((0, ""), (expected.ExitCode, expected.Error));
            Assert.Equal(expected, Piped(piped, command));
            Assert.Equal(expected, Piped(piped, [.. command, "-"]));
        }
        Piped(piped, "bake", "-o", Path.Combine(_folder, "piped.gguf"));
        Piped("", "bake", text, "-o", Path.Combine(_folder, "given.gguf"));
        Assert.Equal(File.ReadAllBytes(Path.Combine(_folder, "given.gguf")), File.ReadAllBytes(Path.Combine(_folder, "piped.gguf")));
    }

    /// <summary>What is given goes before what is piped, and an empty pipe is none.</summary>
    [Fact]
    public void WithoutAPrompt_ATextBeginsFromNothing_AndOtherCommandsAskForOne()
    {
        ProgramResult nothing = Piped("", ["generate", .. Few]);
        Assert.Equal(Piped("", ["generate", "", .. Few]), nothing);
        Assert.Equal(nothing, Piped("Once", ["generate", "", .. Few]));
        Assert.NotEqual(nothing, Piped("Once", ["generate", .. Few]));
        Assert.Equal(nothing, Shell($"generate {string.Join(' ', Few)} < /dev/null"));
        Assert.Equal(nothing, Shell($"generate {string.Join(' ', Few)} <&-"));
        OneLine.AssertError(2, Shell("generate < /")); // what cannot be read is no empty pipe
        foreach ((string expected, string[] command) in new[] { ("give a text", new[] { "score" }), ("give a prompt", ["choose", "--choice", "a"]), ("give either what to bake", ["bake", "-o", Path.Combine(_folder, "x")]), ("the text is empty", ["score", ""]) })
        {
            ProgramResult refused = Piped("", command);
            OneLine.AssertError(2, refused);
            Assert.Contains(expected, refused.Error);
        }
    }

    [Fact]
    public void ABakedModel_BeginsWithWhatWasBaked()
    {
        string baked = Path.Combine(_folder, "village.gguf");
        const string prompt = "Once upon a time, in a village by the sea,";
        Assert.Contains("without a prompt", Piped("", "bake", prompt, "-o", baked).Error);
        ProgramResult expected = Piped("", ["generate", prompt, .. Few]);
        Assert.Equal(expected, Piped("", ["generate", "-m", baked, .. Few]));
        Assert.Equal(expected, Piped(prompt + "\n", ["generate", "-m", baked, .. Few]));
        Assert.Equal(Piped("", ["generate", "", .. Few]), Piped("", ["generate", "-m", baked, "", .. Few]));
    }

    /// <summary>The token that begins a text stands there once, whoever writes it.</summary>
    [Theory]
    [InlineData("generate", "-n", "3", "--greedy")]
    [InlineData("score")]
    [InlineData("choose", "--choice", " a")]
    public void ABeginTokenThatIsTyped_IsNotDoubled(params string[] command)
    {
        ProgramResult once = Piped("", [.. command, "The king"]), typed = Piped("", [.. command, "<bos>The king"]);
        Assert.Equal(once.Output, typed.Output);
        Assert.Equal("", once.Error);
        Assert.StartsWith("warning: the text begins with <bos>", typed.Error);
        Assert.Equal("1,177,340\n", Piped("", "tokenize", "--special", "<bos>The king").Output.Replace(",2\n", "\n"));
        Assert.Equal("1,1,177,340\n", Piped("", "tokenize", "<bos><bos>The king").Output);
    }

    private static ProgramResult Piped(string input, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(PublishedPrograms.File("qed", "x64"), arguments)
        { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, StandardOutputEncoding = Encoding.UTF8, StandardInputEncoding = new UTF8Encoding(false) })!;
        Task<string> error = process.StandardError.ReadToEndAsync(), output = process.StandardOutput.ReadToEndAsync();
        try
        {
            process.StandardInput.Write(input);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It wanted no input.
        }
        process.WaitForExit();
        return new ProgramResult(process.ExitCode, output.Result, error.Result);
    }

    private static ProgramResult Shell(string command) => Tools.Run("bash", ["-c", $"{PublishedPrograms.File("qed", "x64")} {command}"]);
}
