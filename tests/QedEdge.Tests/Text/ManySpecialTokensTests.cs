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
                    bool longer = special.Any(token => token.Length > text.Length - at && token.StartsWith(text[at..], StringComparison.Ordinal));
                    Assert.Equal(longer, sorted.Longer(text.AsSpan(at)) is not null);
                    expected.Add(longest ?? text.Substring(at, 1));
                    at += expected[^1].Length;
                }
                var ids = new List<int>();
                tokenizer.Encode(text, ids);
                Assert.Equal(expected, ids.Select(id => Encoding.UTF8.GetString(tokenizer.Piece(id))));
            }
        }
    }

    /// <summary>Two ways in which tokens can overlap, and the check of all pairs one by one.</summary>
    [Fact]
    public void Read_OverlapsOfNormalizedTokens_AreFoundAsByComparingAllPairs()
    {
        var random = new Random(7);
        int refused = 0;
        for (int round = 0; round < 400; round++)
        {
            string[] texts = [.. Texts(random, 3, 5).Where(static text => text.Length > 1).Distinct()];
            bool[] normalized = [.. texts.Select(_ => random.Next(2) == 0)];
            bool overlap = texts.Where((_, i) => !normalized[i]).Any(one => texts.Where((_, i) => normalized[i]).Any(other => Overlap(one, other) || Overlap(other, one)));
            JsonObject json = TinyTokenizer.Json();
            for (int i = 0; i < texts.Length; i++)
                json["added_tokens"]!.AsArray().Add(new JsonObject { ["id"] = 7 + i, ["content"] = texts[i], ["special"] = true, ["normalized"] = normalized[i] });
            var error = Record.Exception(() => TinyTokenizer.Read(json.ToJsonString()));
            Assert.True(overlap == (error is ModelFormatException), $"{string.Join(' ', texts)}: {error?.Message}");
            refused += overlap ? 1 : 0;
        }
        Assert.InRange(refused, 50, 350);

        static bool Overlap(string a, string b) =>
            a.Contains(b, StringComparison.Ordinal) || Enumerable.Range(1, Math.Min(a.Length, b.Length)).Any(n => a.EndsWith(b[..n], StringComparison.Ordinal));
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
        return new Tokenizer(new TokenizerData { Tokens = new TokenTable(bytes, ends, types), Merges = new MergeTable([], []), PreTokenizer = PreTokenizer.Gpt2, UnkId = -1 });
    }
}
