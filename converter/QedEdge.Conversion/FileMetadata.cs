using System.Globalization;
using System.IO.Hashing;
using QedEdge.Conversion.Checkpoints;
using QedEdge.Gguf;
using QedEdge.Memory;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;
using QedEdge.Text;

namespace QedEdge.Conversion;

/// <summary>What is kept of a GGUF file's metadata when it is quantized anew or repacked, and what is said of where the weights are from.</summary>
internal static class FileMetadata
{
    /// <summary>Copies what does not depend on how weights are stored: notes, sampling, tokenizer; returns what a digest begins with.</summary>
    /// <param name="checkpoint">The file.</param>
    /// <param name="writer">The new file.</param>
    /// <param name="options">How it is written.</param>
    /// <param name="warnings">Takes what the user should know.</param>
    public static int[] Copy(Checkpoint checkpoint, GgufWriter writer, ConversionOptions options, List<string> warnings)
    {
        using var source = GgufFile.Open(checkpoint.Folder);
        TokenizerConversion.CopyKeys(writer, source, options.Layout, key =>
        {
            if (IsKept(key))
                writer.Copy(source.Metadata, key);
        });
        AddSource(writer, source);
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

    /// <summary>Says what it cost to round weights a second time.</summary>
    public static void WarnOfRounding(Checkpoint checkpoint, ConversionOptions options, ConversionReport report)
    {
        string types = string.Join(", ", Quantized(checkpoint, options));
        if (types.Length > 0)
            report.Warnings.Add(string.Create(CultureInfo.InvariantCulture,
                $"the weights were quantized before ({types}), and quantizing them again moved them by {report.RelativeError:P1} of their magnitude in the mean, which adds to the error that they had; take the original weights where they are to be had"));
    }

    /// <summary>The text of <see cref="GgufKeys.Recipe"/>: which version made the file, and how.</summary>
    public static string Recipe(string how) => $"QedEdge {typeof(QedModel).Assembly.GetName().Version!.ToString(3)}: {how}";

    /// <summary>Says which file the weights are from, with the XXH3 of its bytes; of a split model, of all files one after another.</summary>
    public static void AddSource(GgufWriter writer, GgufFile source)
    {
        writer.Add(GgufKeys.SourceFile, Path.GetFileName(source.Name));
        var checksum = new XxHash3();
        foreach (NativeView view in source.Views)
            view.InPieces(checksum.Append);
        writer.Add(GgufKeys.SourceFileChecksum, checksum.GetCurrentHashAsUInt64());
    }

    /// <summary>Keys that hold for the model whatever its weights are stored in.</summary>
    private static bool IsKept(string key) => key.StartsWith("tokenizer.", StringComparison.Ordinal) || key.StartsWith("qed.tokenizer.", StringComparison.Ordinal)
        || (key.StartsWith("general.", StringComparison.Ordinal) && key is not (GgufKeys.Architecture or GgufKeys.Name or GgufKeys.Alignment or GgufKeys.QuantizationVersion or "general.file_type"));

    /// <summary>Types that are rounded a second time: those of fewer than eight bits, but for Q4_0's grid where it is kept (<see cref="ExactNibbles"/>).</summary>
    private static IEnumerable<string> Quantized(Checkpoint checkpoint, ConversionOptions options) =>
         checkpoint.Tensors.Values.Where(tensor => tensor.Blocks is not null && tensor.Type != nameof(BlockFormat.Q8_0) && !(tensor.Type == nameof(BlockFormat.Q4_0) && ExactNibbles.Holds(options.Type))).Select(static tensor => tensor.Type).Distinct().Order(StringComparer.Ordinal);
}
