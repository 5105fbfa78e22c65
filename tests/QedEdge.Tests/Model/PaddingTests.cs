using QedEdge.Gguf;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;
using QedEdge.Tests.Gguf;

namespace QedEdge.Tests.Model;

/// <summary>What a file holds beyond its matrices' rows and columns: refused, or without effect on any cut.</summary>
public sealed class PaddingTests : IDisposable
{
    private const int Width = 18, Inner = 44; // both no multiple of 8 or 32
    private static readonly RandomShape Shape = new(Layers: 1, Heads: 3, HeadSize: 6, Inner, Vocab: 50, Bias: false, Tied: true, Theta: 10_000f, Deviation: 0.1f, Seed: 9);
    private static readonly int[] Ids = [5, 17, 33, 4, 8, 15];

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    public static TheoryData<string> Formats => [.. BlockFormats.Written.Select(static format => format.ToString())];

    [Theory]
    [MemberData(nameof(Formats))]
    public void RowsThatAreNotZero_AreRefused(string name)
    {
        var format = Enum.Parse<BlockFormat>(name);
        byte[] sound = File.ReadAllBytes(Shape.Write(_folder, format));
        foreach ((string tensor, int rows, int cols) in new[] { ("token_embd", 50, Width), ("blk.0.attn_output", Width, Width), ("blk.0.ffn_down", Width, Inner), ("blk.0.ffn_up", Inner, Width) })
        {
            for (int row = rows % 8; row < 8; row++)
            {
                string path = Path.Combine(_folder, "padded.gguf");
                File.WriteAllBytes(path, ChangedFile.WithData(sound, tensor + ".weight", data => Pad(data, format, rows, cols, row)));
                var error = Assert.Throws<ModelFormatException>(() => QedModel.Open(path).Dispose());
                Assert.Equal((ModelFault.Damaged, tensor + ".weight"), (error.Fault, error.Tensor));
                Assert.Contains("padding", error.Message);
            }
        }
    }

    /// <summary>Puts a one, or a scale of one, into a row beyond the last.</summary>
    private static void Pad(byte[] data, BlockFormat format, int rows, int cols, int row)
    {
        int last = (int)(rows / 8 * format.Info().GroupBytes(cols)), element = format == BlockFormat.F32 ? 4 : 2;
        int at = last + (format.Info().HasScales ? (int)format.Info().ScalesOffset(cols) : 3 * 8 * element) + row * element;
        (format == BlockFormat.F32 ? BitConverter.GetBytes(1f) : BitConverter.GetBytes((ushort)0x3C00)).CopyTo(data, at);
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void ColumnsThatAreNotZero_HaveNoEffect(string name)
    {
        var format = Enum.Parse<BlockFormat>(name);
        string path = Shape.Write(_folder, format);
        byte[] changed = File.ReadAllBytes(path);
        foreach ((string tensor, int rows, int cols) in new[] { ("token_embd", 50, Width), ("blk.0.attn_q", Width, Width), ("blk.0.attn_output", Width, Width), ("blk.0.ffn_down", Width, Inner), ("blk.0.ffn_up", Inner, Width) })
            changed = ChangedFile.WithData(changed, tensor + ".weight", data => FillColumns(data, format, rows, cols));
        string other = Path.Combine(_folder, "changed.gguf");
        File.WriteAllBytes(other, changed);
        using QedModel sound = QedModel.Open(path), padded = QedModel.Open(other);
        float[] expected = Logits(sound, 0);
        foreach (int chunk in new[] { 0, 1, 2, 5 })
            Assert.Equal(expected, Logits(padded, chunk));
    }

    /// <summary>The largest quants (or ones) in the columns beyond the last, of real rows.</summary>
    private static void FillColumns(byte[] data, BlockFormat format, int rows, int cols)
    {
        int groupBytes = (int)format.Info().GroupBytes(cols), block = format.Info().QuantBytes;
        for (int row = 0; row < rows; row++)
        {
            for (int col = cols; col < PackedLayout.Blocks(cols) * 32; col++)
            {
                int group = row / 8 * groupBytes, lane = row % 8, b = col / 32, c = col % 32;
                switch (format)
                {
                    case BlockFormat.F32: BitConverter.GetBytes(1f).CopyTo(data, group + (col * 8 + lane) * 4); break;
                    case BlockFormat.F16: BitConverter.GetBytes((ushort)0x3C00).CopyTo(data, group + (col * 8 + lane) * 2); break;
                    case BlockFormat.Q8_0: data[group + b * block + c / 4 * 32 + lane * 4 + c % 4] = 0x80; break;
                    default:
                        int at = group + b * block + c % 16 / 4 * 32 + lane * 4 + c % 4;
                        data[at] = (byte)(c < 16 ? data[at] | 0x0F : data[at] | 0xF0);
                        break;
                }
            }
        }
    }

    private static float[] Logits(QedModel model, int chunk)
    {
        using Session session = model.CreateSession(new SessionOptions { ContextLength = 64 });
        session.Feed(Ids, new FeedOptions { ChunkSize = chunk });
        return session.Logits.ToArray();
    }

    /// <summary>Heads as wide as they may be, on workers with small stacks, stored in every type and moved.</summary>
    [Theory]
    [InlineData(KvCacheType.F32)]
    [InlineData(KvCacheType.F16)]
    [InlineData(KvCacheType.Q8_0)]
    public void TheWidestHeads_Run(KvCacheType kv)
    {
        RandomShape wide = Shape with { Heads = 2, HeadSize = GgufLimits.HeadSize };
        using QedModel model = QedModel.Open(wide.Write(_folder, BlockFormat.Q4_0));
        using Session two = model.CreateSession(new SessionOptions { ContextLength = 64, KvType = kv, Threads = 2 }), one = model.CreateSession(new SessionOptions { ContextLength = 64, KvType = kv, Threads = 1 });
        foreach (Session session in new[] { one, two })
        {
            session.Feed(Ids);
            session.Shift(1, 2);
            session.Feed(Ids);
        }
        Assert.True(one.Logits.SequenceEqual(two.Logits));
    }
}
