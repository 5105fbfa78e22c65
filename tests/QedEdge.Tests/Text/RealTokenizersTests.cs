using System.Text;
using QedEdge.Conversion;
using QedEdge.Text;

namespace QedEdge.Tests.Text;

/// <summary>Published tokenizers give exactly what Hugging Face's own implementation gives, read from tokenizer.json and from the files written from it.</summary>
public sealed class RealTokenizersTests
{
    public static TheoryData<string> Names => [.. RealTokenizers.Names];

    [Theory]
    [MemberData(nameof(Names))]
    public void TokenizerJson_GivesHuggingFacesIdsAndTexts(string name) => Check(name, new Tokenizer(RealTokenizers.Data(name)));

    [Theory]
    [MemberData(nameof(Names))]
    public void WrittenFiles_GiveHuggingFacesIdsAndTexts(string name)
    {
        TokenizerData data = RealTokenizers.Data(name);
        foreach (FileLayout layout in Enum.GetValues<FileLayout>())
        {
            using TokenizerFile written = TokenizerFile.Write(data, layout);
            Check(name, Tokenizer.Open(written.File)!);
        }
    }

    /// <summary>What other tools write: nothing but their own keys. Merges that are scores, pipelines by their names.</summary>
    [Theory]
    [MemberData(nameof(Foreign))]
    public void FilesOfOtherTools_GiveTheSame(string name)
    {
        using TokenizerFile written = TokenizerFile.Write(RealTokenizers.Data(name), FileLayout.Plain);
        using TokenizerFile foreign = written.WithoutOurKeys();
        Check(name, Tokenizer.Open(foreign.File)!);
    }

    /// <summary>Tokens with white space (Phi-3), and a vocabulary without bytes (babyllama), have no names elsewhere.</summary>
    public static TheoryData<string> Foreign => [.. RealTokenizers.Names.Except(["phi3", "babyllama105"])];

    /// <summary>A token at a time gives what all at once give, and never half a character.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void Streaming_GivesTheSameText(string name)
    {
        var tokenizer = new Tokenizer(RealTokenizers.Data(name));
        var decoder = new StreamingDecoder(tokenizer, SpecialTokenText.Keep);
        foreach ((int[] ids, _, string expected) in RealTokenizers.Decoded(name))
        {
            var text = new StringBuilder();
            decoder.Reset();
            foreach (int id in ids.Where(id => id < tokenizer.VocabSize))
            {
                string shown = decoder.Append(id).ToString();
                Assert.False(shown.Length > 0 && char.IsHighSurrogate(shown[^1]), "half a character was shown");
                text.Append(shown);
            }
            Assert.Equal(expected, text.Append(decoder.Flush()).ToString());
        }
    }

    private static void Check(string name, Tokenizer tokenizer)
    {
        int texts = 0, lists = 0;
        var wrong = new List<string>();
        foreach ((string text, int[] ids, int[]? withSpecial) in RealTokenizers.Cases(name))
        {
            texts++;
            var actual = new List<int>();
            tokenizer.Encode(text, actual);
            if (!actual.SequenceEqual(ids))
                wrong.Add($"'{text}': [{string.Join(",", actual)}] instead of [{string.Join(",", ids)}]");
            if (withSpecial is not null && !WithSpecial(tokenizer, text).SequenceEqual(withSpecial))
                wrong.Add($"'{text}' with special tokens: [{string.Join(",", WithSpecial(tokenizer, text))}] instead of [{string.Join(",", withSpecial)}]");
        }
        foreach ((int[] ids, string text, string withSpecial) in RealTokenizers.Decoded(name))
        {
            lists++;
            int[] known = [.. ids.Where(id => id < tokenizer.VocabSize)]; // Hugging Face passes over the others
            if (tokenizer.Decode(known) != text || tokenizer.Decode(known, SpecialTokenText.Keep) != withSpecial)
                wrong.Add($"[{string.Join(",", ids)}]: '{tokenizer.Decode(known)}' or '{tokenizer.Decode(known, SpecialTokenText.Keep)}' instead of '{text}' and '{withSpecial}'");
        }
        Assert.True(texts > 800 && lists > 70, $"only {texts} texts and {lists} lists");
        Assert.True(wrong.Count == 0, $"{name}: {wrong.Count} of {texts} + {lists} differ: {string.Join("; ", wrong.Take(5))}");
    }

    /// <summary>What Hugging Face adds; a text that begins with the token that is added gets two there and one here.</summary>
    private static List<int> WithSpecial(Tokenizer tokenizer, string text)
    {
        var ids = new List<int>();
        tokenizer.Encode(text, ids);
        if (tokenizer.PromptOptions.HasFlag(EncodeOptions.AddBos))
            ids.Insert(0, tokenizer.BosId);
        return ids;
    }
}
