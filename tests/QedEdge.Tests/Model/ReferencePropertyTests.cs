using System.Runtime.InteropServices;
using CsCheck;
using QedEdge.Conversion;
using QedEdge.Kernels;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;
using QedEdge.Tests.Kernels;

namespace QedEdge.Tests.Model;

/// <summary>
/// Random models, tokens, masks, positions and cuts: the runtime against the float64 reference, and against itself to the bit.
/// A failure prints a seed for <c>CsCheck_Seed</c> and the smallest case found; <c>CsCheck_Iter</c> and <c>CsCheck_Time</c> make a run longer.
/// </summary>
public sealed class ReferencePropertyTests : IDisposable
{
    private const double LargestDifference = 1e-4; // measured, for logits of the order of 1
    private const double LargestQuantizationError = 0.1; // of a run's logits, root mean square; int8 activations cost 1 to 4 %

    private static readonly Gen<KernelSet> Set = Gen.OneOfConst(KernelRegistry.Available.ToArray());
    private static readonly Gen<KvCacheType> Cache = Gen.OneOfConst(KvCacheType.F32, KvCacheType.F16, KvCacheType.Q8_0);

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void FloatWeights_AgreeWithTheReference() => Gen.Select(RandomRun.Any, Gen.OneOfConst(BlockFormat.F32, BlockFormat.F16), Set).Sample((run, format, set) =>
    {
        string path = run.Model.Write(_folder, format);
        double[][][] expected = Reference(run, path);
        using QedModel model = run.Model.Open(path, set);
        for (int row = 0; row < run.Rows.Length; row++)
        {
            foreach ((double[] wanted, float[] logits) in Compared(expected[row], Feed(model, run, row, run.Handlings[0], KvCacheType.F32), run, row))
            {
                double allowed = LargestDifference * Math.Max(1, wanted.Max(Math.Abs));
                for (int i = 0; i < logits.Length; i++)
                    Assert.True(Math.Abs(wanted[i] - logits[i]) <= allowed, $"row {row}, logit {i}: {logits[i]:R} instead of {wanted[i]:R}");
            }
        }
    }, threads: 1, print: failed => $"{failed}");

    [Fact]
    public void IntegerWeights_StayNearTheReferenceOfTheSameWeights() => Gen.Select(
        RandomRun.Any, Gen.OneOfConst(BlockFormat.Q8_0, BlockFormat.Q4_0, BlockFormat.IQ4_NL), Cache).Sample((run, format, kv) =>
    {
        string path = run.Model.Write(_folder, format);
        double[][][] expected = Reference(run, path);
        using QedModel model = run.Model.Open(path);
        double error = 0, total = 0;
        for (int row = 0; row < run.Rows.Length; row++)
        {
            foreach ((double[] wanted, float[] actual) in Compared(expected[row], Feed(model, run, row, run.Handlings[0], kv), run, row))
            {
                error += wanted.Zip(actual, (a, b) => (a - b) * (a - b)).Sum();
                total += wanted.Sum(a => a * a);
            }
        }
        Assert.True(Math.Sqrt(error) <= LargestQuantizationError * Math.Sqrt(total), $"error {Math.Sqrt(error / total)}");
    }, threads: 1, print: failed => $"{failed}");

    [Fact]
    public void EveryFormat_IsTheSameBits_HoweverItIsFed() => Gen.Select(RandomRun.Any, Gen.OneOfConst(BlockFormats.Written), Cache).Sample((run, format, kv) =>
    {
        // A mask that changes between feeds holds the feeds where they are.
        bool movable = run.Rows.All(row => row.MaskedFrom.All(from => from is 0 or RandomRow.Never));
        RandomRun whole = movable ? run with { Cuts = [] } : run;
        string path = run.Model.Write(_folder, format);
        float[]?[][] expected;
        using (QedModel model = run.Model.Open(path, new ScalarKernels()))
            expected = [.. run.Rows.Select((_, row) => Feed(model, whole, row, new RandomHandling(0, 1, false, false), kv))];
        foreach ((string name, KernelSet set) in TestKernels.All)
        {
            using QedModel model = run.Model.Open(path, set);
            for (int row = 0; row < run.Rows.Length; row++)
            {
                foreach (RandomHandling handling in run.Handlings)
                    AssertSame(expected[row], Feed(model, run, row, handling, kv), $"row {row}, {name}, {handling}");
            }
        }
        if (!run.Model.HasPlain(format))
            return;
        using QedModel plain = run.Model.Open(run.Model.Write(_folder, format, FileLayout.Plain));
        for (int row = 0; row < run.Rows.Length; row++)
            AssertSame(expected[row], Feed(plain, run, row, run.Handlings[0], kv), $"row {row}, plain layout");
    }, threads: 1, print: failed => $"{failed}");

    [Fact]
    public void ABatchOfSequencesOfAnyLengths_AgreesWithTheReference() => (
        from model in RandomModel.Any
        from rows in Gen.Int[1, 40].SelectMany(length => RandomRun.Row(model.Architecture, length)).Array[1, 5]
        from cuts in Gen.Double[0, 1].Array[rows.Length]
        from threads in Gen.Int[1, 3]
        select (Model: model, Rows: rows, Cuts: cuts, Threads: threads)).Sample(run =>
    {
        string path = run.Model.Write(_folder, BlockFormat.F32);
        ReferenceModel reference = run.Model.Reference(path);
        using QedModel model = run.Model.Open(path);
        using SessionBatch batch = model.CreateBatch(run.Rows.Length, new SessionOptions { ContextLength = 40, KvType = KvCacheType.F32, Threads = run.Threads });
        float[][][] actual = [.. run.Rows.Select(row => new float[row.Ids.Length][])];
        int[] first = [.. run.Rows.Select((row, i) => (int)(row.Ids.Length * run.Cuts[i]))];
        foreach (bool second in new[] { false, true })
        {
            int[] begins = [.. first.Select(cut => second ? cut : 0)], ends = [.. run.Rows.Select((row, i) => second ? row.Ids.Length : first[i])];
            FeedOptions[] options = [.. run.Rows.Select((row, i) => new FeedOptions
            {
                AttentionMask = row.Mask(0, ends[i]),
                PositionIds = row.Positions?[begins[i]..ends[i]],
                OnLogits = (t, logits) => actual[i][begins[i] + t] = logits.ToArray(),
            })];
            batch.Feed([.. run.Rows.SelectMany((row, i) => row.Ids[begins[i]..ends[i]])], [.. ends.Zip(begins, (end, begin) => end - begin)], options);
        }
        for (int i = 0; i < run.Rows.Length; i++)
        {
            RandomRow row = run.Rows[i];
            byte[] mask = row.Mask(0, row.Ids.Length);
            double[][] expected = reference.Forward([row.Ids], row.Positions is null ? null : [row.Positions], [mask])[0];
            for (int t = 0; t < mask.Length; t++)
            {
                double allowed = LargestDifference * Math.Max(1, expected[t].Max(Math.Abs));
                for (int v = 0; mask[t] == 1 && v < expected[t].Length; v++)
                    Assert.True(Math.Abs(expected[t][v] - actual[i][t][v]) <= allowed, $"row {i}, token {t}, logit {v}: {actual[i][t][v]:R} instead of {expected[t][v]:R}");
            }
        }
    }, threads: 1, print: run => $"{run.Model}, {run.Threads} threads, cuts at [{string.Join(' ', run.Cuts)}], rows {{ {string.Join(" | ", (object[])run.Rows)} }}");

    /// <summary>The reference's logits of each row, which has positions of its own or none.</summary>
    private static double[][][] Reference(RandomRun run, string path)
    {
        ReferenceModel reference = run.Model.Reference(path);
        return [.. run.Rows.Select(row =>
        {
            var past = new ReferencePast();
            var logits = new List<double[]>();
            for (int feed = 0, begin = 0; feed < run.Ends.Length; begin = run.Ends[feed++])
            {
                Range fed = begin..run.Ends[feed];
                logits.AddRange(reference.Forward([row.Ids[fed]], row.Positions is null ? null : [row.Positions[fed]], [row.Mask(feed, run.Ends[feed])], past)[0]);
            }
            return logits.ToArray();
        })];
    }

    /// <summary>Logits [tokens, vocabulary] of one row; null where only the last of a feed are computed.</summary>
    private static float[]?[] Feed(QedModel model, RandomRun run, int row, RandomHandling handling, KvCacheType kv)
    {
        RandomRow input = run.Rows[row];
        int[] ids = input.Ids, ends = run.Ends;
        using Session session = model.CreateSession(new SessionOptions { Threads = handling.Threads, KvType = kv, ContextLength = ids.Length });
        var all = new float[]?[ids.Length];
        for (int feed = 0, begin = 0; feed < ends.Length; begin = ends[feed++])
        {
            int end = ends[feed];
            var options = new FeedOptions
            {
                // Where nothing was ever masked there need be no mask.
                AttentionMask = input.Masked ? input.Mask(feed, end) : default(ReadOnlyMemory<byte>),
                PositionIds = input.Positions?[begin..end],
                ChunkSize = handling.Chunk,
                OnLogits = handling.OnlyLast ? null : (t, logits) => all[begin + t] = logits.ToArray(),
            };
            if (handling.Detour && begin < ids.Length)
            {
                // Something else in this place, masked and forgotten again; no more than a layer's own window can take back.
                int detour = run.Model.Architecture.Layers.Any(layer => layer.Attention.Window is not null) ? Math.Min(ids.Length - begin, 100) : ids.Length - begin;
                session.Feed([.. Enumerable.Repeat(run.Model.Architecture.VocabSize - 1, detour)], new FeedOptions { AttentionMask = (byte[])[.. input.Mask(feed, begin), .. new byte[detour]] });
                session.Rollback(begin);
            }
            session.Feed(ids.AsSpan(begin, end - begin), options);
            if (end == begin)
                continue;
            ref float[]? last = ref all[end - 1];
            last ??= session.Logits.ToArray();
            Assert.True(session.Logits.SequenceEqual(last));
        }
        return all;
    }

    /// <summary>What is compared: the tokens whose mask was 1 when they were fed, where the session gave logits.</summary>
    private static IEnumerable<(double[] Expected, float[] Actual)> Compared(double[][] expected, float[]?[] actual, RandomRun run, int row)
    {
        for (int feed = 0, t = 0; feed < run.Ends.Length; feed++)
        {
            byte[] mask = run.Rows[row].Mask(feed, run.Ends[feed]);
            for (; t < run.Ends[feed]; t++)
            {
                if (mask[t] == 1 && actual[t] is { } logits)
                    yield return (expected[t], logits);
            }
        }
    }

    private static void AssertSame(float[]?[] expected, float[]?[] actual, string how)
    {
        for (int t = 0; t < actual.Length; t++)
        {
            if (actual[t] is not null)
                Assert.True(MemoryMarshal.AsBytes<float>(expected[t]).SequenceEqual(MemoryMarshal.AsBytes<float>(actual[t])), $"{how}: token {t}");
        }
    }
}
