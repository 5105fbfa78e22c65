using QedEdge.Conversion.Checkpoints;
using QedEdge.Gguf;
using QedEdge.Text;

namespace QedEdge.Conversion;

/// <summary>What is kept of a GGUF file's metadata when it is quantized anew or repacked, and what is said of where the weights are from.</summary>
internal static class FileMetadata
{
    /// <summary>Copies what does not depend on how weights are stored: notes, sampling, tokenizer; returns what a digest begins with.</summary>
    /// <param name="checkpoint">The file.</param>
    /// <param name="writer">The new file.</param>
    /// <param name="layout">Its layout.</param>
    /// <param name="warnings">Takes what the user should know.</param>
    public static int[] Copy(Checkpoint checkpoint, GgufWriter writer, FileLayout layout, List<string> warnings)
    {
        using var source = GgufFile.Open(checkpoint.Folder);
        bool mergesWritten = false;
        foreach (string key in source.Metadata.Keys)
        {
            if (TokenizerConversion.IsLayoutDependent(key))
            {
                if (!mergesWritten)
                    TokenizerConversion.CopyMerges(writer, source, layout);
                mergesWritten = true;
            }
            else if (IsKept(key))
            {
                writer.Copy(source.Metadata, key);
            }
        }
        AddSource(writer, source);
        if (Quantized(checkpoint) is { Count: > 0 } types)
            warnings.Add($"the weights were quantized before ({string.Join(", ", types)}): the error of quantizing them again adds to that one; take the original weights where they are to be had");
        Tokenizer? tokenizer = null;
        try
        {
            tokenizer = Tokenizer.Open(source);
        }
        catch (ModelFormatException problem)
        {
            warnings.Add($"the file runs with token ids only: {problem.Message}");
        }
        return CheckpointConverter.DigestPrompt(tokenizer, checkpoint.Config.ContextLength);
    }

    /// <summary>Says which file the weights are from.</summary>
    public static void AddSource(GgufWriter writer, GgufFile source)
    {
        writer.Add(GgufKeys.SourceFile, Path.GetFileName(source.Name));
        writer.Add(GgufKeys.SourceFileChecksum, Texts.ChecksumOf(source.Name));
    }

    /// <summary>Keys that hold for the model whatever its weights are stored in.</summary>
    private static bool IsKept(string key) => key.StartsWith("tokenizer.", StringComparison.Ordinal) || key.StartsWith("qed.tokenizer.", StringComparison.Ordinal)
        || (key.StartsWith("general.", StringComparison.Ordinal) && key is not (GgufKeys.Architecture or GgufKeys.Name or GgufKeys.Alignment or GgufKeys.QuantizationVersion or "general.file_type"));

    /// <summary>Types of fewer than eight bits that matrices are stored in.</summary>
    private static List<string> Quantized(Checkpoint checkpoint) =>
        [.. checkpoint.Tensors.Values.Where(static tensor => tensor.Blocks is not null && tensor.Type != "Q8_0").Select(static tensor => tensor.Type).Distinct().Order(StringComparer.Ordinal)];
}
