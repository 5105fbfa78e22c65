using System.Buffers.Binary;
using System.IO.Hashing;
using QedEdge.Kernels;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Tests.Model;

/// <summary>Saved sessions whose keys and values somebody changed, checksum included: refused, or the same results on every kernel set, with any threads and cut.</summary>
public sealed class ForgedSessionTests : IDisposable
{
    private const int Header = 72, ChecksumAt = 8, ChecksumEnd = 16, Vocab = 50;
    private static readonly RandomShape Shape = new(Layers: 2, Heads: 2, HeadSize: 24, Inner: 40, Vocab, Bias: true, Tied: true, Theta: 10_000f, Deviation: 0.1f, Seed: 9);

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    public static TheoryData<KvCacheType, int> Sessions => new MatrixTheoryData<KvCacheType, int>([KvCacheType.F32, KvCacheType.F16, KvCacheType.Q8_0], [13, 290]);

    [Theory]
    [MemberData(nameof(Sessions))]
    public void AnyContent_IsRefused_OrTheSameForEveryCut(KvCacheType kv, int tokens)
    {
        string path = Path.Combine(_folder, "saved"), model = Shape.Write(_folder, BlockFormat.Q8_0);
        QedModel[] models = [.. KernelRegistry.Available.Select(set => QedModel.Open(model, new ModelOptions { InstructionSet = set.Name }))];
        byte[] sound = Save(models[0], kv, tokens, path);
        int begin = Header + tokens * sizeof(int) + Vocab * sizeof(float), refused = 0;
        var random = new Random(1);
        ushort[] nasty = [0x7C00, 0xFC00, 0x7E00, 0xFFFF, 0x7F80, 0xFF80, 0x7FC0, 0x8000, 0x8080, 0x0001, 0x7BFF];
        for (int trial = 0; trial < 60; trial++)
        {
            byte[] forged = [.. sound];
            for (int i = random.Next(1, 4); i > 0; i--)
                BinaryPrimitives.WriteUInt16LittleEndian(forged.AsSpan(begin + random.Next((forged.Length - begin) / 2) * 2), nasty[random.Next(nasty.Length)]);
            Seal(forged);
            File.WriteAllBytes(path, forged);
            string[] outcomes = [.. from m in models from way in new (int Threads, int Chunk)[] { (1, 0), (2, 1), (3, 2) } select Outcome(m, kv, path, way.Threads, way.Chunk)];
            Assert.Single(outcomes.Distinct());
            refused += outcomes[0].Contains("makes no sense") ? 1 : 0;
        }
        Assert.InRange(refused, 1, 59); // both kinds were met
        foreach (QedModel m in models)
            m.Dispose();
    }

    /// <summary>The scales of the values' matrices are 1; what a file says there has no effect.</summary>
    [Fact]
    public void ScalesOfWholeChunksOfValues_AreNotTakenFromTheFile()
    {
        string path = Path.Combine(_folder, "saved");
        using QedModel model = QedModel.Open(Shape.Write(_folder, BlockFormat.Q8_0));
        byte[] forged = Save(model, KvCacheType.Q8_0, 290, path);
        string expected = Outcome(model, KvCacheType.Q8_0, path, 1, 0);
        int keys = Header + 290 * sizeof(int) + Vocab * sizeof(float), group = (int)BlockFormat.Q8_0.Info().GroupBytes(256);
        int values = keys + PackedLayout.RowGroups(290) * (int)BlockFormat.Q8_0.Info().GroupBytes(24);
        Assert.Equal(0x3C00, BinaryPrimitives.ReadUInt16LittleEndian(forged.AsSpan(values + (int)BlockFormat.Q8_0.Info().ScalesOffset(256))));
        for (int g = 0; g < 4; g++) // of the first head
            forged.AsSpan(values + g * group + (int)BlockFormat.Q8_0.Info().ScalesOffset(256), group - (int)BlockFormat.Q8_0.Info().ScalesOffset(256)).Fill(0x7C);
        Seal(forged);
        File.WriteAllBytes(path, forged);
        Assert.Equal(expected, Outcome(model, KvCacheType.Q8_0, path, 2, 1));
    }

    /// <summary>Kernels differ in what they make of negative weights; no quantizer writes any.</summary>
    [Fact]
    public void NegativeScaleOfAValue_IsRefused()
    {
        string path = Path.Combine(_folder, "saved");
        using QedModel model = QedModel.Open(Shape.Write(_folder, BlockFormat.Q8_0));
        byte[] forged = Save(model, KvCacheType.Q8_0, 13, path);
        int keys = Header + 13 * sizeof(int) + Vocab * sizeof(float), scales = keys + PackedLayout.RowGroups(13) * (int)BlockFormat.Q8_0.Info().GroupBytes(24);
        forged[scales + 2 * 3 + 1] |= 0x80;
        Seal(forged);
        File.WriteAllBytes(path, forged);
        Assert.Contains("makes no sense", Outcome(model, KvCacheType.Q8_0, path, 1, 0));
    }

    private static byte[] Save(QedModel model, KvCacheType kv, int tokens, string path)
    {
        using Session session = model.CreateSession(new SessionOptions { KvType = kv, ContextLength = 300 });
        session.Feed([.. Enumerable.Range(0, tokens).Select(i => i * 7 % Vocab)]);
        session.Save(path, overwrite: true);
        return File.ReadAllBytes(path);
    }

    private static void Seal(byte[] bytes) => BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(ChecksumAt), XxHash3.HashToUInt64(bytes.AsSpan(ChecksumEnd)));

    private static string Outcome(QedModel model, KvCacheType kv, string path, int threads, int chunk)
    {
        using Session session = model.CreateSession(new SessionOptions { KvType = kv, ContextLength = 300, Threads = threads });
        try
        {
            session.Restore(path);
            session.Feed([5, 6, 7], new FeedOptions { ChunkSize = chunk });
            return Convert.ToHexString(XxHash3.Hash(System.Runtime.InteropServices.MemoryMarshal.AsBytes(session.Logits)));
        }
        catch (QedException e)
        {
            return e.Message;
        }
    }
}
