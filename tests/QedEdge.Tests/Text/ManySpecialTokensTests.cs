using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using QedEdge.Conversion;
using QedEdge.Text;

namespace QedEdge.Tests.Text;

/// <summary>Many special tokens: found as the definition says, leftmost and then longest, at a cost per place that hardly depends on how many there are.</summary>
public sealed class ManySpecialTokensTests
{
    /// <summary>Of few letters, so that many begin, end and contain each other.</summary>
    [Fact]
    public void Find_IsLeftmostLongest()
    {
        var random = new Random(20261130);
        for (int round = 0; round < 300; round++)
        {
            string[] special = [.. Texts(random, 1 + random.Next(12), 6).Distinct()];
            Tokenizer tokenizer = Create(special);
            var sorted = new SortedTexts(special);
            foreach (string text in Texts(random, 20, 30))
            {
                var expected = new List<string>();
                for (int at = 0; at < text.Length;)
                {
                    string? longest = special.Where(token => string.CompareOrdinal(text, at, token, 0, token.Length) == 0).MaxBy(static token => token.Length);
                    Assert.Equal(longest, sorted.LongestBeginning(text.AsSpan(at)));
                    expected.Add(longest ?? text.Substring(at, 1));
                    at += expected[^1].Length;
                }
                var ids = new List<int>();
                tokenizer.Encode(text, ids);
                Assert.Equal(expected, ids.Select(id => Encoding.UTF8.GetString(tokenizer.Piece(id))));
            }
        }
    }

    /// <summary>Those that are not normalized first, in the whole text; the others in what is left; white space that tokens take with them.</summary>
    [Fact]
    public void Encode_InTwoPasses_IsAsDefined()
    {
        var random = new Random(7);
        for (int round = 0; round < 500; round++)
        {
            string[] texts = [.. Texts(random, 4, 3).Distinct().Except(["x", "y", "z", " "])];
            JsonObject json = TinyTokenizer.Json();
            json["model"]!["vocab"] = new JsonObject { ["x"] = 0, ["y"] = 1, ["z"] = 2, ["Ġ"] = 3 };
            json["model"]!["merges"] = new JsonArray();
            json["model"]!["unk_token"] = null;
            json["added_tokens"] = new JsonArray();
            bool[][] flags = [.. texts.Select(_ => Enumerable.Range(0, 3).Select(_ => random.Next(3) == 0).ToArray())];
            for (int i = 0; i < texts.Length; i++)
                json["added_tokens"]!.AsArray().Add(new JsonObject { ["id"] = 4 + i, ["content"] = texts[i], ["special"] = true, ["normalized"] = flags[i][0], ["lstrip"] = flags[i][1], ["rstrip"] = flags[i][2] });
            var tokenizer = new Tokenizer(TinyTokenizer.Read(json.ToJsonString()));
            foreach (string text in Texts(random, 20, 20).Select(static text => text.Replace("zz", "  ", StringComparison.Ordinal)))
            {
                var expected = Pass(text, false).SelectMany(part => part.Id >= 0 ? [part.Id] : Pass(part.Text, true).SelectMany(inner => inner.Id >= 0 ? [inner.Id] : inner.Text.Select(static c => "xyz ".IndexOf(c))));
                var ids = new List<int>();
                tokenizer.Encode(text, ids);
                Assert.Equal(expected, ids);
            }

            IEnumerable<(int Id, string Text)> Pass(string text, bool normalized)
            {
                int begin = 0;
                for (int at = 0; at < text.Length;)
                {
                    int best = Enumerable.Range(0, texts.Length).Where(i => flags[i][0] == normalized && string.CompareOrdinal(text, at, texts[i], 0, texts[i].Length) == 0)
                        .OrderByDescending(i => texts[i].Length).FirstOrDefault(-1);
                    if (best < 0)
                    {
                        at++;
                        continue;
                    }
                    int from = at, to = at + texts[best].Length;
                    while (flags[best][1] && from > begin && text[from - 1] == ' ')
                        from--;
                    while (flags[best][2] && to < text.Length && text[to] == ' ')
                        to++;
                    if (from > begin)
                        yield return (-1, text[begin..from]);
                    yield return (4 + best, "");
                    (begin, at) = (to, at + texts[best].Length);
                }
                if (begin < text.Length)
                    yield return (-1, text[begin..]);
            }
        }
    }

    /// <summary>
    /// A vocabulary as large as may be, its tokens named by a second file, half of them normalized, encoded by both tokenizers: what took a step for each pair of
    /// them, let alone for three, would not end here.
    /// </summary>
    [Theory]
    [InlineData(16_000)]
    [InlineData(100_000)]
    public void Read_ManyAddedTokens_Ends(int count)
    {
        JsonObject json = TinyTokenizer.Json();
        JsonArray added = json["added_tokens"]!.AsArray();
        var names = new List<string>();
        for (int i = 0; i < count; i++)
        {
            names.Add((i % 2 == 0 ? "<|a" : "[|b") + i.ToString(CultureInfo.InvariantCulture) + (i % 2 == 0 ? "|>" : "|]"));
            added.Add(new JsonObject { ["id"] = 7 + i, ["content"] = names[i], ["special"] = true, ["normalized"] = i % 2 == 0 });
        }
        TokenizerData data = TinyTokenizer.Read(json.ToJsonString());
        TokenizerCrossCheck.Compare(data, TinyTokenizer.Path, string.Join(" a", names));
        var ids = new List<int>();
        new Tokenizer(data).Encode(string.Join("", names), ids);
        Assert.Equal(Enumerable.Range(7, count), ids);
    }

    private static IEnumerable<string> Texts(Random random, int count, int longest) =>
        Enumerable.Range(0, count).Select(_ => new string([.. Enumerable.Range(0, 1 + random.Next(longest)).Select(_ => "xyz"[random.Next(3)])]));

    /// <summary>A vocabulary of x, y and z as normal tokens where they are none of the special ones.</summary>
    private static Tokenizer Create(string[] special)
    {
        string[] texts = [.. special, .. new[] { "x", "y", "z" }.Except(special)];
        byte[] bytes = Encoding.UTF8.GetBytes(string.Concat(texts));
        int end = 0;
        int[] ends = [.. texts.Select(text => end += text.Length)];
        TokenType[] types = [.. texts.Select((_, i) => i < special.Length ? TokenType.UserDefined : TokenType.Normal)];
        return new Tokenizer(new TokenizerData
        {
            Tokens = new TokenTable(bytes, ends, types),
            Merges = new MergeTable(Array.Empty<uint>(), Array.Empty<uint>()),
            Rules = TokenizerRules.ByteLevel,
            Added = [.. Enumerable.Range(0, special.Length).Select(static id => new AddedToken(id))],
        });
    }
}
