using QedEdge.Gguf;
using QedEdge.Memory;

namespace QedEdge.Tests.Gguf;

/// <summary>Good files that must open: each stands beside a reason to refuse that is close to it.</summary>
public sealed class GgufFileTests
{
    private const uint F32 = 0, I8 = 24, String = 8;

    [Theory]
    [InlineData(2u)]
    [InlineData(3u)]
    public void Open_TakesVersions2And3(uint version)
    {
        using var file = GgufSample.Open(new GgufBytes(1, 1, version).Key("k", 4).U32(5).Tensor("t", F32, 0, 2).Data(8).ToArray());
        Assert.Equal((int)version, file.Version);
        Assert.Equal(5u, file.Metadata.GetUInt32("k"));
        Assert.Equal(32, file.Alignment);
        Assert.Equal([2], file.Find("t")!.Dimensions);
    }

    [Fact]
    public void Open_TakesAFileWithNothingInIt()
    {
        using var file = GgufSample.Open(new GgufBytes().ToArray());
        Assert.Empty(file.Tensors);
        Assert.Empty(file.Metadata.Keys);
    }

    [Fact]
    public void Open_TakesEveryTypeOfValue()
    {
        var bytes = new GgufBytes(0, 26)
            .Key("u8", 0).Raw(200).Key("i8", 1).Raw(0xFF).Key("u16", 2).Raw(1, 2).Key("i16", 3).Raw(0xFE, 0xFF)
            .Key("u32", 4).U32(uint.MaxValue).Key("i32", 5).U32(7).Key("f32", 6).U32(BitConverter.SingleToUInt32Bits(0.5f))
            .Key("bool", 7).Raw(1).Key("str", String).Text("text").Key("u64", 10).U64(ulong.MaxValue).Key("i64", 11).U64(ulong.MaxValue)
            .Key("f64", 12).U64(BitConverter.DoubleToUInt64Bits(0.25)).Array("empty", 4, 0);
        for (uint type = 0; type <= 12; type++)
        {
            int size = type == String ? 8 : GgufValueTypes.Size((GgufValueType)type);
            bytes.Array($"array{type}", type == 9 ? 0 : type, 2).Raw(new byte[2 * (type == 9 ? 1 : size)]);
        }
        using var file = GgufSample.Open(bytes.ToArray());
        var metadata = file.Metadata;
        Assert.Equal(200u, metadata.GetUInt32("u8"));
        Assert.Equal(-1, metadata.FindInt64("i8"));
        Assert.Equal(0x201u, metadata.GetUInt32("u16"));
        Assert.Equal(-2, metadata.FindInt64("i16"));
        Assert.Equal(uint.MaxValue, metadata.GetUInt32("u32"));
        Assert.Equal(7u, metadata.GetUInt32("i32"));
        Assert.Equal(0.5f, metadata.GetFloat32("f32"));
        Assert.Equal(0.5, metadata.FindFloat64("f32"));
        Assert.Equal(0.25, metadata.FindFloat64("f64"));
        Assert.True(metadata.GetBool("bool"));
        Assert.Equal("text", metadata.GetString("str"));
        Assert.Equal(ulong.MaxValue, metadata.GetUInt64("u64"));
        Assert.Equal(-1, metadata.FindInt64("i64"));
        Assert.Equal("-1", metadata.Describe("i64"));
        Assert.Equal("18446744073709551615", metadata.Describe("u64"));
        Assert.Equal("0.25", metadata.Describe("f64"));
        Assert.Equal(0, metadata.GetArray("empty").Count);
        Assert.Equal("", metadata.GetArray("array8").String(1));

        foreach (string key in (string[])["u64", "i64", "i8", "f32", "bool", "str", "array4"])
        {
            var error = Assert.Throws<ModelFormatException>(() => metadata.FindUInt32(key));
            Assert.Equal((ModelFault.Damaged, key), (error.Fault, error.Key));
        }
        Assert.Throws<ModelFormatException>(() => metadata.FindInt64("u64"));
        Assert.Throws<ModelFormatException>(() => metadata.FindUInt64("i64"));
        Assert.Throws<ModelFormatException>(() => metadata.FindFloat32("f64"));
        Assert.Throws<ModelFormatException>(() => metadata.FindFloat64("u32"));
        Assert.Throws<ModelFormatException>(() => metadata.FindString("u32"));
        Assert.Throws<ModelFormatException>(() => metadata.FindBool("u8"));
        Assert.Throws<ModelFormatException>(() => metadata.FindArray("str"));
        Assert.Throws<ModelFormatException>(() => metadata.GetArray("array4").Int32().Length);
        Assert.Throws<ModelFormatException>(() => metadata.GetArray("array4").Utf8(0).Length);
        Assert.Throws<ModelFormatException>(() => metadata.GetUInt32("absent"));
    }

    [Theory]
    [InlineData(1), InlineData(2), InlineData(4), InlineData(8), InlineData(16), InlineData(32), InlineData(64), InlineData(128)]
    [InlineData(256), InlineData(512), InlineData(1024), InlineData(2048), InlineData(4096), InlineData(65536)]
    public void Open_TakesEveryAlignment(int alignment)
    {
        var bytes = new GgufBytes(2, 1).Key("general.alignment", 4).U32((uint)alignment)
            .Tensor("a", I8, 0, 3).Tensor("b", I8, (ulong)Math.Max(alignment, 4), 2).Data(Math.Max(alignment, 4) + 2, alignment).ToArray();
        using var file = GgufSample.Open(bytes);
        Assert.Equal(alignment, file.Alignment);
        Assert.Equal(0, file.DataOffset % alignment);
        Assert.Equal(bytes.Length, file.Find("b")!.Offset + 2);
        Assert.Equal([0, 1, 2], file.Data(file.Find("a")!).Span(0, 3).ToArray());
    }

    [Fact]
    public void Open_TakesArraysOfArrays_AndPassesOverThem()
    {
        using var file = GgufSample.Open(new GgufBytes(0, 2).Array("nested", 9, 2).U32(4).U64(2).U32(7).U32(8).U32(9).U64(1).U32(String).U64(1).Text("a").Key("next", 4).U32(5).ToArray());
        Assert.Equal("2 × Array", file.Metadata.Describe("nested"));
        Assert.Equal("5", file.Metadata.Describe("next"));
    }

    [Fact]
    public void Open_TakesZeroDimensions_WhateverTheOthersAre()
    {
        using var file = GgufSample.Open(new GgufBytes(4)
            .Tensor("a", F32, 0, 0).Tensor("b", F32, 0, 5, 0, 7).Tensor("c", 2, 0, 32, 0).Tensor("d", F32, 32, 0, 1UL << 60).Data(32).ToArray());
        Assert.All(file.Tensors, static tensor => Assert.Equal((0, 0), (tensor.Bytes, tensor.ElementCount)));
        Assert.Equal([7, 0, 5], file.Find("b")!.Dimensions);
        Assert.All(file.Tensors, tensor => Assert.Equal(0, file.Data(tensor).Length));
    }

    [Fact]
    public void Open_TakesAFileThatEndsBeforeItsPadding_WhereNoDataFollow()
    {
        using var empty = GgufSample.Open(new GgufBytes(1).Tensor("a", F32, 0, 0).ToArray());
        Assert.Equal(0, empty.Data(empty.Tensors[0]).Length);
        using var last = GgufSample.Open(new GgufBytes(2).Tensor("a", F32, 0, 1).Tensor("b", F32, 32, 0).Data(4).ToArray());
        Assert.Equal(4, last.Data(last.Tensors[0]).Length);
    }

    [Fact]
    public void Open_TakesTensorsInAnyOrder_WithGaps_AndBytesBehindTheLast()
    {
        using var file = GgufSample.Open(new GgufBytes(3)
            .Tensor("third", I8, 96, 4).Tensor("first", I8, 0, 32).Tensor("second", I8, 32, 1).Data(133).ToArray());
        Assert.Equal([96, 97, 98, 99], file.Data(file.Find("third")!).Span(0, 4).ToArray());
        Assert.Equal(["third", "first", "second"], file.Tensors.Select(static tensor => tensor.Name));
    }

    [Fact]
    public void Open_TakesOddNames()
    {
        string name = new('n', 63), key = new('k', 65535);
        using var file = GgufSample.Open(new GgufBytes(1, 2).Key(key, 7).Raw(1).Key("schlüssel", 7).Raw(0).Tensor(name, F32, 0, 1).Data(4).ToArray());
        Assert.True(file.Metadata.GetBool(key));
        Assert.False(file.Metadata.GetBool("schlüssel"));
        Assert.NotNull(file.Find(name));
    }

    [Fact]
    public void Open_TakesOtherArchitectures_AndEveryStandardType()
    {
        uint[] types = [.. Enum.GetValues<TensorType>().Where(static type => !TensorTypes.IsPacked(type)).Select(static type => (uint)type)];
        var bytes = new GgufBytes((ulong)types.Length, 1).Key("general.architecture", String).Text("llama");
        ulong offset = 0;
        foreach (uint type in types)
        {
            bytes.Tensor($"t{type}", type, offset, 256, 2);
            Assert.Null(TensorTypes.TryBytes((TensorType)type, [2, 256], out long size));
            offset += (ulong)(size + 31) / 32 * 32;
        }
        using var file = GgufSample.Open(bytes.Data((int)offset).ToArray());
        Assert.Equal(types.Length, file.Tensors.Count);
        Assert.All(file.Tensors, static tensor => Assert.DoesNotContain("type", TensorTypes.Name(tensor.Type)));
        // Bytes of 512 values as ggml's block structures give them.
        Assert.Equal(2 * 256 / 32 * 18, file.Find("t2")!.Bytes);
        Assert.Equal(2 * 256 / 32 * 34, file.Find("t8")!.Bytes);
        Assert.Equal(2 * 144, file.Find("t12")!.Bytes);
        Assert.Equal(2 * 210, file.Find("t14")!.Bytes);
        Assert.Equal(1024, file.Find("t30")!.Bytes);
    }

    [Theory]
    [InlineData(1), InlineData(7), InlineData(4096)]
    public void Open_TakesAFileInsideAnother_AtAnyOffset(int offset)
    {
        var inner = GgufSample.Qed();
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(path, [.. new byte[offset], .. inner, .. new byte[100]]);
            var mapped = MappedFile.Open(path);
            using var file = GgufFile.Open(mapped.View.Slice(offset, inner.Length + 100), "part", mapped);
            Assert.Equal("part", file.Name);
            Assert.Equal(inner.Length + 100, file.Length);
            Assert.Empty(GgufChecksums.Verify(file, cancellation: TestContext.Current.CancellationToken));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void Dispose_EndsUse_InsteadOfReadingUnmappedMemory()
    {
        var file = GgufSample.Open(GgufSample.Qed());
        var tokens = file.Metadata.GetArray(GgufKeys.Tokens);
        file.Dispose();
        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => file.Metadata.FindString(GgufKeys.Name));
        Assert.Throws<ObjectDisposedException>(() => tokens.String(0));
        Assert.Throws<ObjectDisposedException>(() => file.Data(file.Tensors[0]).Length);
    }
}
