using System.Text;
using QedEdge.Generation;
using QedEdge.Text;

namespace QedEdge.Tests.Text;

/// <summary>What is streamed of vocabularies with byte fallback, and the space that begins a text.</summary>
public sealed class StreamedRunsTests
{
    private readonly Tokenizer _tokenizer = new(RealTokenizers.Data("mistral"));

    /// <summary>A run of bytes is text if it is well-formed as a whole; what it began is not shown before it ends.</summary>
    [Theory]
    [InlineData("41,E4,BD,A0", "A你")]
    [InlineData("41,FF", "\uFFFD\uFFFD")]
    [InlineData("E4,BD", "\uFFFD\uFFFD")]
    [InlineData("F0,9F,91,8D,F0,9F", "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD")]
    public void ARun_IsHeldBackWhole(string bytes, string expected)
    {
        var decoder = new StreamingDecoder(_tokenizer);
        byte[] run = Convert.FromHexString(bytes.Replace(",", "", StringComparison.Ordinal));
        foreach (byte value in run)
            Assert.Equal(0, decoder.Append(ByteToken(value)).Length);
        Assert.Equal(run.Length, decoder.PendingBytes);
        Assert.Equal(0, decoder.Append(1).Length); // a special token, which is left out, ends no run
        Assert.Equal(expected + "x", decoder.Append(_tokenizer.Find("x"u8)).ToString());
        Assert.Equal(0, decoder.PendingBytes);
    }

    /// <summary>A run without an end is shown in parts, between characters, in memory that does not grow.</summary>
    [Fact]
    public void ALongRun_IsShownInParts()
    {
        string text = string.Concat(Enumerable.Range(0, 9000).Select(static i => i % 3 == 0 ? "é" : i % 3 == 1 ? "你" : "👍"));
        var decoder = new StreamingDecoder(_tokenizer);
        var shown = new StringBuilder();
        int most = 0, shows = 0;
        int[] ids = [.. Encoding.UTF8.GetBytes(text).Select(ByteToken)];
        foreach (int id in ids)
        {
            ReadOnlySpan<char> part = decoder.Append(id);
            Assert.False(!part.IsEmpty && char.IsHighSurrogate(part[^1]));
            shows += part.IsEmpty ? 0 : 1;
            shown.Append(part);
            most = Math.Max(most, decoder.PendingBytes);
        }
        Assert.Equal(text, shown.Append(decoder.Flush()).ToString());
        Assert.InRange(most, StreamingDecoder.LongestRun - 4, StreamingDecoder.LongestRun);
        Assert.Equal(Encoding.UTF8.GetByteCount(text) / StreamingDecoder.LongestRun, shows);
        Assert.Equal(text, _tokenizer.Decode(ids));
    }

    /// <summary>A text of its own loses the space that encoding put before it; one that goes on keeps it.</summary>
    [Fact]
    public void TheFirstSpace_IsKeptBehindOtherText()
    {
        var ids = new List<int>();
        _tokenizer.Encode("Hello world", ids);
        Assert.Equal("Hello world", _tokenizer.Decode(ids.ToArray()));
        Assert.Equal(" world", _tokenizer.Decode([ids[1]], continues: true));
        Assert.Equal("world", _tokenizer.Decode([ids[1]]));
        Assert.Equal(" world", Shown([1, ids[0]]));
        Assert.Equal("world", Shown([1])); // behind <s> alone a text begins
        Assert.Equal("world", Shown([]));

        string Shown(int[] follows)
        {
            string shown = "";
            var text = new GeneratedText(_tokenizer, [], piece => shown += piece.ToString(), follows);
            text.Append(ids[1]);
            text.End();
            return shown;
        }
    }

    private int ByteToken(byte value) => _tokenizer.Pieces.FindByte(value);
}
