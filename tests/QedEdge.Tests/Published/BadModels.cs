using QedEdge.Gguf;
using QedEdge.Tests.Gguf;
using static QedEdge.ModelFault;

namespace QedEdge.Tests.Published;

/// <summary>A file that no command may accept.</summary>
/// <param name="Kind">What is wrong, in words.</param>
/// <param name="Fault">How the error must classify it.</param>
/// <param name="Says">A part of the error that is specific to it.</param>
/// <param name="Create">Makes the file's bytes.</param>
/// <param name="Commands">The commands that look far enough to see it; the others accept the file.</param>
internal sealed record BadModel(string Kind, ModelFault Fault, string Says, Func<byte[]> Create, params string[] Commands)
{
    /// <summary>Whether inspect, which accepts the file, says of it that it does not run, and why.</summary>
    public bool IsSaidByInspect { get; init; }
}

/// <summary>One file for every kind of damage and of mistaken file: short ones, the containers', the hyperparameters', the tensors', the tokenizer's.</summary>
internal static class BadModels
{
    private const uint F32 = 0, Q4_0 = 2, I8 = 24, Bool = 7, String = 8, Array = 9;
    private const ulong Huge = 1UL << 63;

    public static IReadOnlyList<BadModel> All { get; } =
    [
        // What people hand over instead of a model.
        Any("empty file", ShortFile, "empty", static () => []),
        Any("web page", NotGguf, "web page", static () => [.. "<!DOCTYPE html><html><body>404</body></html>"u8]),
        Any("Git-LFS pointer", NotGguf, "git lfs pull", static () => [.. "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"u8]),
        Any("zip archive", NotGguf, "zip", static () => [.. "PK\u0003\u0004"u8, .. new byte[60]]),
        Any("safetensors file", NotGguf, "qed-convert", static () => [0x40, 0, 0, 0, 0, 0, 0, 0, .. "{\"a\":{}}"u8]),
        Any("other magic", NotGguf, "46554747", static () => new GgufBytes(magic: "FUGG").ToArray()),

        // Cut off.
        Any("cut in the magic", ShortFile, "3 bytes", static () => GgufSample.Qed()[..3]),
        Any("cut in the counts", ShortFile, "number of", static () => GgufSample.Qed()[..20]),
        Any("cut in a key", ShortFile, "metadata key", static () => Until(GgufSample.Qed(), "add_bos"u8)),
        Any("cut in the metadata", ShortFile, "byte", static () => GgufSample.Qed()[..600]),
        Any("cut before the data", ShortFile, "byte", static () => GgufSample.Qed()[..^1400]),
        Any("cut in the data", ShortFile, "packed", static () => GgufSample.Qed()[..^300]),
        Any("last byte missing", ShortFile, "32 bytes", static () => Tensor(static b => b.Tensor("t", I8, 0, 32))[..^1]),

        // The container.
        Any("version 0", Damaged, "version 0", static () => new GgufBytes(version: 0).ToArray()),
        Any("version 4", Unsupported, "version 4", static () => new GgufBytes(version: 4).ToArray()),
        Any("big-endian", Unsupported, "big-endian", static () => new GgufBytes(version: 0x0300_0000).ToArray()),
        Any("tensor count of 2^64 - 1", Damaged, "tensors", static () => new GgufBytes(tensors: ulong.MaxValue).ToArray()),
        Any("entry count of 2^64 - 1", Damaged, "metadata entries", static () => new GgufBytes(entries: ulong.MaxValue).ToArray()),
        Any("counts beyond the file", ShortFile, "60000 tensors", static () => new GgufBytes(60000, 60000).Raw(new byte[4096]).ToArray()),
        Any("key length of 2^63", Damaged, "9223372036854775808", static () => Entry(static b => b.U64(Huge).U64(0))),
        Any("empty key", Damaged, "length of 0", static () => Entry(static b => b.Key("", 4).U32(1))),
        Any("key that is not UTF-8", Damaged, "not UTF-8", static () => Entry(static b => b.U64(2).Raw(0xC3, 0x28).U32(Bool).Raw(1))),
        Any("key with terminal escapes", Damaged, @"\u001b[31m", static () => Entry(static b => b.Key("a\r\n\u001b[31m", Bool).Raw(2))),
        Any("key twice", Damaged, "twice", static () => new GgufBytes(0, 2).Key("k", Bool).Raw(1).Key("k", 4).U32(1).ToArray()),
        Any("value of an unknown type", Damaged, "value type 13", static () => Entry(static b => b.Key("k", 13).U64(0))),
        Any("bool of 2", Damaged, "neither 0 nor 1", static () => Entry(static b => b.Key("k", Bool).Raw(2))),
        Any("string length of 2^63", Damaged, "9223372036854775808", static () => Entry(static b => b.Key("k", String).U64(Huge))),
        Any("string beyond the file", ShortFile, "too early", static () => Entry(static b => b.Key("k", String).U64(1 << 29).Raw(1))),
        Any("array of an unknown type", Damaged, "element type 13", static () => Entry(static b => b.Array("k", 13, 1 << 20))),
        Any("arrays of arrays, too deep", Unsupported, "more than 4 deep", static () => Entry(static b => b.Array("k", Array, 1).U32(Array).U64(1).U32(Array).U64(1).U32(Array).U64(1).U32(4).U64(0))),
        Any("array length of 2^63", Damaged, "9223372036854775808", static () => Entry(static b => b.Array("k", 4, Huge).U64(0))),
        Any("array whose size wraps to 0", Damaged, "elements", static () => Entry(static b => b.Array("k", 10, 1UL << 61).U64(0))),
        Any("string array whose size wraps", Damaged, "elements", static () => Entry(static b => b.Array("k", String, (1UL << 61) + 1).Text(""))),
        Any("array of 2^30 beyond the file", ShortFile, "an array needs", static () => Entry(static b => b.Array("k", 0, 1 << 30).U64(0))),
        Any("alignment of 13", Damaged, "alignment of 13", static () => Entry(static b => b.Key("general.alignment", 4).U32(13))),
        Any("header that differs from its checksum", Damaged, "checksum", static () => Flipped(GgufSample.Qed(), "sample"u8)),

        // The tensor table.
        Any("tensor name of 64 bytes", Damaged, "length of 64", static () => Tensor(static b => b.Tensor(new string('n', 64), F32, 0, 1))),
        Any("tensor twice", Damaged, "twice", static () => new GgufBytes(2).Tensor("t", I8, 0, 1).Tensor("t", I8, 32, 1).Data(64).ToArray()),
        Any("no dimensions", Damaged, "0 dimensions", static () => Tensor(static b => b.Tensor("t", F32, 0))),
        Any("five dimensions", Damaged, "5 dimensions", static () => Tensor(static b => b.Tensor("t", F32, 0, 1, 1, 1, 1, 1))),
        Any("dimension of -1", Damaged, "-1", static () => Tensor(static b => b.Tensor("t", F32, 0, ulong.MaxValue))),
        Any("dimensions whose product wraps", Damaged, "product", static () => Tensor(static b => b.Tensor("t", I8, 0, 1UL << 32, 1UL << 32))),
        Any("product that wraps behind a zero", Damaged, "product", static () => Tensor(static b => b.Tensor("t", I8, 0, 1UL << 32, 0, 1UL << 32))),
        Any("size in bytes that wraps", Damaged, "size in bytes", static () => Tensor(static b => b.Tensor("t", 27, 0, 1UL << 61))),
        Any("row of a part of a block", Damaged, "block of 32", static () => Tensor(static b => b.Tensor("t", Q4_0, 0, 33, 1))),
        Any("unknown tensor type", Unsupported, "type 1000", static () => Tensor(static b => b.Tensor("t", 1000, 0, 32))),
        Any("removed tensor type", Unsupported, "type 4 was removed", static () => Tensor(static b => b.Tensor("t", 4, 0, 32))),
        Any("offset that is not aligned", Damaged, "no multiple", static () => Tensor(static b => b.Tensor("t", I8, 8, 1))),
        Any("offset of -32", Damaged, "cannot lie", static () => Tensor(static b => b.Tensor("t", I8, ulong.MaxValue - 31, 1))),
        Any("range outside the file", Damaged, "cannot lie", static () => Tensor(static b => b.Tensor("t", I8, 4096, 1))),
        Any("sizes whose sum wraps", Damaged, "cannot lie", static () => new GgufBytes(2).Tensor("a", I8, 0, 0x7FFF_FFFF_FFFF_FFC0).Tensor("b", I8, 0x7FFF_FFFF_FFFF_FFC0, 0x7FFF_FFFF_FFFF_FFC0).Data(32).ToArray()),
        Any("overlapping ranges", Damaged, "overlap", static () => new GgufBytes(2).Tensor("a", I8, 0, 33).Tensor("b", I8, 32, 1).Data(64).ToArray()),

        // Another model family, and hyperparameters.
        new("unknown architecture", UnknownArchitecture, "'mamba'", static () => Qed(GgufKeys.Architecture, "mamba"), "generate"),
        Config("missing key", GgufKeys.EmbeddingLength, static () => Qed(GgufKeys.EmbeddingLength, null)),
        Config("value of a wrong type", GgufKeys.BlockCount, static () => Qed(GgufKeys.BlockCount, "2")),
        Config("no layers", GgufKeys.BlockCount, static () => Qed(GgufKeys.BlockCount, 0u)),
        Config("layer count of 2^31", GgufKeys.BlockCount, static () => Qed(GgufKeys.BlockCount, 1u << 31)),
        Config("heads that do not divide the width", GgufKeys.HeadCount, static () => Qed(GgufKeys.HeadCount, 3u)),
        Config("context length of 2^32 - 1", GgufKeys.ContextLength, static () => Qed(GgufKeys.ContextLength, uint.MaxValue)),
        Config("epsilon that is not a number", GgufKeys.RmsNormEpsilon, static () => Qed(GgufKeys.RmsNormEpsilon, float.NaN)),
        Config("RoPE base of 0", GgufKeys.RopeFreqBase, static () => Qed(GgufKeys.RopeFreqBase, 0f)),
        Config("vocabulary of another size", GgufKeys.Tokens, static () => Qed(GgufKeys.VocabSize, 1u << 20)),
        Config("end token outside the vocabulary", GgufKeys.EosTokenId, static () => Qed(GgufKeys.EosTokenId, 5u)),

        // Tensors that are not what the architecture needs.
        Weights("missing norm", MissingTensor, "output_norm.weight", static () => ChangedSample.WithoutTensor("output_norm.weight")),
        Weights("missing matrix", MissingTensor, "blk.3.ffn_up.weight", static () => ChangedSample.WithoutTensor("blk.3.ffn_up.weight")),
        Weights("matrix of a wrong shape", Damaged, "[384, 127]", static () => ChangedSample.WithTensor("blk.3.ffn_up.weight", TensorType.PackedQ8_0, [384, 127])),
        Weights("vector instead of a matrix", Damaged, "[49152]", static () => ChangedSample.WithTensor("blk.3.ffn_up.weight", TensorType.F32, [49152])),
        Weights("norm of a wrong type", Unsupported, "output_norm.weight", static () => ChangedSample.WithTensor("output_norm.weight", TensorType.F16, [128])),
        Weights("scale that is infinite", Damaged, "blk.7.ffn_down.weight", static () => ChangedSample.WithData("blk.7.ffn_down.weight", static data => ((byte[])[0x00, 0x7C]).CopyTo(data, data.Length - 2))),
        Weights("scale that is not a number", Damaged, "token_embd.weight", static () => ChangedSample.WithData("token_embd.weight", static data => ((byte[])[0x00, 0x7E]).CopyTo(data, data.Length - 2))),
        Weights("norm that is not a number", Damaged, "blk.0.attn_norm.weight", static () => ChangedSample.WithData("blk.0.attn_norm.weight", static data => ((byte[])[0xC0, 0x7F]).CopyTo(data, 2))),

        // The tokenizer.
        Model("token twice", Damaged, GgufKeys.Tokens, static () => Tokens(static texts => texts[7] = texts[8])),
        Model("empty token", Damaged, GgufKeys.Tokens, static () => Tokens(static texts => texts[7] = "")),
        Model("token of a megabyte", Damaged, GgufKeys.Tokens, static () => Tokens(static texts => texts[7] = new string('a', 1 << 20))),
        Model("too few token types", Damaged, GgufKeys.TokenType, static () => ChangedSample.WithEntry(GgufKeys.TokenType, static (writer, _) => writer.Add(GgufKeys.TokenType, new int[3]))),
        Model("token types of a wrong type", Damaged, GgufKeys.TokenType, static () => ChangedSample.WithEntry(GgufKeys.TokenType, static (writer, _) => writer.Add(GgufKeys.TokenType, new float[2048]))),
        Model("merges of tokens that are none", Damaged, GgufKeys.PackedMerges, static () => ChangedSample.WithEntry(GgufKeys.PackedMerges, static (writer, from) => writer.Add(GgufKeys.PackedMerges, Filled(from.GetArray(GgufKeys.PackedMerges).Count)))),
        Model("merges without results", Damaged, GgufKeys.PackedMergeIds, static () => ChangedSample.WithEntry(GgufKeys.PackedMergeIds, static (_, _) => { })),
    ];

    private static BadModel Any(string kind, ModelFault fault, string says, Func<byte[]> create) => new(kind, fault, says, create, "generate", "inspect", "verify");

    private static BadModel Config(string kind, string key, Func<byte[]> create) => new(kind, Damaged, key, create, "generate") { IsSaidByInspect = true };

    /// <summary>Weights that cannot be used: to verify what the file says it computes takes them too.</summary>
    private static BadModel Weights(string kind, ModelFault fault, string says, Func<byte[]> create) => new(kind, fault, says, create, "generate", "verify");

    private static BadModel Model(string kind, ModelFault fault, string says, Func<byte[]> create) => new(kind, fault, says, create, "generate");

    private static byte[] Entry(Action<GgufBytes> write)
    {
        var bytes = new GgufBytes(0, 1);
        write(bytes);
        return bytes.ToArray();
    }

    private static byte[] Tensor(Action<GgufBytes> write)
    {
        var bytes = new GgufBytes(1);
        write(bytes);
        return bytes.Data(32).ToArray();
    }

    private static byte[] Qed(string key, object? value) => GgufSample.Qed(changes: new Dictionary<string, object?> { [key] = value });

    private static byte[] Until(byte[] bytes, ReadOnlySpan<byte> text) => bytes[..bytes.AsSpan().IndexOf(text)];

    private static byte[] Flipped(byte[] bytes, ReadOnlySpan<byte> text)
    {
        bytes[bytes.AsSpan().IndexOf(text)] ^= 1;
        return bytes;
    }

    private static byte[] Tokens(Action<string[]> change) => ChangedSample.WithEntry(GgufKeys.Tokens, (writer, from) =>
    {
        GgufArray tokens = from.GetArray(GgufKeys.Tokens);
        string[] texts = [.. Enumerable.Range(0, tokens.Count).Select(tokens.String)];
        change(texts);
        writer.Add(GgufKeys.Tokens, texts);
    });

    private static uint[] Filled(int count)
    {
        var ids = new uint[count];
        System.Array.Fill(ids, uint.MaxValue);
        return ids;
    }
}
