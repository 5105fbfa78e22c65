using System.Text.Json;
using QedEdge.Conversion;
using QedEdge.Tests.Text;

namespace QedEdge.Tests.Published;

/// <summary>Text and ids on the command line: vocabularies alone, special tokens as text, what JSON may hold.</summary>
public sealed class TextCommandTests : IDisposable
{
    private const string Unknown = "warning: the tokenizer does not know ";

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>A file without weights has all that is needed for text and ids.</summary>
    [Theory]
    [InlineData("gpt2", "15496,995")]
    [InlineData("mistral", "22557,1526")]
    public void AVocabularyAlone_Tokenizes(string name, string ids)
    {
        foreach (FileLayout layout in Enum.GetValues<FileLayout>())
        {
            using TokenizerFile file = TokenizerFile.Write(RealTokenizers.Data(name), layout);
            Assert.Equal(ids + "\n", Run("tokenize", "-m", file.Path, "Hello world"));
            Assert.Equal("Hello world\n", Run("detokenize", "-m", file.Path, ids));
        }
    }

    /// <summary>What is added is what the model's files say: QED's have both, GPT-2's neither.</summary>
    [Fact]
    public void Special_AddsWhatTheFilesSay()
    {
        using TokenizerFile file = TokenizerFile.Write(RealTokenizers.Data("gpt2"), FileLayout.Packed);
        Assert.Equal("15496,995\n", Run("tokenize", "-m", file.Path, "--special", "Hello world"));
        Assert.Equal($"1,{Run("tokenize", "a king").Trim()},2\n", Run("tokenize", "--special", "a king"));
    }

    /// <summary>RFC 8259 allows half of a surrogate pair; Hugging Face reads it as U+FFFD.</summary>
    [Fact]
    public void HalfOfASurrogatePair_IsAReplacementCharacter()
    {
        string lines = Path.Combine(_folder, "lines.jsonl");
        File.WriteAllText(lines, """{"text":"a\ud83dx \"\\\n\u00e9"}""" + "\n" + """{"text":"\udc00"}""" + "\n");
        using TokenizerFile file = TokenizerFile.Write(RealTokenizers.Data("gpt2"), FileLayout.Packed);
        string[] read = Run("tokenize", "-m", file.Path, "--jsonl", lines).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal($$"""{"ids":[{{Run("tokenize", "-m", file.Path, "a\uFFFDx \"\\\né").Trim()}}]}""", read[0]);
        Assert.Equal($$"""{"ids":[{{Run("tokenize", "-m", file.Path, "\uFFFD").Trim()}}]}""", read[1]);
    }

    [Fact]
    public void WhatTheTokenizerDoesNotKnow_IsWarnedOf()
    {
        Assert.Equal(Unknown + "1 part of the text: the model sees <unk> there\n", PublishedPrograms.Run("qed", "x64", "generate", "a @", "-n", "1").Error);
        Assert.Equal("", PublishedPrograms.Run("qed", "x64", "generate", "a king", "-n", "1").Error);
    }

    /// <summary>The text of a special token is that token, and with --plain it is text.</summary>
    [Fact]
    public void Plain_IsText_InEveryCommand()
    {
        const string text = "a king<eos> and";
        int parsed = Count(Run("tokenize", text)), plain = Count(Run("tokenize", "--plain", text));
        Assert.True(plain > parsed);
        foreach ((string[] options, int count) in new[] { (Array.Empty<string>(), parsed), (["--plain"], plain) })
        {
            using JsonDocument generated = JsonDocument.Parse(Run(["generate", text, "-n", "0", "--json", .. options]));
            Assert.Equal(count + 1, generated.RootElement.GetProperty("prompt_tokens").GetInt32()); // <bos>
            using JsonDocument scored = JsonDocument.Parse(Run(["score", text, "--json", .. options]));
            Assert.Equal(count, scored.RootElement.GetProperty("ids").GetArrayLength());
            string line = Path.Combine(_folder, "line.jsonl");
            File.WriteAllText(line, JsonSerializer.Serialize(new { prompt = text, max_tokens = 0, plain = options.Length > 0 }));
            using JsonDocument record = JsonDocument.Parse(Run("batch", "-i", line));
            Assert.Equal(count + 1, record.RootElement.GetProperty("prompt_tokens").GetInt32());
        }
        Assert.NotEqual(Run("choose", text, "--choice", " the", "--choice", " a"), Run("choose", text, "--choice", " the", "--choice", " a", "--plain"));

        static int Count(string ids) => ids.Split(',').Length;
    }

    private static string Run(params string[] arguments)
    {
        ProgramResult result = PublishedPrograms.Run("qed", "x64", arguments);
        Assert.Equal(0, result.ExitCode);
        Assert.All(result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries), line => Assert.StartsWith(Unknown, line)); // nothing else is said
        return result.Output;
    }
}
