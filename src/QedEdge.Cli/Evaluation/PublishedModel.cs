using QedEdge.Model;

namespace QedEdge.Cli.Evaluation;

/// <summary>A model of the table in QED-75M's model card: what was published of it, and how its files are known.</summary>
/// <param name="Name">Its name there.</param>
/// <param name="Average">The published mean of the five tasks' accuracies.</param>
/// <param name="Families">What its files say that it is, <c>general.architecture</c>.</param>
/// <param name="Layers">Its layers.</param>
/// <param name="Width">Its width.</param>
/// <param name="VocabSize">Its tokens.</param>
internal sealed record PublishedModel(string Name, double Average, string[] Families, int Layers, int Width, int VocabSize)
{
    /// <summary>How all of them were measured.</summary>
    public const string Protocol = "qed", Prompts = "lighteval";

    /// <summary>The table.</summary>
    public static PublishedModel[] All { get; } =
    [
        new("SmolLM2-135M", 0.299140, ["llama"], 30, 576, 49152),
        new("QED-75M", 0.287318, ["qed", "qwen2"], 32, 384, 49152) { Accuracies = [0.231229, 0.204750, 0.253336, 0.506709, 0.240564] },
        new("gpt-neo-125m", 0.279464, ["gptneo"], 12, 768, 50257),
        new("pythia-160m-deduped", 0.275796, ["gptneox"], 12, 768, 50304),
        new("gpt2", 0.273993, ["gpt2"], 12, 768, 50257),
    ];

    /// <summary>The published accuracy of each task, in the table's order, which is that of the tasks here; none where only the average is known.</summary>
    public double[] Accuracies { get; private init; } = [];

    /// <summary>
    /// The one that a model is: the one that its file is named after, or whose shape it has where the file says no name. A file of another name, such as
    /// that of a tuned model, is none of them.
    /// </summary>
    public static PublishedModel? Find(ModelConfig config)
    {
        string name = Normalized(config.Name);
        return Array.Find(All, model => Array.IndexOf(model.Families, config.Family) >= 0 && (name.Length > 0 ? name == Normalized(model.Name) : model.HasShapeOf(config)));
    }

    /// <summary>Whether a file says a name.</summary>
    public static bool IsNamed(ModelConfig config) => Normalized(config.Name).Length > 0;

    private bool HasShapeOf(ModelConfig config) => (config.LayerCount, config.HiddenSize, config.VocabSize) == (Layers, Width, VocabSize);

    /// <summary>The letters and digits of a name, small: tools write "gpt2" as "Gpt2", and spaces for hyphens.</summary>
    private static string Normalized(string? name) => string.Concat((name ?? "").Split('/')[^1].Where(char.IsAsciiLetterOrDigit)).ToLowerInvariant();
}
