using System.Globalization;
using System.IO.Hashing;
using System.Runtime.InteropServices;

namespace QedEdge.Gguf;

/// <summary>What a file says of how it was made, from what, and how far it is from the weights it was made from.</summary>
public static class ModelCard
{
    /// <summary>The card's lines, label and value; none where the file says nothing.</summary>
    /// <param name="file">An open file.</param>
    /// <exception cref="ModelFormatException">A key is damaged.</exception>
    public static IReadOnlyList<KeyValuePair<string, string>> Of(GgufFile file)
    {
        GgufMetadata metadata = file.Metadata;
        var lines = new List<KeyValuePair<string, string>>();
        if (metadata.FindString(GgufKeys.Recipe) is { } recipe)
            Add("made by", recipe);
        if (metadata.FindString(GgufKeys.SourceFile) is { } sourceFile)
            Add("made from", $"{sourceFile} (XXH3 {metadata.FindUInt64(GgufKeys.SourceFileChecksum):x16})");
        if (metadata.Contains(GgufKeys.SourceChecksums))
        {
            ulong[] source = [.. metadata.GetArray(GgufKeys.SourceChecksums).UInt64()];
            Add("source", $"{source.Length} tensors (XXH3 of their XXH3s {XxHash3.HashToUInt64(MemoryMarshal.AsBytes<ulong>(source)):x16})");
        }
        if (metadata.FindString(GgufKeys.CalibrationText) is { } calibration)
            Add("calibrated on", Text(calibration, GgufKeys.CalibrationTokens, GgufKeys.CalibrationChecksum));
        if (metadata.FindString(GgufKeys.MeasuredText) is { } measured)
        {
            Add("measured on", Text(measured, GgufKeys.MeasuredTokens, GgufKeys.MeasuredChecksum));
            float perplexity = Number(GgufKeys.MeasuredPerplexity), exact = Number(GgufKeys.MeasuredExactPerplexity);
            Add("perplexity", string.Create(CultureInfo.InvariantCulture, $"{perplexity:F3} (float32 weights: {exact:F3}, {100 * (perplexity / exact - 1):+0.00;-0.00} %)"));
            Add("KL divergence", string.Create(CultureInfo.InvariantCulture,
                $"mean {Number(GgufKeys.MeasuredMeanDivergence):G3}, median {Number(GgufKeys.MeasuredMedianDivergence):G3}, 99 % {Number(GgufKeys.MeasuredHighDivergence):G3} nats from the float32 weights"));
            Add("same top token", string.Create(CultureInfo.InvariantCulture, $"{100 * Number(GgufKeys.MeasuredSameTop):F1} %"));
        }
        if (metadata.FindString(GgufKeys.DigestValue) is { } digest)
            Add("digest", $"{digest} ({metadata.FindUInt32(GgufKeys.DigestCount)} greedy tokens)");
        if (Ends(file) is { } ends)
            Add("ends a text", ends);
        return lines;

        void Add(string label, string value) => lines.Add(new(label, value));

        float Number(string key) => metadata.FindFloat32(key) ?? float.NaN;

        string Text(string name, string tokens, string checksum) =>
            $"{name}, {metadata.FindUInt32(tokens)} tokens (XXH3 {metadata.FindUInt64(checksum):x16})";
    }

    /// <summary>The tokens that end a text, with their texts; null where there are none, or their keys are damaged: the card is of any file, and the model says what is wrong.</summary>
    private static string? Ends(GgufFile file)
    {
        try
        {
            return file.Metadata.FindArray(GgufKeys.Tokens) is { ElementType: GgufValueType.String } tokens && EndTokens.Of(file, tokens.Count) is { Length: > 0 } ends
                ? string.Join(", ", Array.ConvertAll(ends, id => $"{id} {tokens.String(id)}")) : null;
        }
        catch (ModelFormatException)
        {
            return null;
        }
    }
}
