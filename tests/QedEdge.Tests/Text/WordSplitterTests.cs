using QedEdge.Text;

namespace QedEdge.Tests.Text;

public class WordSplitterTests
{
    /// <summary>Runs that are given back in small pieces: reading a run anew for each piece would take minutes.</summary>
    [Theory]
    [InlineData("7")]
    [InlineData("\u0301!")]
    [InlineData("😀!")]
    [InlineData(" 7")]
    [InlineData("x7٣")]
    public void LlamaDefault_AMegabyte_IsCutInOnePass(string unit)
    {
        TokenizerData data = RealTokenizers.Data("gpt2");
        var tokenizer = new Tokenizer(data with { Rules = data.Rules with { PreTokenizer = PreTokenizer.LlamaDefault } });
        string text = string.Concat(Enumerable.Repeat(unit, 1_000_000 / System.Text.Encoding.UTF8.GetByteCount(unit)));
        var ids = new List<int>();
        tokenizer.Encode(text, ids);
        Assert.Equal(text, tokenizer.Decode([.. ids]));
    }

    [Fact]
    public void LlamaDefault_TakesDigitsInThrees()
    {
        TokenizerData data = RealTokenizers.Data("gpt2");
        var tokenizer = new Tokenizer(data with { Rules = data.Rules with { PreTokenizer = PreTokenizer.LlamaDefault } });
        Assert.Equal(Pieces("123", "456", "78"), Pieces("12345678"));
        Assert.Equal(Pieces(" ", "123", "4"), Pieces(" 1234"));
        Assert.Equal(Pieces("a", "12", "٣", "456", "b"), Pieces("a12٣456b"));

        List<int> Pieces(params string[] words)
        {
            var ids = new List<int>();
            foreach (string word in words)
                tokenizer.Encode(word, ids);
            return ids;
        }
    }
}
