using QedEdge.Gguf;
using QedEdge.Tests.Gguf;
using QedEdge.Text;

namespace QedEdge.Tests.Text;

/// <summary>A model file's tokenizer metadata with one thing wrong: the error names the key.</summary>
public sealed class TokenizerMetadataTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public static TheoryData<string, object?> Damages => new()
    {
        { GgufKeys.TokenizerModel, "bert" },
        { GgufKeys.TokenizerPre, null },
        { GgufKeys.TokenizerPre, "falcon" },
        { GgufKeys.Tokens, null },
        { GgufKeys.Tokens, Array.Empty<string>() },
        { GgufKeys.Tokens, new[] { "<eos>", "a", "b", "" } },
        { GgufKeys.Tokens, new[] { "<eos>", "a", "a", "ab" } },
        { GgufKeys.Tokens, new[] { "<eos>", "a", "b", new string('x', GgufLimits.TokenBytes + 1) } },
        { GgufKeys.Tokens, new uint[] { 1, 2, 3, 4 } },
        { GgufKeys.TokenType, null },
        { GgufKeys.TokenType, new[] { 3, 1, 1 } },
        { GgufKeys.TokenType, new[] { 3, 1, 1, 0 } },
        { GgufKeys.TokenType, new[] { 3, 1, 1, 7 } },
        { GgufKeys.TokenType, new uint[] { 3, 1, 1, 1 } },
        { GgufKeys.Merges, null },
        { GgufKeys.Merges, new[] { "ab" } },
        { GgufKeys.Merges, new[] { "a  b" } },
        { GgufKeys.Merges, new[] { "a b " } },
        { GgufKeys.Merges, new[] { "a c" } },
        { GgufKeys.Merges, new[] { "b a" } },
        { GgufKeys.Merges, new[] { "a b", "a b" } },
        { GgufKeys.PackedMerges, new uint[] { 1, 4 } },
        { GgufKeys.PackedMerges, new uint[] { 1, 2, 1 } },
        { GgufKeys.PackedMerges, new[] { 1, 2 } },
        { GgufKeys.PackedMergeIds, new uint[] { 4 } },
        { GgufKeys.PackedMergeIds, new uint[] { 3, 3 } },
        { GgufKeys.BosTokenId, 4u },
        { GgufKeys.EosTokenId, 4u },
        { GgufKeys.PaddingTokenId, uint.MaxValue },
        { GgufKeys.UnknownTokenId, 4u },
        { GgufKeys.UnknownTokenId, "0" },
        { GgufKeys.AddBosToken, true },
        { GgufKeys.AddBosToken, 1u },
        { GgufKeys.ChatTemplate, 1u },
        { GgufKeys.Normalizer, "nfkc" },
        { GgufKeys.Normalizer, 1u },
        { GgufKeys.IgnoreMerges, 1u },
        { GgufKeys.ByteFallback, "true" },
        { GgufKeys.TokenSlots, new uint[] { 1, 2, 3 } },
        { GgufKeys.TokenSlots, new[] { 1, 2, 3 } },
    };

    /// <summary>Added tokens that are none, flags for others; scores that are none or too few.</summary>
    [Theory]
    [InlineData(new uint[] { 0, 4 }, new uint[] { 0, 0 }, GgufKeys.AddedIds)]
    [InlineData(new uint[] { 1 }, new uint[] { 0 }, GgufKeys.AddedIds)]
    [InlineData(new uint[] { 0 }, new uint[] { 0, 1 }, GgufKeys.AddedFlags)]
    public void Open_AddedTokensThatDoNotFit_AreNamed(uint[] ids, uint[] flags, string key)
    {
        Dictionary<string, object?> entries = Sound();
        (entries[GgufKeys.AddedIds], entries[GgufKeys.AddedFlags]) = (ids, flags);
        using GgufFile file = Write(entries);
        Assert.Equal(key, Assert.Throws<ModelFormatException>(() => Tokenizer.Open(file)).Key);
    }

    [Theory]
    [InlineData(new[] { 0f, 1f, 2f })]
    [InlineData(new[] { 0f, 1f, 2f, float.NaN })]
    public void Open_ScoresThatDoNotFit_AreNamed(float[] scores)
    {
        Dictionary<string, object?> entries = Sound();
        entries[GgufKeys.TokenizerModel] = TokenizerMetadata.CodePointModel;
        entries[GgufKeys.Scores] = scores;
        using GgufFile file = Write(entries);
        Assert.Equal(GgufKeys.Scores, Assert.Throws<ModelFormatException>(() => Tokenizer.Open(file)).Key);
    }

    /// <summary>Of pairs that make one token the leftmost is joined, whatever their order.</summary>
    [Fact]
    public void Scores_OfOneToken_JoinTheLeftmost()
    {
        Dictionary<string, object?> entries = Sound();
        entries.Remove(GgufKeys.Merges);
        entries[GgufKeys.TokenizerModel] = TokenizerMetadata.CodePointModel;
        entries[GgufKeys.AddSpacePrefix] = false;
        entries[GgufKeys.Tokens] = new[] { "<eos>", "a", "aa", "aaa" };
        entries[GgufKeys.Scores] = new[] { 0f, 0f, -1f, -2f };
        using GgufFile file = Write(entries);
        var ids = new List<int>();
        Tokenizer.Open(file)!.Encode("aaaaa", ids);
        Assert.Equal([2, 3], ids);
    }

    [Theory]
    [MemberData(nameof(Damages))]
    public void Open_DamagedKey_IsNamed(string key, object? value)
    {
        Dictionary<string, object?> entries = Sound();
        if (key is GgufKeys.PackedMerges or GgufKeys.PackedMergeIds)
        {
            entries.Remove(GgufKeys.Merges);
            entries[GgufKeys.PackedMerges] = new uint[] { 1, 2 };
            entries[GgufKeys.PackedMergeIds] = new uint[] { 3 };
        }
        entries[key] = value;
        using GgufFile file = Write(entries);
        var error = Assert.Throws<ModelFormatException>(() => Tokenizer.Open(file));
        Assert.StartsWith("tokenizer.", error.Key!.Replace("qed.", "", StringComparison.Ordinal), StringComparison.Ordinal);
        string family = key is GgufKeys.PackedMerges or GgufKeys.PackedMergeIds ? "qed.tokenizer.merge" : key;
        Assert.StartsWith(family, error.Key, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_Sound_EncodesAndDecodes()
    {
        using GgufFile file = Write(Sound());
        Tokenizer tokenizer = Tokenizer.Open(file)!;
        var ids = new List<int>();
        tokenizer.Encode("abba<eos>", ids, EncodeOptions.ParseSpecial | EncodeOptions.AddEos);
        Assert.Equal([3, 2, 1, 0, 0], ids);
        Assert.Equal("abba", tokenizer.Decode(ids.ToArray()));
        Assert.Equal("abba<eos><eos>", tokenizer.Decode(ids.ToArray(), SpecialTokenText.Keep));
        Assert.Equal(3, tokenizer.Find("ab"u8));
        Assert.Equal(-1, tokenizer.Find("c"u8));
        Assert.Throws<InvalidOptionException>(() => tokenizer.Decode([4]));
        Assert.Throws<QedException>(() => tokenizer.Encode("a", ids, EncodeOptions.AddBos));
    }

    [Fact]
    public void Open_PlainText_DoesNotParseSpecials()
    {
        using GgufFile file = Write(Sound());
        var ids = new List<int>();
        Tokenizer.Open(file)!.Encode("a<eos>b"u8, ids, EncodeOptions.Plain);
        // The other symbols are not in the vocabulary; they vanish, and a and b are in different words.
        Assert.Equal([1, 2], ids);
    }

    [Fact]
    public void Open_WithoutATokenizer_GivesNull()
    {
        using GgufFile file = Write([]);
        Assert.Null(Tokenizer.Open(file));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static Dictionary<string, object?> Sound() => new()
    {
        [GgufKeys.TokenizerModel] = TokenizerMetadata.ByteLevelModel,
        [GgufKeys.TokenizerPre] = "gpt-2",
        [GgufKeys.Tokens] = new[] { "<eos>", "a", "b", "ab" },
        [GgufKeys.TokenType] = new[] { 3, 1, 1, 1 },
        [GgufKeys.Merges] = new[] { "a b" },
        [GgufKeys.EosTokenId] = 0u,
    };

    private GgufFile Write(Dictionary<string, object?> entries)
    {
        var writer = new GgufWriter();
        writer.Add(GgufKeys.Architecture, "qed");
        foreach ((string key, object? value) in entries)
            GgufSample.Add(writer, key, value);
        string path = Path.Combine(_folder, "a.gguf");
        using (FileStream stream = File.Create(path))
        {
            writer.Begin(stream);
            writer.End();
        }
        return GgufFile.Open(path);
    }
}
