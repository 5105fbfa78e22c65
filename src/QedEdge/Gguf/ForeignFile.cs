using System.Buffers.Binary;
using System.Text;

namespace QedEdge.Gguf;

/// <summary>Recognises what people hand over instead of a GGUF file, so that the error can say what to do.</summary>
internal static class ForeignFile
{
    private const int Looked = 512;

    /// <summary>Throws unless the bytes start as a GGUF file does.</summary>
    public static void Refuse(ReadOnlySpan<byte> bytes, string file)
    {
        if (bytes.StartsWith("GGUF"u8))
            return;
        if (bytes.IsEmpty)
            throw new ModelFormatException(ModelFault.ShortFile, file, "the file is empty, or a pipe or device; download or convert it again");
        if ("GGUF"u8.StartsWith(bytes))
            throw new ModelFormatException(ModelFault.ShortFile, file, $"the file ends too early, after {bytes.Length} bytes; download or copy it again");
        throw new ModelFormatException(ModelFault.NotGguf, file, Recognise(bytes[..Math.Min(Looked, bytes.Length)]), offset: 0);
    }

    /// <summary>Throws for a GGUF file that is only a part of a model.</summary>
    public static void RefuseParts(GgufFile file)
    {
        string? type = file.Metadata.FindString("general.type"), architecture = file.Metadata.FindString(GgufKeys.Architecture);
        string? problem = type == "adapter" ? "a LoRA adapter without the model that it changes; merge it into that model: qed-convert MODEL_DIR --lora ADAPTER_DIR"
            : type == "imatrix" ? "an importance matrix, which says what to quantize with care; name the model's file"
            : type == "mmproj" || architecture == "clip" ? "the part of a multimodal model that sees pictures; name the file of its language model"
            : file.Tensors.Count == 0 && file.Metadata.Contains(GgufKeys.Tokens) ? "a vocabulary without weights, which 'qed tokenize' takes; name the model's file for all else"
            : null;
        if (problem is not null)
            throw new ModelFormatException(ModelFault.Unsupported, file.Name, problem);
    }

    private static string Recognise(ReadOnlySpan<byte> start)
    {
        if (start.StartsWith("version https://git-lfs"u8))
            return "a Git-LFS pointer instead of the file itself; run 'git lfs pull' in its repository";
        if (start.StartsWith("PK\u0003\u0004"u8) || start.StartsWith("PK\u0005\u0006"u8))
            return "a zip archive (or a PyTorch checkpoint), not a GGUF file; unpack it, or convert a checkpoint's safetensors with qed-convert";
        if (start.StartsWith<byte>([0x1F, 0x8B]))
            return "a gzip archive, not a GGUF file; unpack it first";
        if (start.Length > 8 && start[8] == '{' && BinaryPrimitives.ReadUInt64LittleEndian(start) < GgufReader.Plausible)
            return "a safetensors file, not a GGUF file; convert its folder with qed-convert";
        if (start.StartsWith("lmgg"u8) || start.StartsWith("fmgg"u8) || start.StartsWith("tjgg"u8))
            return "a file of the format before GGUF; convert the original checkpoint with qed-convert";

        var text = start.StartsWith<byte>([0xEF, 0xBB, 0xBF]) ? start[3..] : start;
        text = text.TrimStart(" \t\r\n"u8);
        if (StartsWithIgnoreCase(text, "<!doctype"u8) || StartsWithIgnoreCase(text, "<html"u8) || StartsWithIgnoreCase(text, "<?xml"u8) || StartsWithIgnoreCase(text, "<head"u8))
            return "a web page, not a GGUF file; the link may need a login or lead to a page about the file: download the file itself";
        if (text.StartsWith("{"u8))
            return "JSON text, not a GGUF file; name the .gguf file, or convert a checkpoint's folder with qed-convert";
        return $"not a GGUF file: it starts with {Convert.ToHexString(start[..Math.Min(4, start.Length)])} instead of 47475546 (\"GGUF\")";
    }

    private static bool StartsWithIgnoreCase(ReadOnlySpan<byte> text, ReadOnlySpan<byte> prefix) =>
        text.Length >= prefix.Length && Ascii.EqualsIgnoreCase(text[..prefix.Length], prefix);
}
