using QedEdge.Gguf;
using QedEdge.Model;

namespace QedEdge.Tests.Gguf;

/// <summary>Files damaged at every place: never another exception, never silence where a checksum watches.</summary>
public sealed class GgufDamageTests
{
    private static readonly byte[] Masks = [1, 2, 4, 8, 16, 32, 64, 128, 255];

    [Theory]
    [InlineData(true), InlineData(false)]
    public void Truncated_AtEveryByte_IsAShortFile(bool checksums)
    {
        var bytes = GgufSample.Qed(checksums);
        int end;
        using (var file = GgufSample.Open(bytes))
            end = (int)(file.Tensors[^1].Offset + file.Tensors[^1].Bytes);
        for (int length = 0; length < end; length++)
        {
            var error = GgufSample.Refuse(bytes[..length]);
            Assert.True(error.Fault == ModelFault.ShortFile, $"{length}: {error.Fault} {error.Message}");
        }
        GgufSample.Open(bytes[..end]).Dispose();
    }

    [Fact]
    public void Flipped_HeaderByte_IsRefused()
    {
        var bytes = GgufSample.Qed();
        foreach (var (position, flipped) in Flips(bytes))
        {
            var error = Record.Exception(() =>
            {
                using var file = GgufSample.Open(flipped);
                ModelConfig.Read(file);
            });
            Assert.True(error is ModelFormatException, $"byte {position}: {error}");
        }
    }

    [Fact]
    public void Flipped_HeaderByte_WithoutChecksums_OpensOrIsRefused()
    {
        var bytes = GgufSample.Qed(checksums: false);
        foreach (var (position, flipped) in Flips(bytes))
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            var error = Record.Exception(() =>
            {
                using var file = GgufSample.Open(flipped);
                ReadEverything(file);
                ModelConfig.Read(file);
            });
            Assert.True(error is ModelFormatException, $"byte {position}: {error}");
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 22);
        }
    }

    [Fact]
    public void Random_DamageInSeveralPlaces_OpensOrIsRefused()
    {
        var bytes = GgufSample.Qed(checksums: false);
        var random = new Random(11);
        for (int round = 0; round < 20_000; round++)
        {
            var damaged = bytes[..random.Next(24, bytes.Length + 1)];
            for (int i = random.Next(1, 6); i > 0; i--)
                damaged[random.Next(8, Math.Min(damaged.Length, 1200))] = random.Next(3) == 0 ? (byte)0xFF : (byte)random.Next(256);
            var error = Record.Exception(() =>
            {
                using var file = GgufSample.Open(damaged);
                ReadEverything(file);
            });
            Assert.True(error is null or ModelFormatException, $"round {round}: {error}");
        }
    }

    [Fact]
    public void Verify_NamesEveryDamagedTensor()
    {
        var token = TestContext.Current.CancellationToken;
        var bytes = GgufSample.Qed();
        var tensors = new List<GgufTensorInfo>();
        using (var file = GgufSample.Open(bytes))
        {
            tensors.AddRange(file.Tensors);
            long seen = 0;
            Assert.Empty(GgufChecksums.Verify(file, done => seen = done, token));
            Assert.Equal(tensors.Sum(static tensor => tensor.Bytes), seen);
        }
        foreach (var tensor in tensors)
        {
            for (long i = 0; i < tensor.Bytes; i++)
            {
                var damaged = (byte[])bytes.Clone();
                damaged[tensor.Offset + i] ^= 1;
                using var file = GgufSample.Open(damaged);
                Assert.Equal([tensor.Name], GgufChecksums.Verify(file, cancellation: token));
            }
        }
        bytes[tensors[0].Offset] ^= 0x80;
        bytes[tensors[3].Offset + 5] ^= 0x80;
        using var twice = GgufSample.Open(bytes);
        Assert.Equal([tensors[0].Name, tensors[3].Name], GgufChecksums.Verify(twice, cancellation: token));
    }

    [Fact]
    public void Verify_SaysWhereThereIsNothingToCompare()
    {
        using var file = GgufSample.Open(GgufSample.Qed(checksums: false));
        Assert.False(GgufChecksums.Present(file));
        Assert.Equal(ModelFault.Unsupported, Assert.Throws<ModelFormatException>(() => GgufChecksums.Verify(file, cancellation: TestContext.Current.CancellationToken)).Fault);
        using var few = GgufSample.Open(new GgufBytes(1, 1).Array(GgufKeys.TensorChecksums, 10, 0).Tensor("t", 24, 0, 1).Data(1).ToArray());
        Assert.Equal(ModelFault.Damaged, Assert.Throws<ModelFormatException>(() => GgufChecksums.Verify(few, cancellation: TestContext.Current.CancellationToken)).Fault);
    }

    private static IEnumerable<(int Position, byte[] Bytes)> Flips(byte[] bytes)
    {
        int header;
        using (var file = GgufSample.Open(bytes))
            header = (int)file.DataOffset;
        for (int position = 0; position < header; position++)
        {
            foreach (byte mask in Masks)
            {
                bytes[position] ^= mask;
                yield return (position, bytes);
                bytes[position] ^= mask;
            }
        }
    }

    private static void ReadEverything(GgufFile file)
    {
        foreach (string key in file.Metadata.Keys)
        {
            if (file.Metadata.TypeOf(key) == GgufValueType.Array && file.Metadata.GetArray(key) is { ElementType: GgufValueType.String } strings)
            {
                for (int i = 0; i < strings.Count; i++)
                    _ = strings.Utf8(i).Length;
            }
            else
            {
                _ = Record.Exception(() => file.Metadata.Describe(key)) is null or ModelFormatException ? 0 : throw new InvalidOperationException(key);
            }
        }
        foreach (var tensor in file.Tensors)
        {
            var data = file.Data(tensor);
            if (data.Length > 0)
                _ = data.Span(0, 1)[0] + data.Span(data.Length - 1, 1)[0];
        }
    }
}
