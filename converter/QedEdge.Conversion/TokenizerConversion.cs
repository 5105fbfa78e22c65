using QedEdge.Conversion.Checkpoints;
using QedEdge.Gguf;

namespace QedEdge.Conversion;

/// <summary>Writes a checkpoint's tokenizer into a file's metadata.</summary>
internal static class TokenizerConversion
{
    /// <summary>Writes the tokenizer, or a warning where the checkpoint has none.</summary>
    public static void Write(GgufWriter writer, Checkpoint checkpoint, ConversionOptions options, List<string> warnings)
    {
        WriteIds(writer, checkpoint.Config);
        if (options.Architecture == FileArchitecture.Qwen2)
            writer.Add(GgufKeys.TokenizerModel, "no_vocab"); // llama.cpp's word for a file that takes token ids only
        warnings.Add("the checkpoint has no tokenizer.json: the file runs with token ids only");
    }

    private static void WriteIds(GgufWriter writer, CheckpointConfig config)
    {
        if (config.BosId is int bos)
            writer.Add(GgufKeys.BosTokenId, bos);
        if (config.EosId is int eos)
            writer.Add(GgufKeys.EosTokenId, eos);
        if (config.PadId is int pad)
            writer.Add(GgufKeys.PaddingTokenId, pad);
    }

    /// <summary>Whether a key is written differently in the two layouts.</summary>
    public static bool IsLayoutDependent(string key) => key is GgufKeys.Merges or GgufKeys.PackedMerges or GgufKeys.PackedMergeIds;

    /// <summary>Copies a file's merges in the form that a layout has.</summary>
    public static void CopyMerges(GgufWriter writer, GgufFile source, FileLayout layout)
    {
        foreach (string key in source.Metadata.Keys)
        {
            if (IsLayoutDependent(key))
                writer.Copy(source.Metadata, key);
        }
    }
}
