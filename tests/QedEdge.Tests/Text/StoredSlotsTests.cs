using System.Runtime.InteropServices;
using QedEdge.Conversion;
using QedEdge.Gguf;
using QedEdge.Text;

namespace QedEdge.Tests.Text;

/// <summary>Hash tables that are stored with a vocabulary and used where they lie: right ones find all, others can do no harm.</summary>
public sealed class StoredSlotsTests
{
    private static readonly string[] Keys = [GgufKeys.TokenSlots, GgufKeys.MergeSlots];

    [Fact]
    public void LargeVocabularies_HaveThem_SmallOnesDoNot()
    {
        foreach (string name in (string[])["gpt2", "stories260K"])
        {
            TokenizerData data = RealTokenizers.Data(name);
            using TokenizerFile packed = TokenizerFile.Write(data, FileLayout.Packed), plain = TokenizerFile.Write(data, FileLayout.Plain);
            Assert.All(Keys, key => Assert.Equal(data.Tokens.Count >= TokenizerConversion.FewestForSlots, packed.File.Metadata.Contains(key)));
            Assert.All(Keys, key => Assert.False(plain.File.Metadata.Contains(key)));
        }
    }

    [Fact]
    public void EveryTextAndEveryMerge_IsFound()
    {
        using TokenizerFile file = TokenizerFile.Write(RealTokenizers.Data("gpt2"), FileLayout.Packed);
        TokenizerData data = TokenizerMetadata.Read(file.File.Metadata, "gpt2")!;
        for (int id = 0; id < data.Tokens.Count; id++)
            Assert.Equal(id, data.Tokens.Find(data.Tokens.Text(id)));
        MergeTable.Lookup merges = data.Merges.Open();
        for (int rank = 0; rank < data.Merges.Count; rank++)
            Assert.Equal(rank, merges.Rank((int)data.Merges.Pairs[2 * rank], (int)data.Merges.Pairs[2 * rank + 1]));
    }

    /// <summary>Full tables, empty ones, random words, items that are not there: a search ends, and reads nothing outside.</summary>
    [Theory]
    [InlineData(0u)]
    [InlineData(uint.MaxValue)]
    [InlineData(1u)]
    [InlineData(7u)]
    public void HostileSlots_DoNoHarm(uint word)
    {
        var random = new Random(3);
        using TokenizerFile sound = TokenizerFile.Write(RealTokenizers.Data("gpt2"), FileLayout.Packed);
        using TokenizerFile hostile = sound.Changed((key, writer) =>
        {
            if (!Keys.Contains(key))
                return false;
            var slots = new uint[sound.File.Metadata.GetArray(key).Count];
            Array.Fill(slots, word);
            if (word == 7)
                random.NextBytes(MemoryMarshal.AsBytes(slots.AsSpan()));
            writer.Add(key, slots);
            return true;
        });
        Tokenizer tokenizer = Tokenizer.Open(hostile.File)!;
        foreach ((string text, _, _) in RealTokenizers.Cases("gpt2").Take(200))
        {
            var ids = new List<int>();
            tokenizer.Encode(text, ids);
            Assert.All(ids, id => Assert.InRange(id, 0, tokenizer.VocabSize - 1));
        }
    }

    [Theory]
    [InlineData(GgufKeys.TokenSlots)]
    [InlineData(GgufKeys.MergeSlots)]
    public void SlotsOfAnotherNumber_AreRefused(string changed)
    {
        using TokenizerFile sound = TokenizerFile.Write(RealTokenizers.Data("gpt2"), FileLayout.Packed);
        using TokenizerFile hostile = sound.Changed((key, writer) =>
        {
            if (key == changed)
                writer.Add(key, new uint[1 << 10]);
            return key == changed;
        });
        Assert.Equal(changed, Assert.Throws<ModelFormatException>(() => Tokenizer.Open(hostile.File)).Key);
    }

    /// <summary>A tokenizer whose file is closed says so: it does not read what is not there any more.</summary>
    [Fact]
    public async Task Dispose_WhileTextIsEncoded_EndsInAnError()
    {
        TokenizerData data = RealTokenizers.Data("gpt2");
        for (int round = 0; round < 5; round++)
        {
            using TokenizerFile file = TokenizerFile.Write(data, FileLayout.Packed);
            Tokenizer tokenizer = Tokenizer.Open(file.File)!;
            Task encoding = Task.Run(() =>
            {
                while (true)
                    tokenizer.Encode("some text that is encoded again and again, antidisestablishmentarianism", [], EncodeOptions.Plain);
            }, TestContext.Current.CancellationToken);
            await Task.Delay(5, TestContext.Current.CancellationToken);
            file.File.Dispose();
            await Assert.ThrowsAsync<ObjectDisposedException>(() => encoding);
            Assert.Throws<ObjectDisposedException>(() => tokenizer.Decode([1]));
        }
    }

    /// <summary>Words that are kept are those of the tokenizer, whatever was encoded before.</summary>
    [Fact]
    public void KeptWords_AreTheirOwn()
    {
        var tokenizer = new Tokenizer(RealTokenizers.Data("gpt2"));
        var random = new Random(1);
        for (int i = 0; i < 20_000; i++)
        {
            string word = new([.. Enumerable.Range(0, random.Next(1, 9)).Select(_ => (char)('a' + random.Next(4)))]);
            List<int> first = [], second = [];
            tokenizer.Encode(word, first);
            tokenizer.Encode(word, second);
            Assert.Equal(first, second);
            Assert.Equal(word, tokenizer.Decode(first.ToArray()));
        }
    }
}
