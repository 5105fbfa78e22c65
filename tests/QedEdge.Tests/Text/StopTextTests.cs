using QedEdge.Generation;

namespace QedEdge.Tests.Text;

/// <summary>Stop texts that are special tokens: these leave no text in which they could be found.</summary>
public sealed class StopTextTests
{
    private const int Eos = 1, A = 2, Ab = 5;

    [Fact]
    public void TheTextOfASpecialToken_StandsForTheToken()
    {
        string shown = "";
        var text = new GeneratedText(TinyTokenizer.Create(unknown: true), ["<eos>"], piece => shown += piece.ToString());
        Assert.True(text.Append(A));
        Assert.False(text.IsStopped);
        Assert.False(text.Append(Eos));
        Assert.True(text.IsStopped);
        text.End();
        Assert.Equal("a", shown);
    }

    /// <summary>What might have become another stop text is shown: it has not.</summary>
    [Fact]
    public void WhatWasHeldBack_IsShown()
    {
        string shown = "";
        var text = new GeneratedText(TinyTokenizer.Create(unknown: true), ["aba", "<eos>"], piece => shown += piece.ToString());
        Assert.True(text.Append(Ab));
        Assert.False(text.Append(Eos));
        text.End();
        Assert.Equal("ab", shown);
    }

    [Fact]
    public void WithoutSuchAStop_ASpecialTokenIsPassed()
    {
        var text = new GeneratedText(TinyTokenizer.Create(unknown: true), ["eos", "a<eos>"], static _ => { });
        Assert.True(text.Append(A));
        Assert.True(text.Append(Eos));
    }
}
