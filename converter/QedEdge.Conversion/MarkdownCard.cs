using System.Text;
using QedEdge.Gguf;
using QedEdge.Memory;

namespace QedEdge.Conversion;

/// <summary>A model file's card (<see cref="ModelCard"/>) as a Markdown file, for the page where the model is published.</summary>
internal static class MarkdownCard
{
    /// <summary>Writes the card of a file.</summary>
    /// <param name="model">The GGUF file.</param>
    /// <param name="output">The Markdown file; it appears only when whole.</param>
    /// <param name="overwrite">Whether an existing output is replaced.</param>
    /// <exception cref="InvalidOptionException">The output is the model file.</exception>
    /// <exception cref="QedException">The output cannot be written.</exception>
    public static void Write(string model, string output, bool overwrite)
    {
        SeparateFiles.Check([output], model);
        using GgufFile file = GgufFile.Open(model);
        var text = new StringBuilder();
        text.Append($"# {MarkdownText.Escape(file.Metadata.FindString(GgufKeys.Name) ?? Path.GetFileNameWithoutExtension(model))}\n\n");
        text.Append("| | |\n|---|---|\n");
        Row("file", $"{Path.GetFileName(model)}, {file.Length} bytes");
        foreach (var type in file.Tensors.CountBy(static tensor => TensorTypes.Name(tensor.Type)).OrderByDescending(static type => type.Value))
            Row("tensors", $"{type.Value} × {type.Key}");
        foreach (var (label, value) in ModelCard.Of(file))
            Row(label, value);
        text.Append($"\n{MarkdownText.Code($"qed verify -m {Path.GetFileName(model)}")} checks the file and that a machine computes the same digest.\n");
        using var card = new AtomicFile(output, overwrite);
        card.Fill(stream => stream.Write(Encoding.UTF8.GetBytes(text.ToString())));

        void Row(string label, string value) => text.Append($"| {label} | {MarkdownText.Escape(value)} |\n");
    }
}
