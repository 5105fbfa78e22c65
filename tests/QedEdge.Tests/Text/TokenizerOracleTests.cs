using System.Text;
using System.Text.Json;
using QedEdge.Conversion;
using QedEdge.Text;

namespace QedEdge.Tests.Text;

/// <summary>Random texts, by Hugging Face's own implementation and by llama.cpp, which reads the files that are written for it.</summary>
public sealed class TokenizerOracleTests : IDisposable
{
    private const string Variable = "QED_NODE_LLAMA";
    private const int Count = 150;

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void RandomTexts_GiveHuggingFacesIds()
    {
        string modules = Modules("tokenizers");
        string[] names = [.. RealTokenizers.Names.Where(name => RealTokenizers.IsPresent(name))], texts = Texts(new Random(20261130));
        Dictionary<string, int[][]> expected = Run(modules, "huggingface", names, texts, name =>
        {
            string path = Path.Combine(_folder, name + ".json");
            File.WriteAllBytes(path, RealTokenizers.Json(name));
            return path;
        });
        foreach (string name in names)
        {
            var tokenizer = new Tokenizer(RealTokenizers.Data(name));
            for (int i = 0; i < texts.Length; i++)
                AssertSame(name, texts[i], expected[name][i], Encode(tokenizer, texts[i]));
        }
    }

    /// <summary>
    /// The plain layout, in llama.cpp: exactly the same where it has the whole pipeline (and text that is composed already, for it composes none). Of SentencePiece's kind it puts a space before the first
    /// text alone and not behind a token, so special tokens stand apart from the text there.
    /// </summary>
    [Fact]
    public void PlainFiles_AreTokenizedAlikeInLlama()
    {
        string modules = Modules("node-llama-cpp");
        string[] names = ["gpt2", "smollm2", "qwen3", "smollm3", "pythia", "mistral", "llama2", "default"];
        string[] texts = [.. Texts(new Random(7)).Where(static text => !text.Contains('<', StringComparison.Ordinal) && text.Length > 0 && Nfc.FirstActive(Encoding.UTF8.GetBytes(text)) < 0)];
        var files = new List<TokenizerFile>();
        try
        {
            Dictionary<string, int[][]> expected = Run(modules, "llama", names, texts, name =>
            {
                TokenizerData data = RealTokenizers.Data(name == "default" ? "gpt2" : name);
                files.Add(TokenizerFile.Write(name == "default" ? data with { Rules = data.Rules with { PreTokenizer = PreTokenizer.LlamaDefault } } : data, FileLayout.Plain));
                return files[^1].Path;
            });
            for (int n = 0; n < names.Length; n++)
            {
                Tokenizer tokenizer = Tokenizer.Open(files[n].File)!;
                for (int i = 0; i < texts.Length; i++)
                    AssertSame(names[n], texts[i], expected[names[n]][i], Encode(tokenizer, texts[i]));
            }
        }
        finally
        {
            files.ForEach(static file => file.Dispose());
        }
    }

    private static void AssertSame(string name, string text, int[] expected, List<int> actual) =>
        Assert.True(expected.SequenceEqual(actual), $"{name}, {JsonSerializer.Serialize(text)}: [{string.Join(",", actual)}] instead of [{string.Join(",", expected)}]");

    private static List<int> Encode(Tokenizer tokenizer, string text)
    {
        var ids = new List<int>();
        tokenizer.Encode(text, ids);
        return ids;
    }

    private Dictionary<string, int[][]> Run(string modules, string oracle, string[] names, string[] texts, Func<string, string> file)
    {
        string list = Path.Combine(_folder, "texts.json");
        File.WriteAllText(list, JsonSerializer.Serialize(texts));
        ProgramResult result = Tools.Run("node", [Path.Combine(TestData.Root, "tests", "oracle", "tokenizers.mjs"), modules, oracle, list, .. names.Select(file)]);
        Assert.True(result.ExitCode == 0, result.Error);
        int[][] rows = [.. result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static row => JsonSerializer.Deserialize<int[]>(row)!)];
        Assert.Equal(names.Length * texts.Length, rows.Length);
        return names.Select((name, i) => (name, rows[(i * texts.Length)..((i + 1) * texts.Length)])).ToDictionary(static pair => pair.name, static pair => pair.Item2);
    }

    private static string Modules(string package)
    {
        string modules = Environment.GetEnvironmentVariable(Variable) ?? "";
        Assert.SkipWhen(modules.Length == 0, $"{Variable} does not name a folder with {package}");
        Tools.Require("node", Path.Combine(modules, "node_modules", package));
        return modules;
    }

    /// <summary>Pieces that tokenizers treat differently, in any order.</summary>
    private static string[] Texts(Random random)
    {
        string[] pieces =
        [
            " ", "  ", "   ", "\n", "\n\n", "\t", "\r\n", "\u00a0", "\u3000", "a", "the", " the", "The", "ing", "'s", "'S", "'re", "'LL", "don't", "1", "12", "1234567", "٣", "½", ".", ",", "...", "!?", "()", "{};", "-", "_", "=>",
            "é", "e\u0301", "ö", "ﬁ", "가", "\u1100\u1161", "ก็", "你好", "世界", "こんにちは", "мир", "שלום", "مرحبا", "👍🏽", "👩‍👩‍👧", "🇩🇪", "𝐀", "\u0000", "\u007f", "\u200b", "\ufeff", "\ufffd", "▁", "▁▁", "Ġ", "Å", "\u212b", "<s>", "</s>",
            "<|endoftext|>", "<|im_start|>", "<|end|>", "<bos>", "<0x41>", "<think>", "http://x.y/z?a=1", "if (x) {\n\t\treturn;\n}\n", "naïve", "STRASSE", "ſ", "'ſ", " việc",
        ];
        return [.. Enumerable.Range(0, Count).Select(_ => string.Concat(Enumerable.Range(0, random.Next(0, 14)).Select(_ => pieces[random.Next(pieces.Length)])))];
    }
}
