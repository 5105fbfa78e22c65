using QedEdge.Gguf;
using static QedEdge.ModelFault;

namespace QedEdge.Tests.Gguf;

/// <summary>Bad files, one case each: refused with the right fault and a line that names the place.</summary>
public sealed class GgufRefusalTests
{
    private const uint F32 = 0, Q4_0 = 2, I8 = 24, I64 = 27, Bool = 7, String = 8, Array = 9;
    private const ulong Huge = 1UL << 63;

    /// <summary>Case, fault, a part of the message, the file.</summary>
    private static readonly (string Case, ModelFault Fault, string Says, byte[] Bytes)[] Files =
    [
        // What people hand over instead of a GGUF file.
        ("empty", ShortFile, "empty", []),
        ("one byte", ShortFile, "too early", "G"u8.ToArray()),
        ("three bytes", ShortFile, "too early", "GGU"u8.ToArray()),
        ("web page", NotGguf, "web page", "\r\n<!DOCTYPE html><html>Sign in</html>"u8.ToArray()),
        ("web page, BOM, upper case", NotGguf, "web page", [0xEF, 0xBB, 0xBF, .. "<HTML>"u8]),
        ("Git-LFS pointer", NotGguf, "git lfs pull", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"u8.ToArray()),
        ("zip", NotGguf, "zip archive", "PK\u0003\u0004\u0014\0\0\0"u8.ToArray()),
        ("gzip", NotGguf, "gzip", [0x1F, 0x8B, 8, 0]),
        ("safetensors", NotGguf, "qed-convert", [0x40, 0, 0, 0, 0, 0, 0, 0, .. "{\"a\":{}}"u8]),
        ("JSON", NotGguf, "JSON", "{ \"model_type\": \"qed\" }"u8.ToArray()),
        ("format before GGUF", NotGguf, "before GGUF", "tjgg\u0001\0\0\0"u8.ToArray()),
        ("bad magic", NotGguf, "46554747", new GgufBytes(magic: "FUGG").ToArray()),
        ("zeros", NotGguf, "00000000", new byte[64]),

        // Header.
        ("version 0", Damaged, "version 0", new GgufBytes(version: 0).ToArray()),
        ("version 1", Unsupported, "version 1", new GgufBytes(version: 1).ToArray()),
        ("version 4", Unsupported, "version 4", new GgufBytes(version: 4).ToArray()),
        ("big-endian", Unsupported, "big-endian", new GgufBytes(version: 0x0300_0000).ToArray()),
        ("tensor count -1", Damaged, "tensors", new GgufBytes(tensors: ulong.MaxValue).ToArray()),
        ("tensor count beyond the limit", Damaged, "65537 tensors", new GgufBytes(tensors: 65537).Raw(new byte[4096]).ToArray()),
        ("tensor count beyond the file", ShortFile, "2 tensors", new GgufBytes(tensors: 2).Tensor("a", F32, 0, 0).ToArray()),
        ("entry count -1", Damaged, "metadata entries", new GgufBytes(entries: ulong.MaxValue).ToArray()),
        ("entry count beyond the file", ShortFile, "3 metadata entries", new GgufBytes(entries: 3).Raw(new byte[41]).ToArray()),

        // Keys and values.
        ("key of no length", Damaged, "length of 0", Entry(static b => b.Key("", Bool).Raw(1, 0))),
        ("key of 65536 bytes", Damaged, "length of 65536", Entry(static b => b.Key(new string('k', 65536), Bool).Raw(1))),
        ("key length -1", Damaged, "18446744073709551615", Entry(static b => b.U64(ulong.MaxValue).U64(0))),
        ("key beyond the file", ShortFile, "too early", Entry(static b => b.U64(100).Raw(1, 2, 3))),
        ("key not UTF-8", Damaged, "not UTF-8", Entry(static b => b.U64(2).Raw(0xC3, 0x28).U32(Bool).Raw(1))),
        ("key with NUL", Damaged, "NUL", Entry(static b => b.Key("a\0b", Bool).Raw(1))),
        ("key twice", Damaged, "twice", new GgufBytes(0, 2).Key("k", Bool).Raw(1).Key("k", 4).U32(1).ToArray()),
        ("value type 13", Damaged, "13", Entry(static b => b.Key("k", 13).U64(0))),
        ("value type -1", Damaged, "4294967295", Entry(static b => b.Key("k", uint.MaxValue).U64(0))),
        ("bool 2", Damaged, "neither 0 nor 1", Entry(static b => b.Key("k", Bool).Raw(2))),
        ("bool 2 in an array", Damaged, "neither 0 nor 1", Entry(static b => b.Array("k", Bool, 3).Raw(0, 1, 2))),
        ("string length 2^63", Damaged, "9223372036854775808", Entry(static b => b.Key("k", String).U64(Huge))),
        ("string length -1", Damaged, "18446744073709551615", Entry(static b => b.Key("k", String).U64(ulong.MaxValue))),
        ("string beyond the file", ShortFile, "too early", Entry(static b => b.Key("k", String).U64(5).Raw(1, 2, 3, 4))),
        ("string in an array beyond the file", ShortFile, "too early", Entry(static b => b.Array("k", String, 2).Text("a").U64(9).Raw(1))),
        ("string length 2^63 in an array", Damaged, "a string", Entry(static b => b.Array("k", String, 2).Text("a").U64(Huge))),
        ("array of type 13", Damaged, "element type 13", Entry(static b => b.Array("k", 13, 0))),
        ("arrays of arrays, too deep", Unsupported, "more than 4 deep", Entry(static b => b.Array("k", Array, 1).U32(Array).U64(1).U32(Array).U64(1).U32(Array).U64(1).U32(4).U64(0))),
        ("array in an array beyond the file", ShortFile, "an array needs", Entry(static b => b.Array("k", Array, 2).U32(4).U64(1).U32(7).U32(4).U64(100))),
        ("array in an array of type 13", Damaged, "element type 13", Entry(static b => b.Array("k", Array, 1).U32(13).U64(0))),
        ("array length 2^63", Damaged, "9223372036854775808", Entry(static b => b.Array("k", 4, Huge).U64(0))),
        ("array length that wraps to 0 bytes", Damaged, "elements", Entry(static b => b.Array("k", 10, 1UL << 61).U64(0))),
        ("string array length that wraps", Damaged, "elements", Entry(static b => b.Array("k", String, (1UL << 61) + 1).Text(""))),
        ("array beyond the file", ShortFile, "an array needs 12 bytes", Entry(static b => b.Array("k", 4, 3).U64(0))),
        ("alignment 0", Damaged, "alignment of 0", Aligned(0)),
        ("alignment 13", Damaged, "alignment of 13", Aligned(13)),
        ("alignment 128 K", Damaged, "alignment of 131072", Aligned(131072)),
        ("alignment of another type", Damaged, "Int32", Entry(static b => b.Key("general.alignment", 5).U32(32))),
        ("alignment an array", Damaged, "Array", Entry(static b => b.Array("general.alignment", 4, 1).U32(32))),

        // Tensors.
        ("name of no length", Damaged, "length of 0", Tensor(static b => b.Tensor("", F32, 0, 1))),
        ("name of 64 bytes", Damaged, "length of 64", Tensor(static b => b.Tensor(new string('n', 64), F32, 0, 1))),
        ("name twice", Damaged, "twice", new GgufBytes(2).Tensor("t", I8, 0, 1).Tensor("t", I8, 32, 1).Data(64).ToArray()),
        ("no dimensions", Damaged, "0 dimensions", Tensor(static b => b.Tensor("t", F32, 0))),
        ("five dimensions", Damaged, "5 dimensions", Tensor(static b => b.Tensor("t", F32, 0, 1, 1, 1, 1, 1))),
        ("dimension -1", Damaged, "-1", Tensor(static b => b.Tensor("t", F32, 0, ulong.MaxValue))),
        ("dimensions whose product wraps", Damaged, "product", Tensor(static b => b.Tensor("t", I8, 0, 1UL << 32, 1UL << 32))),
        ("product that wraps behind a zero", Damaged, "product", Tensor(static b => b.Tensor("t", I8, 0, 1UL << 32, 0, 1UL << 32))),
        ("bytes that wrap", Damaged, "size in bytes", Tensor(static b => b.Tensor("t", I64, 0, 1UL << 61))),
        ("row of a part of a block", Damaged, "block of 32", Tensor(static b => b.Tensor("t", Q4_0, 0, 33, 1))),
        ("packed with one dimension", Damaged, "two dimensions", Tensor(static b => b.Tensor("t", (uint)TensorType.PackedQ4_0, 0, 32))),
        ("packed with a dimension of 2^31", Damaged, "two dimensions", Tensor(static b => b.Tensor("t", (uint)TensorType.PackedQ4_0, 0, 32, 1UL << 31))),
        ("packed whose bytes wrap", Damaged, "size in bytes", Tensor(static b => b.Tensor("t", (uint)TensorType.PackedF32, 0, int.MaxValue, int.MaxValue))),
        ("type unknown", Unsupported, "type 1000 is unknown", Tensor(static b => b.Tensor("t", 1000, 0, 32))),
        ("type removed", Unsupported, "type 4 was removed", Tensor(static b => b.Tensor("t", 4, 0, 32))),
        ("type repacked, removed", Unsupported, "type 31 was removed", Tensor(static b => b.Tensor("t", 31, 0, 32))),
        ("offset not aligned", Damaged, "no multiple", Tensor(static b => b.Tensor("t", I8, 8, 1))),
        ("offset -32", Damaged, "cannot lie", Tensor(static b => b.Tensor("t", I8, ulong.MaxValue - 31, 1))),
        ("offset beyond the file", Damaged, "cannot lie", Tensor(static b => b.Tensor("t", I8, 4096, 1))),
        ("offset of an empty tensor beyond the file", Damaged, "cannot lie", Tensor(static b => b.Tensor("t", I8, 4096, 0))),
        ("size beyond any file", Damaged, "cannot lie", Tensor(static b => b.Tensor("t", I8, 0, long.MaxValue))),
        ("two sizes whose sum wraps", Damaged, "cannot lie", new GgufBytes(2).Tensor("a", I8, 0, 0x7FFF_FFFF_FFFF_FFC0).Tensor("b", I8, 0x7FFF_FFFF_FFFF_FFC0, 0x7FFF_FFFF_FFFF_FFC0).Data(32).ToArray()),
        ("one byte of data missing", ShortFile, "too early", Tensor(static b => b.Tensor("t", I8, 0, 33))),
        ("no data at all", ShortFile, "too early", new GgufBytes(1).Tensor("t", I8, 0, 1).ToArray()),
        ("overlap", Damaged, "overlap", new GgufBytes(2).Tensor("a", I8, 0, 33).Tensor("b", I8, 32, 1).Data(64).ToArray()),
        ("overlap, descending", Damaged, "overlap", new GgufBytes(2).Tensor("a", I8, 32, 1).Tensor("b", I8, 0, 33).Data(64).ToArray()),
        ("same data twice", Damaged, "overlap", new GgufBytes(2).Tensor("a", I8, 0, 1).Tensor("b", I8, 0, 1).Data(64).ToArray()),

        // Checksums.
        ("header checksum of another type", Damaged, "UInt64", Entry(static b => b.Key(GgufKeys.HeaderChecksum, 4).U32(1))),
        ("header checksum wrong", Damaged, "checksum", new GgufBytes(0, 1).Key(GgufKeys.HeaderChecksum, 10).U64(1).Data(0).ToArray()),
    ];

    public static TheoryData<string> Cases => [.. Files.Select(static file => file.Case)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Open_Refuses(string name)
    {
        var (_, fault, says, bytes) = Files.Single(file => file.Case == name);
        var error = GgufSample.Refuse(bytes);
        Assert.Equal(fault, error.Fault);
        Assert.Contains(says, error.Message);
        Assert.StartsWith(fault == ModelFault.Damaged ? "damaged file: sample: " : "sample: ", error.Message);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public void Refusal_NamesKeyOrTensorAndOffset()
    {
        var error = GgufSample.Refuse(Entry(static b => b.Key("my.key", Bool).Raw(2)));
        Assert.Equal(("my.key", 24 + 8 + 6 + 4), (error.Key, error.Offset));
        Assert.Contains("key 'my.key'", error.Message);
        error = GgufSample.Refuse(Tensor(static b => b.Tensor("my.weight", 1000, 0, 1)));
        Assert.Equal("my.weight", error.Tensor);
        Assert.Contains("tensor 'my.weight'", error.Message);
    }

    [Fact]
    public void Refusal_StaysOneLine_WhateverTheKeyHolds()
    {
        var error = GgufSample.Refuse(Entry(static b => b.Key("a\r\n\u001b[31m" + new string('k', 500), Bool).Raw(2)));
        Assert.DoesNotContain('\u001b', error.Message);
        Assert.DoesNotContain('\n', error.Message);
        Assert.True(error.Message.Length < 250, error.Message);
    }

    [Fact]
    public void Text_ThatIsNotUtf8_IsRefusedWhenAskedFor()
    {
        using var file = GgufSample.Open(new GgufBytes(0, 2).Key("s", String).U64(1).Raw(0xFF).Array("a", String, 1).U64(1).Raw(0xFF).ToArray());
        Assert.Equal("s", Assert.Throws<ModelFormatException>(() => file.Metadata.FindString("s")).Key);
        Assert.Equal("a", Assert.Throws<ModelFormatException>(() => file.Metadata.GetArray("a").String(0)).Key);
        Assert.Equal([0xFF], file.Metadata.GetArray("a").Utf8(0).ToArray());
    }

    [Fact]
    public void Open_BoundsTheMemoryOfKeys()
    {
        // 300 keys of 64 KiB: sound one by one, too much together.
        var bytes = new GgufBytes(0, 300);
        for (int i = 0; i < 300; i++)
            bytes.Key(new string('k', 65000) + i, Bool).Raw(1);
        var raw = bytes.ToArray();
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Equal(Unsupported, GgufSample.Refuse(raw).Fault);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 << 20);
    }

    [Fact]
    public void Open_BoundsTheMemoryOfTables()
    {
        var bytes = new GgufBytes(65536, 65536);
        for (int i = 0; i < 65536; i++)
            bytes.Key($"{i:x}", Bool).Raw(1);
        for (int i = 0; i < 65536; i++)
            bytes.Tensor($"{i:x}", F32, 0, 0);
        var raw = bytes.ToArray();
        long before = GC.GetAllocatedBytesForCurrentThread();
        using var file = GgufSample.Open(raw);
        Assert.Equal((65536, 65536), (file.Metadata.Keys.Count, file.Tensors.Count));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 << 20);
    }

    private static byte[] Entry(Action<GgufBytes> write)
    {
        var bytes = new GgufBytes(0, 1);
        write(bytes);
        return bytes.ToArray();
    }

    private static byte[] Aligned(uint alignment) => Entry(b => b.Key("general.alignment", 4).U32(alignment));

    private static byte[] Tensor(Action<GgufBytes> write)
    {
        var bytes = new GgufBytes(1);
        write(bytes);
        return bytes.Data(32).ToArray();
    }
}
