using System.Runtime.InteropServices;
using QedEdge.Generation;
using QedEdge.Kernels;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;
using QedEdge.Sampling;
using QedEdge.Tests.Gguf;

namespace QedEdge.Tests.Model;

/// <summary>Finite weights whose results overflow: the same error on every kernel set, with any threads, cut and storage of keys and values.</summary>
public sealed class NotFiniteTests : IDisposable
{
    private static readonly RandomShape Shape = new(Layers: 2, Heads: 3, HeadSize: 6, Inner: 40, Vocab: 50, Bias: true, Tied: true, Theta: 10_000f, Deviation: 0.1f, Seed: 9);
    private static readonly int[] Ids = [5, 17, 33, 4, 8, 15, 16, 23, 42, 7, 1];

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>A value in a tensor, and whether results cannot be finite then: a huge query alone only makes softmax sharp.</summary>
    private static readonly (string Tensor, float Value, bool Overflows)[] Changes =
    [
        ("blk.1.ffn_up.bias", -4.25e37f, true), ("blk.0.ffn_down.bias", 3e38f, true), ("blk.0.attn_norm.weight", 3.4028e38f, true), ("blk.1.ffn_norm.weight", 3.4028e38f, true),
        ("output_norm.weight", 3.4028e38f, true), ("blk.0.attn_q.bias", 3.4028e38f, false), ("blk.0.attn_k.bias", 3.4028e38f, false), ("blk.1.attn_v.bias", 3.4028e38f, true),
        ("blk.1.attn_output.bias", 3.4028e38f, true), ("blk.0.ffn_gate.bias", 3.4028e38f, true), ("blk.0.ffn_gate.bias", -3.4028e38f, false),
    ];

    public static TheoryData<string> Formats => [.. BlockFormats.Written.Select(static format => format.ToString())];

    [Theory]
    [MemberData(nameof(Formats))]
    public void AnOverflow_IsTheSameEverywhere(string format)
    {
        byte[] sound = File.ReadAllBytes(Shape.Write(_folder, Enum.Parse<BlockFormat>(format)));
        foreach ((string tensor, float value, bool overflows) in Changes)
        {
            QedModel[] models = Open(sound, tensor, value);
            foreach (KvCacheType kv in new[] { KvCacheType.F32, KvCacheType.F16, KvCacheType.Q8_0 })
            {
                string[] outcomes = [.. from model in models from way in new (int Threads, int Chunk)[] { (1, 0), (2, 1), (3, 2) } select Outcome(model, kv, way.Threads, way.Chunk)];
                Assert.True(outcomes.Distinct().Count() == 1, $"{tensor} {kv}: {string.Join("; ", outcomes)}");
                Assert.True(!overflows || outcomes[0].Contains("not finite"), $"{tensor} {kv}: {outcomes[0]}");
            }
            foreach (QedModel model in models)
                model.Dispose();
        }
    }

    private static string Outcome(QedModel model, KvCacheType kv, int threads, int chunk)
    {
        using Session session = model.CreateSession(new SessionOptions { KvType = kv, Threads = threads, ContextLength = 64 });
        try
        {
            session.Feed(Ids, new FeedOptions { ChunkSize = chunk });
            return Convert.ToHexString(MemoryMarshal.AsBytes(session.Logits));
        }
        catch (NotFiniteException e)
        {
            Assert.Equal([0], e.Members.ToArray());
            Assert.InRange(session.Position, 0, Ids.Length - 1);
            Assert.False(session.HasLogits);
            return e.Message;
        }
    }

    /// <summary>A half has its largest value at 65,504: beyond it keys and values would be other ones, and are refused instead.</summary>
    [Theory]
    [InlineData(KvCacheType.F32, true)]
    [InlineData(KvCacheType.Q8_0, true)]
    [InlineData(KvCacheType.F16, false)]
    public void AKeyTooLargeForItsStorage_IsAnError_WhereItIsToo(KvCacheType kv, bool fits)
    {
        byte[] sound = File.ReadAllBytes(Shape.Write(_folder, BlockFormat.Q8_0));
        foreach (QedModel model in Open(sound, "blk.0.attn_k.bias", 1e6f))
        {
            using Session session = model.CreateSession(new SessionOptions { KvType = kv, ContextLength = 64 });
            if (fits)
                session.Feed(Ids);
            else
                Assert.Contains("too large for F16", Assert.Throws<NotFiniteException>(() => session.Feed(Ids)).Message);
            model.Dispose();
        }
    }

    [Fact]
    public void OneMembersOverflow_LeavesTheOthersAlone()
    {
        using QedModel model = QedModel.Open(WithAPoisonedToken(out int poison));
        var options = new SessionOptions { ContextLength = 300 };
        int[][] prompts = [[1, 2, 3], [4, 5, poison, 6], [.. Enumerable.Range(0, 200).Select(i => i % 40)], [7]];
        using SessionBatch batch = model.CreateBatch(prompts.Length, options);
        var error = Assert.Throws<NotFiniteException>(() => batch.Feed([.. prompts.SelectMany(p => p)], [.. prompts.Select(p => p.Length)]));
        Assert.Equal([1], error.Members.ToArray());
        for (int i = 0; i < prompts.Length; i++)
        {
            if (i == 1)
            {
                Assert.Equal(0, batch.Sessions[i].Position);
                continue;
            }
            using Session alone = model.CreateSession(options);
            alone.Feed(prompts[i]);
            Assert.Equal(prompts[i].Length, batch.Sessions[i].Position);
            Assert.True(alone.Logits.SequenceEqual(batch.Sessions[i].Logits));
        }
        batch.Feed([8, 9], [1, 1, 0, 0]); // all go on
        Assert.Equal(1, batch.Sessions[1].Position);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public void ABatchOfRequests_EndsTheOneThatOverflows_AndNoOther(int sequences)
    {
        using QedModel model = QedModel.Open(WithAPoisonedToken(out int poison));
        using SessionBatch batch = model.CreateBatch(sequences, new SessionOptions { ContextLength = 64 });
        int[][] prompts = [[1, 2, 3], [4, poison], [5, 6], [poison], [7, 8, 9, 10]];
        var results = new string[prompts.Length];
        var options = new GenerationOptions { MaxTokens = 5, IgnoreEos = true, Sampling = new SamplingOptions { Temperature = 0, LogitBias = new Dictionary<int, float> { [poison] = -1e9f } } };
        new BatchGenerator(batch).Run(prompts.Select((prompt, i) => new GenerationRequest
        {
            Prompt = prompt,
            Options = options,
            OnToken = (id, _) =>
            {
                results[i] += $" {id}";
                return true;
            },
            OnEnd = reason => results[i] += $" {reason}",
            OnError = e => results[i] = e.GetType().Name,
        }));
        string[] alone = [.. prompts.Select(prompt =>
        {
            using Session session = model.CreateSession(new SessionOptions { ContextLength = 64 });
            if (prompt.Contains(poison))
                return nameof(NotFiniteException);
            string text = "";
            GenerationResult result = new Generator(session, options).Run(prompt, (id, _) =>
            {
                text += $" {id}";
                return true;
            });
            return $"{text} {result.Finish}";
        })];
        Assert.Equal(alone, results);
    }

    /// <summary>The file with one value changed, opened with every kernel set.</summary>
    private QedModel[] Open(byte[] sound, string tensor, float value)
    {
        string path = Path.Combine(_folder, "changed.gguf");
        File.WriteAllBytes(path, ChangedFile.WithData(sound, tensor, data => MemoryMarshal.Write(data.AsSpan(4 * 5), value)));
        return [.. KernelRegistry.Available.Select(set => QedModel.Open(path, new ModelOptions { InstructionSet = set.Name }))];
    }

    /// <summary>A model one of whose tokens has an embedding that overflows.</summary>
    private string WithAPoisonedToken(out int poison) => WithAPoisonedToken(_folder, out poison);

    /// <summary>As <see cref="WithAPoisonedToken(out int)"/>, in a folder.</summary>
    internal static string WithAPoisonedToken(string folder, out int poison)
    {
        const int id = 45;
        poison = id;
        string path = Path.Combine(folder, "poisoned.gguf");
        byte[] sound = File.ReadAllBytes((Shape with { Tied = false }).Write(folder, BlockFormat.F32));
        File.WriteAllBytes(path, ChangedFile.WithData(sound, "token_embd.weight", data =>
            MemoryMarshal.Write(data.AsSpan((int)(id / 8 * BlockFormat.F32.Info().GroupBytes(18)) + (3 * 8 + id % 8) * 4), 1e30f)));
        return path;
    }
}
