using QedEdge.Architectures;
using QedEdge.Model;
using QedEdge.Quantization;

namespace QedEdge.Tests.Model;

/// <summary>Lone tokens whose few key-value heads are shared by workers, chunk by chunk, have the bits of one thread.</summary>
public sealed class SharedHeadsTests : IDisposable
{
    private const int Window = 300;

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static readonly Norm Norm = new(NormKind.Rms, 1e-5f);

    private static AttentionShape Shape(int heads, int kvHeads, int headSize, int? window = null) =>
        new(Norm, heads, kvHeads, headSize) { Rotary = new Rotary(headSize, 10_000f, 1f, false, null), Scale = 0.2f, Window = window };

    /// <summary>A layer that sees all, and one with a window whose slots go round after 512 tokens.</summary>
    internal static RandomModel Of(int heads, int kvHeads, int headSize)
    {
        LayerShape Layer(int? window) => new(Shape(heads, kvHeads, headSize, window), new FeedForwardShape(Norm, 32, Activation.Silu, true));
        return new RandomModel(new Architecture
        {
            Name = "random",
            Width = 32,
            VocabSize = 50,
            ContextLength = 2_000,
            Layers = [Layer(null), Layer(Window)],
            OutputNorm = Norm,
            TiedHead = true,
        }, 1f, 7);
    }

    /// <summary>Shapes of SmolLM2, Gemma 3 and Qwen2.5, and a group that does not fit into one pass over the keys.</summary>
    [Theory]
    [InlineData(9, 3, 64, KvCacheType.Q8_0)]
    [InlineData(4, 1, 256, KvCacheType.Q8_0)]
    [InlineData(14, 2, 64, KvCacheType.F16)]
    [InlineData(10, 1, 40, KvCacheType.F32)]
    public void AroundTheBordersOfChunks_EveryThreadCount_GivesTheSameBits(int heads, int kvHeads, int headSize, KvCacheType kv)
    {
        RandomModel random = Of(heads, kvHeads, headSize);
        using QedModel model = random.Open(random.Write(_folder, BlockFormat.Q8_0));
        byte[] mask = [.. Enumerable.Range(0, 800).Select(i => (byte)(i is 0 or >= 20 and < 280 or 520 ? 0 : 1))]; // the second of three chunks but for its end
        foreach (byte[]? masked in new[] { null, mask })
        {
            List<float[]>? expected = null;
            for (int threads = 1; threads <= 8; threads += masked is null ? 1 : 2)
            {
                List<float[]> actual = Run(model, new SessionOptions { Threads = threads, KvType = kv, ContextLength = 800 }, masked, 255, 257, 511, 514, 767, 770);
                expected ??= actual;
                AssertSame(expected, actual, $"{threads} threads, masked {masked is not null}");
            }
        }
    }

    [Fact]
    public void InAWindowThatSlides_WithSinks_EveryThreadCountGivesTheSameBits()
    {
        RandomModel random = Of(4, 1, 64);
        using QedModel model = random.Open(random.Write(_folder, BlockFormat.Q8_0));
        List<float[]>? expected = null;
        foreach (int threads in new[] { 1, 2, 3, 5 })
        {
            var options = new SessionOptions { Threads = threads, ContextLength = 600, Overflow = ContextOverflow.Slide, Sinks = 4 };
            List<float[]> actual = Run(model, options, null, 598, 602, 727, 735, 980, 990); // past the window; its slots go round
            expected ??= actual;
            AssertSame(expected, actual, $"{threads} threads");
        }
    }

    /// <summary>What the tests above rely on.</summary>
    [Theory]
    [InlineData(9, 3, 64, 2, 2, true)]
    [InlineData(9, 3, 64, 2, 3, false)] // divides evenly
    [InlineData(9, 3, 64, 1, 2, false)] // one chunk: nothing is spared
    [InlineData(4, 1, 256, 2, 2, true)]
    [InlineData(14, 2, 64, 2, 2, false)]
    [InlineData(14, 2, 64, 2, 3, false)] // four items for three workers: two, as before
    [InlineData(14, 2, 64, 3, 3, true)]
    [InlineData(10, 1, 40, 2, 8, true)]
    [InlineData(1, 1, 64, 2, 2, false)] // not enough is spared
    [InlineData(1, 1, 64, 8, 2, true)]
    public void HeadsAreShared_WhereThatSparesEnough(int heads, int kvHeads, int headSize, int chunks, int workers, bool shared) =>
        Assert.Equal(shared, SharedHeads.Pays(Shape(heads, kvHeads, headSize), chunks, workers));

    /// <summary>Logits of the tokens from each first to the second number of a pair, fed one by one; those between in one piece.</summary>
    private static List<float[]> Run(QedModel model, SessionOptions options, byte[]? mask, params int[] spans)
    {
        var logits = new List<float[]>();
        using Session session = model.CreateSession(options);
        void Feed(int end) => session.Feed([.. Enumerable.Range(session.Position, end - session.Position).Select(i => i * i * 31 % 50)], new FeedOptions { AttentionMask = mask?[..end] });
        for (int i = 0; i < spans.Length; i += 2)
        {
            Feed(spans[i]);
            for (int end = spans[i] + 1; end <= spans[i + 1]; end++)
            {
                Feed(end);
                logits.Add(session.Logits.ToArray());
            }
        }
        return logits;
    }

    private static void AssertSame(List<float[]> expected, List<float[]> actual, string what)
    {
        Assert.Equal(expected.Count, actual.Count);
        for (int i = 0; i < expected.Count; i++)
            Assert.True(expected[i].AsSpan().SequenceEqual(actual[i]), $"{what}: lone token {i}");
    }
}
