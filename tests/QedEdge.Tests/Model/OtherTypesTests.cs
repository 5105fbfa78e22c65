using System.Runtime.InteropServices;
using System.Text.Json;
using QedEdge.Kernels;

namespace QedEdge.Tests.Model;

/// <summary>
/// Files of llama.cpp's quantizer in every type that it writes, beside float64 results of an independent reader (tests/types/README.md): the exact weights with
/// activations as we round them, and with exact ones.
/// </summary>
public class OtherTypesTests
{
    public static TheoryData<string> Cases => [.. Directory.EnumerateDirectories(Path.Combine(TestData.Root, "tests", "types")).Order(StringComparer.Ordinal).Select(static folder => Path.GetFileName(folder))];

    [Theory]
    [MemberData(nameof(Cases))]
    public void File_HasTheWeightsThatItsTypesDefine(string name)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(PathOf(name, "expected.json")));
        JsonElement expected = document.RootElement;
        int[] ids = [.. expected.GetProperty("input_ids").EnumerateArray().Select(static id => id.GetInt32())];
        int vocab = expected.GetProperty("shape")[1].GetInt32(), sharp = expected.GetProperty("int8").GetProperty("sharp_rows").GetInt32();
        float[] truth = Floats(name, expected.GetProperty("logits_file")), rounded = Floats(name, expected.GetProperty("int8").GetProperty("logits_file"));
        using QedModel model = QedModel.Open(PathOf(name, "model.gguf"));
        float[] logits = Logits(model, ids);

        // The first rows are those in which no activation is near enough to a half to be rounded the other way; files of floats alone have exact ones.
        double distance = Math.Min(Distance(logits, rounded, sharp * vocab), Distance(logits, truth, sharp * vocab));
        Assert.InRange(distance, 0, 1e-4);
        double divergence = Enumerable.Range(0, ids.Length).Average(t => Divergence(truth.AsSpan(t * vocab, vocab), logits.AsSpan(t * vocab, vocab)));
        Assert.InRange(divergence, 0, 2 * expected.GetProperty("kl_from_truth").GetProperty("int8_activations_per_32").GetDouble() + 1e-5);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void File_IsTheSameBits_ForEverySetChunkAndThreadCount(string name)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(PathOf(name, "expected.json")));
        int[] ids = [.. document.RootElement.GetProperty("input_ids").EnumerateArray().Select(static id => id.GetInt32())];
        float[]? expected = null;
        foreach (KernelSet set in KernelRegistry.Available)
        {
            using QedModel model = QedModel.Open(PathOf(name, "model.gguf"), new ModelOptions { InstructionSet = set.Name });
            foreach ((int chunk, int threads) in new[] { (0, 1), (1, 2), (7, 3) })
            {
                float[] logits = Logits(model, ids, chunk, threads);
                Assert.Equal(expected ??= logits, logits);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Plan_NamesTheStorage_ThatASessionTakesByItself(string name)
    {
        using QedModel model = QedModel.Open(PathOf(name, "model.gguf"));
        using Session session = model.CreateSession();
        Assert.Equal(session.KvType, MemoryNeed.Of(model.File)!.AutoKvType);
    }

    private static string PathOf(string name, string file) => Path.Combine(TestData.Root, "tests", "types", name, file);

    private static float[] Floats(string name, JsonElement file) => MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(PathOf(name, file.GetString()!))).ToArray();

    private static double Distance(float[] a, float[] b, int count) => Enumerable.Range(0, count).Max(i => Math.Abs((double)a[i] - b[i]));

    private static float[] Logits(QedModel model, int[] ids, int chunk = 0, int threads = 2)
    {
        using Session session = model.CreateSession(new SessionOptions { Threads = threads, KvType = KvCacheType.F32 });
        var all = new float[ids.Length * model.Config.VocabSize];
        session.Feed(ids, new FeedOptions { ChunkSize = chunk, OnLogits = (t, logits) => logits.CopyTo(all.AsSpan(t * logits.Length)) });
        return all;
    }

    /// <summary>Σ p (log p − log q) of two rows of logits.</summary>
    private static double Divergence(ReadOnlySpan<float> p, ReadOnlySpan<float> q)
    {
        double zp = Normalizer(p), zq = Normalizer(q), sum = 0;
        for (int i = 0; i < p.Length; i++)
            sum += Math.Exp(p[i] - zp) * (p[i] - zp - (q[i] - zq));
        return sum;
    }

    private static double Normalizer(ReadOnlySpan<float> logits)
    {
        double max = logits.ToArray().Max(), sum = 0;
        foreach (float logit in logits)
            sum += Math.Exp(logit - max);
        return max + Math.Log(sum);
    }
}
