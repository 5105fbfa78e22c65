using CsCheck;
using QedEdge.Architectures;
using QedEdge.Conversion;
using QedEdge.Quantization;

namespace QedEdge.Tests.Model;

/// <summary>A random model's shape; its weights follow from <see cref="Seed"/>.</summary>
internal sealed record RandomShape(int Layers, int Heads, int HeadSize, int Inner, int Vocab, bool Bias, bool Tied, float Theta, float Deviation, uint Seed)
{
    /// <summary>Positions that a token may be given.</summary>
    public const int Context = 1 << 20;

    /// <summary>Small models; widths such as 24, 40, 48 and 96 among them, most of them no multiple of 32.</summary>
    public static Gen<RandomShape> Any { get; } =
        from layers in Gen.Int[1, 3]
        from heads in Gen.Int[1, 3]
        from headSize in Gen.OneOfConst(2, 6, 8, 16, 24, 32, 40, 48)
        from inner in Gen.Int[1, 100]
        from vocab in Gen.Int[2, 80]
        from flags in Gen.Int[0, 3]
        from theta in Gen.OneOfConst(10_000f, 50_000f, 1_000_000f, 100f, 2.5f)
        from deviation in Gen.OneOfConst(0.02f, 0.06f, 0.12f)
        from seed in Gen.UInt
        select new RandomShape(layers, heads, headSize, inner, vocab, (flags & 1) != 0, (flags & 2) != 0, theta, deviation, seed);

    /// <summary>Writes the model's file and returns its path.</summary>
    public string Write(string folder, BlockFormat format, FileLayout layout = FileLayout.Packed)
    {
        string config = Path.Combine(folder, "config.json"), path = Path.Combine(folder, $"{format}-{layout}.gguf");
        File.WriteAllText(config, $$"""
            {
              "model_type": "qed", "vocab_size": {{Vocab}}, "max_seq_len": {{Context}}, "d_model": {{Heads * HeadSize}}, "n_layers": {{Layers}}, "n_heads": {{Heads}},
              "ffn_hidden_dim": {{Inner}}, "rope_theta": {{Theta}}, "rms_norm_eps": 1e-05, "initializer_range": {{Deviation}},
              "tie_word_embeddings": {{(Tied ? "true" : "false")}}, "bias": {{(Bias ? "true" : "false")}}
            }
            """);
        RandomCheckpoint.Write(config, folder, Seed, CheckpointType.F32, overwrite: true);
        CheckpointConverter.Convert(folder, path, new ConversionOptions { Type = format, EmbeddingType = format, Layout = layout, Threads = 1, Overwrite = true });
        return path;
    }
}

/// <summary>One sequence of a batch.</summary>
/// <param name="Ids">Token ids; beyond the vocabulary they wrap around.</param>
/// <param name="MaskedFrom">For each token the feed from which on it is masked: 0 always, a later one for a mask that changes its mind, <see cref="Never"/>.</param>
/// <param name="Positions">Position ids, or null for the default.</param>
internal sealed record RandomRow(int[] Ids, int[] MaskedFrom, int[]? Positions)
{
    public const int Never = 99;

    /// <summary>Whether any token is ever masked.</summary>
    public bool Masked => MaskedFrom.Any(from => from != Never);

    /// <summary>The attention mask of a feed over the first <paramref name="length"/> tokens.</summary>
    public byte[] Mask(int feed, int length) => [.. MaskedFrom.Take(length).Select(from => (byte)(feed < from ? 1 : 0))];

    public override string ToString() => $"{Ids.Length} ids [{Text(Ids)}], masked from feed [{Text(MaskedFrom)}]" + (Positions is null ? "" : $", positions [{Text(Positions)}]");

    /// <summary>Runs of equal values once and counted, of a long list the beginning.</summary>
    private static string Text(int[] values)
    {
        var parts = new List<string>();
        for (int i = 0, next; i < values.Length && parts.Count < 40; i = next)
        {
            for (next = i + 1; next < values.Length && values[next] == values[i]; next++)
            {
            }
            parts.Add($"{(values[i] == Never ? "never" : values[i])}{(next - i > 1 ? $" x{next - i}" : "")}");
        }
        return string.Join(", ", parts);
    }
}

/// <summary>How a session takes a sequence; none of it may change a bit.</summary>
internal sealed record RandomHandling(int Chunk, int Threads, bool OnlyLast, bool Detour)
{
    public static Gen<RandomHandling> Any { get; } =
        from chunk in Gen.OneOf(Gen.Const(0), Gen.Int[1, 9], Gen.Int[10, 200])
        from threads in Gen.Int[1, 3]
        from flags in Gen.Int[0, 7]
        select new RandomHandling(chunk, threads, flags is 1 or 2, flags is 2 or 3);
}

/// <summary>A model and what is fed to it.</summary>
/// <param name="Model">The model.</param>
/// <param name="Rows">A batch: sequences of one length.</param>
/// <param name="Cuts">Where a feed ends and the next begins, ascending; equal ones make an empty feed.</param>
/// <param name="Handlings">Ways to run it.</param>
internal sealed record RandomRun(RandomModel Model, RandomRow[] Rows, int[] Cuts, RandomHandling[] Handlings)
{
    /// <summary>Short runs for the most part; some long enough for several batches and several chunks of attention.</summary>
    public static Gen<RandomRun> Any { get; } =
        from model in RandomModel.Any
        from length in Gen.Frequency((60, Gen.Int[1, 24]), (4, Gen.Int[120, 140]), (2, Gen.Int[250, 270]), (1, Gen.Int[510, 530]))
        from rows in Row(model.Architecture, length).Array[1, length < 100 ? 2 : 1]
        from cuts in Gen.Int[0, length].Array[0, 3]
        from handlings in RandomHandling.Any.Array[2]
        select new RandomRun(model, rows, [.. cuts.Order()], handlings);

    /// <summary>The ends of the feeds.</summary>
    public int[] Ends => [.. Cuts, Rows[0].Ids.Length];

    public override string ToString() => $"{Model}, feeds end at [{string.Join(' ', Ends)}], rows {{ {string.Join(" | ", (object[])Rows)} }}, {string.Join(", ", (object[])Handlings)}";

    /// <summary>A sequence of a length.</summary>
    public static Gen<RandomRow> Row(Architecture model, int length) =>
        from ids in Gen.Int[0, model.VocabSize - 1].Array[length]
        from masked in Masked(length)
        from positions in Positions(masked, model.ContextLength)
        select new RandomRow(ids, masked, positions);

    /// <summary>Nothing masked; or padding left and right, and holes in between.</summary>
    private static Gen<int[]> Masked(int length) => Gen.Frequency(
        (1, Gen.Const(Enumerable.Repeat(RandomRow.Never, length).ToArray())),
        (4, from left in Gen.Frequency((1, Gen.Const(0)), (1, Gen.Int[0, length]))
            from right in Gen.Frequency((2, Gen.Const(0)), (1, Gen.Int[0, length / 2]))
            from rarity in Gen.OneOfConst(1, 5, 1000)
            from holes in Gen.Frequency((rarity, Gen.Const(RandomRow.Never)), (1, Gen.Frequency((3, Gen.Const(0)), (1, Gen.Int[1, 3])))).Array[length]
            select holes.Select((feed, p) => p < left || p >= length - right ? 0 : feed).ToArray()));

    /// <summary>The default; shifted; what padding makes of them (counting real tokens only); or anything.</summary>
    private static Gen<int[]?> Positions(int[] masked, int context) => Gen.Frequency(
        (2, Gen.Const((int[]?)null)),
        (1, Gen.Int[0, context - masked.Length].Select(start => (int[]?)[.. Enumerable.Range(start, masked.Length)])),
        (1, Gen.Const<int[]?>([.. Enumerable.Range(0, masked.Length).Select(p => Math.Max(0, masked.Take(p + 1).Count(feed => feed != 0) - 1))])),
        (1, Gen.Int[0, context - 1].Array[masked.Length].Select(positions => (int[]?)positions)));
}
