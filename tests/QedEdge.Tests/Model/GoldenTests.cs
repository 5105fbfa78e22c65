using System.Runtime.InteropServices;
using System.Text.Json;
using QedEdge.Conversion;
using QedEdge.Kernels;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;
using QedEdge.Sampling;

namespace QedEdge.Tests.Model;

/// <summary>The reference's float64 results on small checkpoints, and the promise that cuts, threads and instruction sets change no bit.</summary>
public sealed class GoldenTests : IDisposable
{
    private const float LargestDifference = 1e-4f; // a float32 run agrees to this in every logit

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public static TheoryData<string> Cases => [.. TestData.GoldenCases.Select(folder => Path.GetFileName(folder))];

    public static TheoryData<string> PaddedCases => [.. TestData.GoldenCases.Where(folder => File.Exists(Path.Combine(folder, "logits_padded.f32"))).Select(folder => Path.GetFileName(folder))];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [MemberData(nameof(Cases))]
    public void Float32_AgreesWithTheReference(string name)
    {
        using QedModel model = Convert(name, new ConversionOptions { Type = BlockFormat.F32 });
        JsonElement expected = Expected(name);
        int[] ids = Ints(expected.GetProperty("input_ids"));
        float[] logits = Logits(model, ids);
        AssertClose(Reference(name, "logits.f32"), logits, ids.Length, null);

        int vocab = model.Config.VocabSize;
        int[] argmax = [.. Enumerable.Range(0, ids.Length).Select(t => Sampler.ArgMax(logits.AsSpan(t * vocab, vocab)))];
        Assert.Equal(Ints(expected.GetProperty("argmax")), argmax);
        double nll = Enumerable.Range(0, ids.Length - 1).Average(t => NegativeLogLikelihood(logits.AsSpan(t * vocab, vocab), ids[t + 1]));
        Assert.Equal(expected.GetProperty("mean_nll").GetDouble(), nll, 1e-5);

        if (expected.TryGetProperty("padded", out JsonElement padded))
        {
            int[] paddedIds = Ints(padded.GetProperty("input_ids"));
            byte[] mask = Mask(padded); // learned positions are counted from it
            foreach (int chunk in new[] { 0, 1, 7 })
                AssertClose(Reference(name, "logits_padded.f32"), Logits(model, paddedIds, chunk, mask), paddedIds.Length, mask);
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Float32_GreedyContinuation_IsTheReferences(string name)
    {
        using QedModel model = Convert(name, new ConversionOptions { Type = BlockFormat.F32 });
        JsonElement greedy = Expected(name).GetProperty("greedy");
        using Session session = model.CreateSession();
        session.Feed(Ints(greedy.GetProperty("prompt")));
        foreach (int expected in Ints(greedy.GetProperty("continuation")))
        {
            int id = Sampler.ArgMax(session.Logits);
            Assert.Equal(expected, id);
            session.Feed([id]);
        }
    }

    /// <summary>Cases of another seed, and of what the committed ones do not have.</summary>
    [Theory]
    [InlineData("qed")]
    [InlineData("qed", "bias=true", "tie_word_embeddings=false")]
    [InlineData("llama")]
    [InlineData("llama", "attention_bias=true", "mlp_bias=true", """rope_scaling={"type":"linear","factor":4.0}""")]
    [InlineData("smollm3", "attention_bias=true")]
    [InlineData("qwen2", """rope_scaling={"rope_type":"yarn","factor":4.0,"original_max_position_embeddings":16,"beta_fast":16.0}""")]
    [InlineData("qwen3")]
    [InlineData("qwen3", """rope_scaling={"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":32}""")]
    [InlineData("gemma3_text")]
    [InlineData("gemma3_text", "query_pre_attn_scalar=40", "num_key_value_heads=2", """rope_scaling={"rope_type":"linear","factor":8.0}""")]
    [InlineData("gpt2", "n_inner=80")]
    [InlineData("gpt_neo", """attention_types=[[["local","global"],1]]""")]
    [InlineData("gpt_neox")]
    [InlineData("gpt_neox", "use_parallel_residual=false", "rotary_pct=1.0", "intermediate_size=80")]
    public void ANewCase_OfEveryFamily_AgreesWithTheReference(string family, params string[] changes)
    {
        string folder = Path.Combine(_folder, "case");
        ProgramResult made = Maker(["new", family, folder, "--seed", "2026", .. changes.SelectMany(change => new[] { "--set", change })]);
        Assert.Equal((0, "", ""), (made.ExitCode, made.Output, made.Error));
        Float32_AgreesWithTheReference(folder);
        Float32_GreedyContinuation_IsTheReferences(folder);
    }

    [Fact]
    public void CommittedCases_AreWhatTheReferenceComputes()
    {
        ProgramResult result = Maker(["check", .. TestData.GoldenCases]);
        Assert.True(result.ExitCode == 0, result.Output + result.Error);
        Assert.Equal(TestData.GoldenCases.Count(), result.Output.Count(c => c == '\n'));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void EveryFormat_IsTheSameBits_ForEverySetChunkingThreadCountLayoutAndCache(string name)
    {
        int[] ids = Ints(Expected(name).GetProperty("input_ids"));
        foreach (BlockFormat format in BlockFormats.Written)
        {
            string path = ConvertFile(name, new ConversionOptions { Type = format });
            foreach (KvCacheType kv in new[] { KvCacheType.F32, KvCacheType.F16, KvCacheType.Q8_0 })
            {
                float[] expected = AssertSameBits(path, ids, null, kv);
                // A plain file of an uneven width holds other values: blocks fall back to F16.
                using QedModel plain = Convert(name, new ConversionOptions { Type = format, Layout = FileLayout.Plain });
                if (!format.Info().HasScales || plain.Config.HiddenSize % 32 == 0 && plain.Config.FeedForwardSize % 32 == 0)
                    Assert.Equal(expected, Logits(plain, ids, 0, null, 2, kv));
            }
        }
    }

    [Theory]
    [MemberData(nameof(PaddedCases))]
    public void EveryFormat_Padded_IsTheSameBits_ForEverySetChunkingThreadCountAndCache(string name)
    {
        JsonElement padded = Expected(name).GetProperty("padded");
        foreach (BlockFormat format in BlockFormats.Written)
        {
            string path = ConvertFile(name, new ConversionOptions { Type = format });
            foreach (KvCacheType kv in new[] { KvCacheType.F32, KvCacheType.Q8_0 })
                AssertSameBits(path, Ints(padded.GetProperty("input_ids")), Mask(padded), kv);
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Quantized_StaysNearTheReference(string name)
    {
        int[] ids = Ints(Expected(name).GetProperty("input_ids"));
        float[] reference = Reference(name, "logits.f32");
        foreach ((BlockFormat format, double limit) in new[] { (BlockFormat.F16, 1e-5), (BlockFormat.Q8_0, 1e-3), (BlockFormat.Q4_0, 0.2) })
        {
            using QedModel model = Convert(name, new ConversionOptions { Type = format });
            float[] logits = Logits(model, ids);
            int vocab = model.Config.VocabSize;
            double divergence = Enumerable.Range(0, ids.Length).Average(t => Divergence(reference.AsSpan(t * vocab, vocab), logits.AsSpan(t * vocab, vocab)));
            Assert.InRange(divergence, 0, limit * Math.Max(1, 3 * Spread(reference))); // it grows with the square of the logits' differences
        }
    }

    [Fact]
    public void SampleModel_AgreesWithTheReference()
    {
        string path = Path.Combine(_folder, "tiny.gguf");
        CheckpointConverter.Convert(TestData.TinyQed, path, new ConversionOptions { Type = BlockFormat.F32 });
        using QedModel model = QedModel.Open(path);
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(TestData.TinyQed, "expected.json")));
        JsonElement greedy = document.RootElement.GetProperty("greedy");
        using Session session = model.CreateSession();
        session.Feed(Ints(greedy.EnumerateObject().First(p => p.Name.StartsWith("prompt", StringComparison.Ordinal) && p.Value.ValueKind == JsonValueKind.Array).Value));
        foreach (int expected in Ints(greedy.EnumerateObject().First(p => p.Name.StartsWith("continuation", StringComparison.Ordinal) && p.Value.ValueKind == JsonValueKind.Array).Value))
        {
            int id = Sampler.ArgMax(session.Logits);
            Assert.Equal(expected, id);
            session.Feed([id]);
        }
    }

    private static ProgramResult Maker(string[] arguments)
    {
        Tools.Require("python3");
        return Tools.Run("python3", [Path.Combine(TestData.Root, "tests", "golden", "make.py"), .. arguments]);
    }

    private QedModel Convert(string name, ConversionOptions options) => QedModel.Open(ConvertFile(name, options));

    private string ConvertFile(string name, ConversionOptions options)
    {
        string path = Path.Combine(_folder, $"{Path.GetFileName(name)}-{options.Type}-{options.Layout}.gguf");
        if (!File.Exists(path))
            CheckpointConverter.Convert(Path.Combine(TestData.Root, "tests", "golden", name), path, options);
        return path;
    }

    private static float[] Logits(QedModel model, int[] ids, int chunk = 0, byte[]? mask = null, int threads = 2, KvCacheType kv = KvCacheType.F32)
    {
        using Session session = model.CreateSession(new SessionOptions { Threads = threads, KvType = kv });
        var all = new float[ids.Length * model.Config.VocabSize];
        session.Feed(ids, new FeedOptions
        {
            AttentionMask = mask ?? ReadOnlyMemory<byte>.Empty,
            ChunkSize = chunk,
            OnLogits = (t, logits) => logits.CopyTo(all.AsSpan(t * logits.Length)),
        });
        Assert.Equal(all[^model.Config.VocabSize..], session.Logits.ToArray());
        return all;
    }

    private static float[] AssertSameBits(string path, int[] ids, byte[]? mask, KvCacheType kv)
    {
        float[]? expected = null;
        foreach (KernelSet set in KernelRegistry.Available.Reverse())
        {
            using QedModel model = QedModel.Open(path, new ModelOptions { InstructionSet = set.Name });
            foreach ((int chunk, int threads) in new[] { (0, 1), (1, 2), (7, 3), (5, 5) })
            {
                float[] logits = Logits(model, ids, chunk, mask, threads, kv);
                expected ??= logits;
                Assert.True(MemoryMarshal.AsBytes(expected.AsSpan()).SequenceEqual(MemoryMarshal.AsBytes(logits.AsSpan())),
                    $"{Path.GetFileName(path)}, kv {kv}: {set.Name}, chunks of {chunk}, {threads} threads");
            }
        }
        return expected!;
    }

    private static void AssertClose(float[] expected, float[] actual, int tokens, byte[]? mask)
    {
        Assert.Equal(expected.Length, actual.Length);
        int vocab = expected.Length / tokens;
        for (int i = 0; i < expected.Length; i++)
        {
            if (mask is null || mask[i / vocab] == 1)
                Assert.True(Math.Abs(expected[i] - actual[i]) <= LargestDifference, $"token {i / vocab}, logit {i % vocab}: {actual[i]} instead of {expected[i]}");
        }
    }

    private static double NegativeLogLikelihood(ReadOnlySpan<float> logits, int target) => LogSum(logits) - logits[target];

    /// <summary>The variance of the logits.</summary>
    private static double Spread(float[] logits)
    {
        double mean = logits.Average();
        return logits.Average(value => (value - mean) * (value - mean));
    }

    private static double Divergence(ReadOnlySpan<float> p, ReadOnlySpan<float> q)
    {
        double sumP = LogSum(p), sumQ = LogSum(q), total = 0;
        for (int i = 0; i < p.Length; i++)
            total += Math.Exp(p[i] - sumP) * (p[i] - sumP - (q[i] - sumQ));
        return total;
    }

    private static double LogSum(ReadOnlySpan<float> logits)
    {
        double max = double.NegativeInfinity, sum = 0;
        foreach (float v in logits)
            max = Math.Max(max, v);
        foreach (float v in logits)
            sum += Math.Exp(v - max);
        return max + Math.Log(sum);
    }

    // A case is named, or a folder.
    private static JsonElement Expected(string name) =>
        JsonDocument.Parse(File.ReadAllBytes(Path.Combine(TestData.Root, "tests", "golden", name, "expected.json"))).RootElement;

    private static float[] Reference(string name, string file) =>
        MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(Path.Combine(TestData.Root, "tests", "golden", name, file))).ToArray();

    private static byte[] Mask(JsonElement padded) => [.. Ints(padded.GetProperty("attention_mask")).Select(bit => (byte)bit)];

    private static int[] Ints(JsonElement array) => [.. array.EnumerateArray().Select(e => e.GetInt32())];
}
