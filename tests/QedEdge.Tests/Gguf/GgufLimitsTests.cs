using QedEdge.Gguf;
using QedEdge.Model;
using QedEdge.Text;

namespace QedEdge.Tests.Gguf;

/// <summary>Each length that a model file gives, below, at and above its limit.</summary>
public sealed class GgufLimitsTests
{
    private const uint F32 = 0, Bool = 7, String = 8, Array = 9;

    [Theory, Limit(typeof(GgufLimits), nameof(GgufLimits.Entries))]
    public void Tensors(LimitTrial trial) => trial.Check(() =>
    {
        var bytes = new GgufBytes(tensors: (ulong)trial.Length);
        for (int i = 0; i < trial.Length; i++)
            bytes.Tensor($"{i:x}", F32, 0, 0);
        GgufSample.Open(bytes.ToArray()).Dispose();
    });

    [Theory, Limit(typeof(GgufLimits), nameof(GgufLimits.Entries))]
    public void MetadataEntries(LimitTrial trial) => trial.Check(() =>
    {
        var bytes = new GgufBytes(entries: (ulong)trial.Length);
        for (int i = 0; i < trial.Length; i++)
            bytes.Key($"{i:x}", Bool).Raw(1);
        GgufSample.Open(bytes.ToArray()).Dispose();
    });

    [Theory, Limit(typeof(GgufLimits), nameof(GgufLimits.KeyBytes))]
    public void BytesOfAKey(LimitTrial trial) => trial.Check(
        () => GgufSample.Open(new GgufBytes(entries: 1).Key(new string('k', trial.Count), Bool).Raw(1).ToArray()).Dispose(), $"length of {trial.Length}");

    [Theory, Limit(typeof(GgufLimits), nameof(GgufLimits.AllKeyBytes))]
    public void BytesOfAllKeys(LimitTrial trial) => trial.Check(() =>
    {
        const int each = 1 << 15, keys = GgufLimits.AllKeyBytes / each;
        var bytes = new GgufBytes(entries: keys);
        for (int i = 0; i < keys; i++)
            bytes.Key($"{i:d4}" + new string('k', each - 4 + (i == 0 ? (int)(trial.Length - trial.Most) : 0)), Bool).Raw(1);
        GgufSample.Open(bytes.ToArray()).Dispose();
    });

    [Theory, Limit(typeof(GgufLimits), nameof(GgufLimits.TextBytes))]
    public void BytesOfAText(LimitTrial trial)
    {
        using GgufFile file = GgufSample.Open(new GgufBytes(entries: 1).Key("k", String).Text(new string('t', trial.Count)).ToArray());
        trial.Check(() => Assert.Equal(trial.Count, file.Metadata.FindString("k")!.Length));
    }

    [Theory, Limit(typeof(GgufLimits), nameof(GgufLimits.ArrayDepth))]
    public void ArraysWithinArrays(LimitTrial trial) => trial.Check(() =>
    {
        var bytes = new GgufBytes(entries: 1).Key("k", Array);
        for (int i = 1; i < trial.Length; i++)
            bytes.U32(Array).U64(1);
        GgufSample.Open(bytes.U32(Bool).U64(1).Raw(1).ToArray()).Dispose();
    });

    [Theory, Limit(typeof(GgufLimits), nameof(GgufLimits.Alignment))]
    public void AnAlignment(LimitTrial trial)
    {
        // Of powers of two: the one below, the limit, the one above.
        uint alignment = (uint)(trial.Length < trial.Most ? trial.Most / 2 : trial.Length > trial.Most ? trial.Most * 2 : trial.Most);
        trial.Check(() => GgufSample.Open(new GgufBytes(entries: 1).Key(GgufKeys.Alignment, 4).U32(alignment).Data(0, (int)alignment).ToArray()).Dispose());
    }

    [Theory, Limit(typeof(GgufLimits), nameof(GgufLimits.TensorNameBytes))]
    public void BytesOfATensorsName(LimitTrial trial) => trial.Check(
        () => GgufSample.Open(new GgufBytes(tensors: 1).Tensor(new string('n', trial.Count), F32, 0, 0).ToArray()).Dispose(), $"length of {trial.Length}");

    [Theory, Limit(typeof(GgufLimits), nameof(GgufLimits.Dimensions))]
    public void DimensionsOfATensor(LimitTrial trial) => trial.Check(
        () => GgufSample.Open(new GgufBytes(tensors: 1).Tensor("t", F32, 0, [.. Enumerable.Repeat(1ul, trial.Count)]).Data(4).ToArray()).Dispose());

    [Theory]
    [Limit(typeof(GgufLimits), nameof(GgufLimits.Layers), GgufKeys.BlockCount)]
    [Limit(typeof(GgufLimits), nameof(GgufLimits.Size), GgufKeys.FeedForwardLength)]
    [Limit(typeof(GgufLimits), nameof(GgufLimits.Size), GgufKeys.VocabSize)]
    [Limit(typeof(GgufLimits), nameof(GgufLimits.Context), GgufKeys.ContextLength)]
    public void ASizeOfAModel(LimitTrial trial, string key)
    {
        var changes = new Dictionary<string, object?> { [key] = (uint)trial.Length };
        if (key == GgufKeys.VocabSize)
            changes[GgufKeys.Tokens] = changes[GgufKeys.TokenType] = null; // they give it too
        trial.Check(() => Read(changes));
    }

    [Theory]
    [Limit(typeof(GgufLimits), nameof(GgufLimits.Size), 2, Step = 4)] // by its number of heads, of two values each
    public void AWidth(LimitTrial trial, int headSize)
    {
        uint heads = (uint)(trial.Length / headSize);
        trial.Check(() => Read(Heads((uint)trial.Length, heads, (uint)headSize)));
    }

    [Theory, Limit(typeof(GgufLimits), nameof(GgufLimits.Size))]
    public void ANumberOfHeads(LimitTrial trial) => trial.CheckLengthAlone(() => Read(Heads(GgufLimits.Size, (uint)trial.Length, 2)), $"within 1 to {GgufLimits.Size}");

    [Theory, Limit(typeof(GgufLimits), nameof(GgufLimits.HeadSize), Step = 2)] // its values are turned in pairs
    public void ValuesOfAHead(LimitTrial trial) => trial.Check(() => Read(Heads((uint)(2 * trial.Length), 2, (uint)trial.Length)));

    [Theory, Limit(typeof(GgufLimits), nameof(GgufLimits.Size))]
    public void TokensOfAVocabulary(LimitTrial trial)
    {
        string[] tokens = [.. Enumerable.Range(0, trial.Count).Select(static i => $"{i:x}")];
        trial.Check(() => Tokenizer(tokens, [], GgufKeys.Merges));
    }

    [Theory, Limit(typeof(GgufLimits), nameof(GgufLimits.TokenBytes))]
    public void BytesOfAToken(LimitTrial trial) => trial.Check(() => Tokenizer(["a", new string('t', trial.Count)], [], GgufKeys.Merges));

    [Theory]
    [Limit(typeof(GgufLimits), nameof(GgufLimits.Merges), GgufKeys.Merges)]
    [Limit(typeof(GgufLimits), nameof(GgufLimits.Merges), GgufKeys.PackedMergeIds)]
    public void Merges(LimitTrial trial, string key) => trial.CheckLengthAlone(() => Tokenizer(["a", "b", "ab"], [.. Enumerable.Repeat("a b", trial.Count)], key));

    [Theory, Limit(typeof(GgufLimits), nameof(GgufLimits.ScoredTokenBytes))]
    public void BytesOfATokenWithAScore(LimitTrial trial) => trial.Check(() => Tokenizer(["a", new string('t', trial.Count)], [], GgufKeys.Scores));

    [Theory, Limit(typeof(GgufLimits), nameof(GgufLimits.EndTokens))]
    public void TokensThatEndAText(LimitTrial trial) => trial.Check(() => Read(new() { [GgufKeys.EndIds] = new uint[trial.Count] }));

    private static Dictionary<string, object?> Heads(uint width, uint heads, uint headSize) => new()
    {
        [GgufKeys.EmbeddingLength] = width,
        [GgufKeys.HeadCount] = heads,
        [GgufKeys.HeadCountKv] = heads,
        [GgufKeys.RopeDimensionCount] = headSize,
    };

    private static void Read(Dictionary<string, object?> changes)
    {
        using GgufFile file = GgufSample.Open(GgufSample.Qed(changes: changes));
        ModelConfig.Read(file);
    }

    /// <summary>Opens a tokenizer; of more merges than one, each is the same, which is refused after their number.</summary>
    private static void Tokenizer(string[] tokens, string[] merges, string key)
    {
        var changes = new Dictionary<string, object?>
        {
            [GgufKeys.TokenizerModel] = TokenizerMetadata.ByteLevelModel,
            [GgufKeys.TokenizerPre] = "gpt-2",
            [GgufKeys.Tokens] = tokens,
            [GgufKeys.TokenType] = tokens.Select(static _ => 1).ToArray(),
            [GgufKeys.BosTokenId] = null,
            [GgufKeys.EosTokenId] = null,
            [GgufKeys.PaddingTokenId] = null,
            [GgufKeys.AddBosToken] = null,
        };
        if (key == GgufKeys.Merges)
            changes[key] = merges;
        else if (key == GgufKeys.Scores)
        {
            changes[GgufKeys.TokenizerModel] = TokenizerMetadata.CodePointModel;
            changes[key] = new float[tokens.Length];
        }
        else
        {
            changes[GgufKeys.PackedMerges] = merges.SelectMany(static _ => new uint[] { 0, 1 }).ToArray();
            changes[key] = merges.Select(static _ => 2u).ToArray();
        }
        using GgufFile file = GgufSample.Open(GgufSample.Qed(changes: changes));
        Assert.NotNull(QedEdge.Text.Tokenizer.Open(file));
    }
}
