// Reads a GGUF file, or writes one, with the independent implementation of npm @huggingface/gguf.
// node gguf-file.mjs FOLDER_WITH_NODE_MODULES read FILE.gguf     prints {metadata: {key: text}, tensors: [{name, shape, type, offset}]}
// node gguf-file.mjs FOLDER_WITH_NODE_MODULES write FILE.gguf    a file of another architecture, with every type of value; its tensors are written here
import {join} from "node:path";
import {pathToFileURL} from "node:url";
import {writeFileSync} from "node:fs";

const [,, folder, action, path] = process.argv;
const {gguf, serializeGgufMetadata, GGUFValueType: V, GGMLQuantizationType} = await import(pathToFileURL(join(folder, "node_modules/@huggingface/gguf/dist/index.mjs")));

if (action === "read") {
    const {metadata, tensorInfos, tensorDataOffset} = await gguf(path, {allowLocalFile: true});
    const texts = {};
    for (const [key, value] of Object.entries(metadata))
        texts[key] = Array.isArray(value) ? `${value.length}` : String(value);
    const tensors = tensorInfos.map(t => ({
        name: t.name, shape: t.shape.map(Number).reverse(), type: GGMLQuantizationType[t.dtype] ?? String(t.dtype), offset: Number(tensorDataOffset) + Number(t.offset),
    }));
    process.stdout.write(JSON.stringify({metadata: texts, tensors}));
} else {
    // [name, type, bytes of a block, weights of a block, shape fastest first]
    const tensors = [
        ["token_embd.weight", "Q6_K", 210, 256, [512, 10]], ["blk.0.attn.weight", "Q4_K", 144, 256, [256, 3]], ["blk.0.down.weight", "Q5_1", 24, 32, [64, 5]],
        ["blk.0.up.weight", "IQ4_XS", 136, 256, [256, 2, 3]], ["norm.weight", "F32", 4, 1, [7]], ["half.weight", "BF16", 2, 1, [5, 2]], ["double.weight", "F64", 8, 1, [3]], ["int.weight", "I8", 1, 1, [9]],
    ];
    const value = (type, v, subType) => ({type, value: v, ...(subType === undefined ? {} : {subType})});
    const header = serializeGgufMetadata({
        version: value(V.UINT32, 3), tensor_count: value(V.UINT64, BigInt(tensors.length)), kv_count: value(V.UINT64, 0n),
        "general.architecture": value(V.STRING, "bert"), "general.name": value(V.STRING, "ünï 漢字"),
        "t.u8": value(V.UINT8, 255), "t.i8": value(V.INT8, -128), "t.u16": value(V.UINT16, 65535), "t.i16": value(V.INT16, -32768), "t.u32": value(V.UINT32, 4294967295),
        "t.i32": value(V.INT32, -2147483648), "t.u64": value(V.UINT64, 18446744073709551615n), "t.i64": value(V.INT64, -9223372036854775808n), "t.f32": value(V.FLOAT32, 0.5),
        "t.f64": value(V.FLOAT64, 0.1), "t.bool": value(V.BOOL, true), "t.strings": value(V.ARRAY, ["a", "", "c"], V.STRING), "t.numbers": value(V.ARRAY, [1, 2, 3], V.INT32),
    }, {alignment: 1});
    const parts = [Buffer.from(header)];
    let offset = 0;
    const align = n => Math.ceil(n / 32) * 32, bytes = ([, , block, weights, shape]) => shape.reduce((a, b) => a * b) / weights * block;
    for (const tensor of tensors) {
        const name = Buffer.from(tensor[0]), info = Buffer.alloc(8 + name.length + 4 + 8 * tensor[4].length + 4 + 8);
        info.writeBigUInt64LE(BigInt(name.length), 0);
        name.copy(info, 8);
        let at = info.writeUInt32LE(tensor[4].length, 8 + name.length);
        for (const n of tensor[4])
            at = info.writeBigUInt64LE(BigInt(n), at);
        at = info.writeUInt32LE(GGMLQuantizationType[tensor[1]], at);
        info.writeBigUInt64LE(BigInt(offset), at);
        offset = align(offset + bytes(tensor));
        parts.push(info);
    }
    const length = parts.reduce((n, p) => n + p.length, 0);
    parts.push(Buffer.alloc(align(length) - length + offset));
    writeFileSync(path, Buffer.concat(parts));
}
