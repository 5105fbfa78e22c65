using System.Buffers;
using System.Text;
using Microsoft.ML.Tokenizers;
using QedEdge.Extensions.AI;
using Tokenizer = QedEdge.Text.Tokenizer;

namespace QedEdge.Tests.Text;

/// <summary>The tokenizer behind the interface of Microsoft.ML.Tokenizers.</summary>
public sealed class TokenizerPackageTests
{
    private const string Sample = "It's naïve: 你好 👍🏽 x=12\n\n  <eos><unk> end";

    [Fact]
    public void EncodeToIds_GivesTheSameIdsAsEncode()
    {
        Tokenizer tokenizer = TinyTokenizer.Create(unknown: true);
        var ids = new List<int>();
        tokenizer.Encode(Sample, ids);
        Assert.Equal(ids, tokenizer.AsMicrosoftTokenizer().EncodeToIds(Sample));
        Assert.Equal(ids.Count, tokenizer.AsMicrosoftTokenizer().CountTokens(Sample));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void EncodeToTokens_OffsetsCoverEachTokensText(bool unknown)
    {
        Tokenizer tokenizer = TinyTokenizer.Create(unknown);
        // Ω has no symbols: unknown tokens, or nothing, also right before a special token.
        const string text = "abΩ<eos>Ωab aΩ";
        IReadOnlyList<EncodedToken> tokens = tokenizer.AsMicrosoftTokenizer().EncodeToTokens(text, out _);
        int last = 0;
        foreach (EncodedToken token in tokens)
        {
            Assert.True(token.Offset.Start.Value >= last, "offsets go backwards");
            last = token.Offset.Start.Value;
            string covered = text[token.Offset];
            if (token.Id != tokenizer.UnkId)
                Assert.Equal(Encoding.UTF8.GetString(tokenizer.Piece(token.Id)), covered);
        }
        Assert.Equal("<eos>", text[tokens.Single(token => token.Id == tokenizer.EosId).Offset]);
    }

    /// <summary>Ids of every kind of tokenizer; places in the text of those that keep it.</summary>
    [Fact]
    public void ATokenizerThatNormalizes_GivesIdsButNoPlaces()
    {
        var tokenizer = new Tokenizer(RealTokenizers.Data("mistral")).AsMicrosoftTokenizer();
        Assert.Equal([22557, 1526], tokenizer.EncodeToIds("Hello world"));
        Assert.Equal("Hello world", tokenizer.Decode([22557, 1526]));
        Assert.Throws<NotSupportedException>(() => tokenizer.EncodeToTokens("Hello world", out _));
    }

    [Fact]
    public void GetIndexByTokenCount_CutsTheTextWhereItsTokensAreCut()
    {
        var tokenizer = TinyTokenizer.Create(unknown: true).AsMicrosoftTokenizer();
        const string text = "ab ab ab a";
        int all = tokenizer.CountTokens(text);
        for (int limit = 1; limit <= all; limit++)
        {
            int end = tokenizer.GetIndexByTokenCount(text, limit, out _, out int count);
            Assert.Equal(limit, count);
            Assert.Equal(tokenizer.EncodeToIds(text).Take(limit), tokenizer.EncodeToIds(text[..end]));
            int start = tokenizer.GetIndexByTokenCountFromEnd(text, limit, out _, out count);
            Assert.Equal(limit, count);
            Assert.Equal(tokenizer.EncodeToIds(text).Skip(all - limit), tokenizer.EncodeToIds(text[start..]));
        }
    }

    [Fact]
    public void Decode_IntoASpan_StopsAtWholeTokensAndGoesOn()
    {
        var tokenizer = TinyTokenizer.Create(unknown: true).AsMicrosoftTokenizer();
        int[] ids = [.. tokenizer.EncodeToIds("ab ab abab")];
        var text = new StringBuilder();
        var buffer = new char[4];
        for (int done = 0; ;)
        {
            OperationStatus status = tokenizer.Decode(ids[done..], buffer, out int consumed, out int written);
            text.Append(buffer, 0, written);
            done += consumed;
            if (status == OperationStatus.Done)
                break;
            Assert.Equal(OperationStatus.DestinationTooSmall, status);
            Assert.True(consumed > 0);
        }
        Assert.Equal("ab ab abab", text.ToString());
    }
}
