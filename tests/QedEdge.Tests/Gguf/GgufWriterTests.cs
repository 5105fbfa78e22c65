using QedEdge.Gguf;

namespace QedEdge.Tests.Gguf;

public class GgufWriterTests
{
    [Fact]
    public void Write_RoundTripsEveryTypeOfValue()
    {
        var bytes = GgufSample.Qed(more: writer =>
        {
            writer.Add("t.int", 7);
            writer.Add("t.u64", ulong.MaxValue);
            writer.Add("t.empty", "");
            writer.Add("t.text", "zażółć 😀\n");
            writer.Add("t.strings", (string[])["", "b", "ĠĊ"]);
            writer.Add("t.none", (string[])[]);
            writer.Add("t.u32s", (uint[])[1, uint.MaxValue]);
            writer.Add("t.i32s", (int[])[-1, int.MinValue]);
            writer.Add("t.f32s", (float[])[1.5f, float.NegativeInfinity]);
            writer.Add("t.u64s", (ulong[])[ulong.MaxValue]);
        });
        using var file = GgufSample.Open(bytes);
        var metadata = file.Metadata;
        Assert.Equal(3, file.Version);
        Assert.Equal(64, file.Alignment);
        Assert.Equal(bytes.Length, file.Length);
        Assert.True(file.HasHeaderChecksum);
        Assert.Equal("qed", metadata.GetString("general.architecture"));
        Assert.Equal(7u, metadata.GetUInt32("t.int"));
        Assert.Equal(GgufValueType.UInt32, metadata.TypeOf("t.int"));
        Assert.Equal(ulong.MaxValue, metadata.GetUInt64("t.u64"));
        Assert.Equal("", metadata.GetString("t.empty"));
        Assert.Equal("zażółć 😀\n", metadata.GetString("t.text"));
        Assert.Equal(1e-5f, metadata.GetFloat32(GgufKeys.RmsNormEpsilon));
        Assert.True(metadata.GetBool(GgufKeys.AddBosToken));
        var strings = metadata.GetArray("t.strings");
        Assert.Equal(["", "b", "ĠĊ"], Enumerable.Range(0, strings.Count).Select(strings.String));
        Assert.Equal(0, metadata.GetArray("t.none").Count);
        Assert.Equal([1, uint.MaxValue], metadata.GetArray("t.u32s").UInt32().ToArray());
        Assert.Equal([-1, int.MinValue], metadata.GetArray("t.i32s").Int32().ToArray());
        Assert.Equal([1.5f, float.NegativeInfinity], metadata.GetArray("t.f32s").Float32().ToArray());
        Assert.Equal([ulong.MaxValue], metadata.GetArray("t.u64s").UInt64().ToArray());
        Assert.Null(metadata.FindString("absent"));
        Assert.Null(metadata.FindUInt32("absent"));
        Assert.Null(metadata.FindArray("absent"));
        Assert.Equal("5 × String", metadata.Describe(GgufKeys.Tokens));
        Assert.Equal("1E-05", metadata.Describe(GgufKeys.RmsNormEpsilon));
        Assert.Contains(metadata.Keys, static key => key == "qed.checksum.tensors");
    }

    [Fact]
    public void Write_PlacesTensorsInOrder_AlignedAndPadded()
    {
        using var file = GgufSample.Open(GgufSample.Qed());
        Assert.Equal(["token_embd.weight", "empty", "output_norm.weight", "packed"], file.Tensors.Select(static tensor => tensor.Name));
        var packed = file.Find("packed")!;
        Assert.Equal([9, 33], packed.Dimensions);
        Assert.Equal(297, packed.ElementCount);
        Assert.Equal("packed Q4_0 packed [9, 33]", packed.ToString());
        Assert.All(file.Tensors, tensor => Assert.Equal(0, (tensor.Offset - file.DataOffset) % 64));
        Assert.Equal(file.Length, packed.Offset + packed.Bytes);
        Assert.Equal(0, file.Data(file.Find("empty")!).Length);
        Assert.Equal(640, file.Data(packed).Length);
        Assert.Null(file.Find("other"));

        var random = new Random(7);
        foreach (string name in (string[])["token_embd.weight", "output_norm.weight", "packed"])
        {
            var data = file.Data(file.Find(name)!);
            var expected = new byte[data.Length];
            random.NextBytes(expected);
            Assert.True(data.Span(0, expected.Length).SequenceEqual(expected), name);
        }
    }

    [Fact]
    public void Copy_TakesOverEveryKey_ExceptThoseOfTheWriter()
    {
        using var source = GgufSample.Open(GgufSample.Qed());
        var writer = new GgufWriter(alignment: 32, checksums: false);
        foreach (string key in source.Metadata.Keys)
            writer.Copy(source.Metadata, key);
        var stream = new MemoryStream();
        writer.Begin(stream);
        writer.End();
        using var copy = GgufSample.Open(stream.ToArray());
        Assert.Equal(32, copy.Alignment);
        Assert.False(copy.HasHeaderChecksum);
        Assert.Equal(
            source.Metadata.Keys.Where(static key => !key.StartsWith("qed.checksum", StringComparison.Ordinal)).Order(),
            copy.Metadata.Keys.Order());
        foreach (string key in copy.Metadata.Keys.Where(static key => key != GgufKeys.Alignment))
            Assert.True(copy.Metadata.Raw(key).SequenceEqual(source.Metadata.Raw(key)), key);
    }

    [Fact]
    public void Begin_StartsWhereTheStreamStands()
    {
        var writer = new GgufWriter();
        writer.AddTensor("t", TensorType.I8, [3], 3);
        var stream = new MemoryStream();
        stream.Write("before"u8);
        writer.Begin(stream);
        writer.WriteTensor(0, [1, 2, 3]);
        writer.End();
        var bytes = stream.ToArray();
        Assert.Equal("before"u8.ToArray(), bytes[..6]);
        Assert.Equal(stream.Length, stream.Position);
        using var file = GgufSample.Open(bytes[6..]);
        Assert.Equal([1, 2, 3], file.Data(file.Tensors[0]).Span(0, 3).ToArray());
        Assert.Empty(GgufChecksums.Verify(file, cancellation: TestContext.Current.CancellationToken));
    }

    [Fact]
    public void Set_ReplacesValues_UntilTheLastEnd()
    {
        var writer = new GgufWriter();
        writer.Add("before", "text");
        writer.Add("float", 0f);
        writer.Add("uint", 0u);
        writer.Add("text", "0000");
        writer.Add("array", new ulong[2]);
        writer.AddTensor("t", TensorType.I8, [3], 3);
        Assert.Throws<InvalidOperationException>(() => writer.Set("float", 1f)); // before the header is there
        var stream = new MemoryStream();
        writer.Begin(stream);
        writer.WriteTensor(0, [1, 2, 3]);
        writer.End();
        writer.Set("float", 1.5f);
        writer.Set("uint", 7u);
        writer.Set("text", "abcd");
        writer.Set("array", [3ul, 4ul]);
        Assert.Throws<ArgumentException>(() => writer.Set("text", "abc"));
        Assert.Throws<ArgumentException>(() => writer.Set("array", [1ul]));
        Assert.Throws<InvalidOperationException>(() => writer.Set("missing", 1f));
        writer.End();
        Assert.Equal(stream.Length, stream.Position);
        using var file = GgufSample.Open(stream.ToArray()); // compares the header's checksum
        Assert.Equal(("text", 1.5f, 7u, "abcd"), (file.Metadata.GetString("before"), file.Metadata.GetFloat32("float"), file.Metadata.GetUInt32("uint"), file.Metadata.GetString("text")));
        Assert.Equal([3ul, 4ul], file.Metadata.GetArray("array").UInt64().ToArray());
        Assert.Empty(GgufChecksums.Verify(file, cancellation: TestContext.Current.CancellationToken));
    }

    [Fact]
    public void Misuse_Throws()
    {
        var writer = new GgufWriter();
        writer.Add("k", 1u);
        Assert.Throws<ArgumentException>(() => writer.Add("k", 2f));
        Assert.Throws<ArgumentException>(() => writer.Add("", 2f));
        Assert.Throws<ArgumentException>(() => writer.Add(GgufKeys.Alignment, 2u));
        Assert.Throws<ArgumentOutOfRangeException>(() => writer.Add("negative", -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new GgufWriter(alignment: 48));
        writer.AddTensor("a", TensorType.F32, [2], 8);
        Assert.Throws<ArgumentException>(() => writer.AddTensor("a", TensorType.F32, [2], 8));
        Assert.Throws<ArgumentException>(() => writer.AddTensor("b", TensorType.F32, [2], 9));
        Assert.Throws<ArgumentException>(() => writer.AddTensor("c", TensorType.Q4_0, [2, 31], 36));
        Assert.Throws<ArgumentException>(() => writer.AddTensor("d", (TensorType)4, [32], 20));
        Assert.Throws<ArgumentException>(() => writer.AddTensor(new string('x', 64), TensorType.F32, [2], 8));
        Assert.Throws<InvalidOperationException>(writer.End);
        writer.AddTensor("e", TensorType.F32, [1], 4);
        writer.Begin(new MemoryStream());
        Assert.Throws<InvalidOperationException>(() => writer.Add("late", 1u));
        Assert.Throws<InvalidOperationException>(() => writer.WriteTensor(1, new byte[4]));
        Assert.Throws<InvalidOperationException>(() => writer.WriteTensor(0, new byte[9]));
        writer.WriteTensor(0, new byte[7]);
        Assert.Throws<InvalidOperationException>(writer.End);
    }
}
