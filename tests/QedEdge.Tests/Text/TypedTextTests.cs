using QedEdge.Text;

namespace QedEdge.Tests.Text;

/// <summary>A text of which a user typed parts: no special token comes of these, and nothing else changes.</summary>
public sealed class TypedTextTests
{
    private static readonly Tokenizer Tokenizer = TinyTokenizer.Create(unknown: true);

    [Theory]
    [InlineData("a<eos>b<eos>", 0, 0, "2,1,3,1")]
    [InlineData("a<eos>b<eos>", 0, 6, "2,0,0,0,0,0,3,1")]
    [InlineData("a<eos>b<eos>", 7, 12, "2,1,3,0,0,0,0,0")]
    [InlineData("a<eos>b", 3, 4, "2,0,0,0,0,0,3")] // a part of it is enough
    [InlineData("a<eos>b", 5, 6, "2,0,0,0,0,0,3")]
    [InlineData("a<eos>b", 0, 1, "2,1,3")]
    [InlineData("a<eos>b", 6, 7, "2,1,3")]
    public void ASpecialToken_IsNoneWhereAnyOfItWasTyped(string text, int begin, int end, string expected)
    {
        var ids = new List<int>();
        Tokenizer.Encode(text, [begin..end], ids);
        Assert.Equal(expected, string.Join(',', ids));
    }

    /// <summary>Every choice of parts: the ids are those of the text whose special tokens are parsed that no part touches; borders cut nothing.</summary>
    [Fact]
    public void Borders_CutNothing()
    {
        const string text = "ab ab\ud83d\ude00<eos>ab é";
        var whole = new List<int>();
        var plain = new List<int>();
        Tokenizer.Encode(text, whole);
        Tokenizer.Encode(text, plain, EncodeOptions.Plain);
        int first = text.IndexOf('<'), last = text.IndexOf('>') + 1;
        for (int begin = 0; begin <= text.Length; begin++)
        {
            for (int end = begin; end <= text.Length; end++)
            {
                var ids = new List<int>();
                Tokenizer.Encode(text, [begin..end], ids);
                Assert.Equal(begin < last && end > first && begin < end ? plain : whole, ids);
            }
        }
    }

    [Fact]
    public void SeveralParts_AreMarkedAlike()
    {
        var ids = new List<int>();
        Tokenizer.Encode("<eos>a<eos>b<eos>", [0..5, 11..^0], ids);
        Assert.Equal("0,0,0,0,0,2,1,3,0,0,0,0,0", string.Join(',', ids));
        Assert.Throws<ArgumentOutOfRangeException>(() => Tokenizer.Encode("abab", [1..3, 2..4], []));
        Assert.Throws<ArgumentOutOfRangeException>(() => Tokenizer.Encode("ab", [0..3], []));
    }

    [Theory]
    [InlineData("\ud83d\ude00", 1, 2, "1111")] // half a character
    [InlineData("\ud83d\ude00", 0, 1, "1111")]
    [InlineData("aéz", 1, 1, "0000")]
    public void Marks_AreOfWholeCharacters(string text, int begin, int end, string expected)
    {
        bool[] marks = MarkedText.Marks(text, [begin..end], System.Text.Encoding.UTF8.GetByteCount(text));
        Assert.Equal(expected, string.Concat(marks.Select(static mark => mark ? '1' : '0')));
    }

    /// <summary>An added token that is not special is found however the text came.</summary>
    [Fact]
    public void OtherAddedTokens_AreAlwaysFound()
    {
        var json = TinyTokenizer.Json();
        json["added_tokens"]!.AsArray().Add(new System.Text.Json.Nodes.JsonObject { ["id"] = 7, ["content"] = "<x>", ["special"] = false, ["normalized"] = false });
        var tokenizer = new Tokenizer(TinyTokenizer.Read(json.ToJsonString()));
        foreach (Range[] typed in (Range[][])[[], [0..6]])
        {
            var ids = new List<int>();
            tokenizer.Encode("a<x>ab", typed, ids, EncodeOptions.Plain);
            Assert.Equal([2, 7, 5], ids);
        }
    }
}
