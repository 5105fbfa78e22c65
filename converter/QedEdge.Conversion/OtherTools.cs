using QedEdge.Architectures;
using QedEdge.Architectures.Families;
using QedEdge.Gguf;

namespace QedEdge.Conversion;

/// <summary>
/// What llama.cpp and its relatives make of a file in the plain layout, which is for them. Some of what a family can be has no key there: a model that they
/// would compute otherwise without a word is not written in that layout; of one that they refuse to open the user is told.
/// </summary>
internal static class OtherTools
{
    private const float SmallestScaleStep = 1e-6f; // of 1: scales are float32 quotients

    /// <summary>The alignment of a layout's tensors: kernels read packed ones in place by cache lines; llama-quantize spoils files that it did not give its own alignment.</summary>
    public static int AlignmentOf(FileLayout layout) => layout == FileLayout.Plain ? GgufHeader.DefaultAlignment : GgufWriter.CacheLine;

    /// <summary>Refuses what would be computed otherwise.</summary>
    /// <param name="architecture">What the file describes.</param>
    /// <param name="source">The file that it is made from.</param>
    /// <param name="warnings">Takes what they do not open.</param>
    /// <exception cref="ModelFormatException">They would compute something else.</exception>
    public static void Check(Architecture architecture, string source, List<string> warnings)
    {
        if (architecture.Name == GgufKeys.Qed)
            return; // a name that they do not know
        if (Misread(architecture) is { } other)
        {
            throw new ModelFormatException(ModelFault.Unsupported, source,
                $"llama.cpp, which the plain layout is for, would compute something else: it has no key for {other}; write the packed layout, which QedEdge runs");
        }
        if (Unknown(architecture) is { } missing)
            warnings.Add($"llama.cpp does not open this file, QedEdge does: there is no {missing} in llama.cpp");
    }

    /// <summary>What they would take for something else, or null. GELU's two forms count as one: there the tanh form stands for both.</summary>
    private static string? Misread(Architecture architecture)
    {
        Family family = FamilyRegistry.Find(architecture.Name)!;
        Activation activation = architecture.Layers[0].FeedForward.Activation;
        if ((activation == Activation.Silu) != (family.Activation == Activation.Silu))
            return $"the activation '{Hyperparameters.NameOf(activation)}' in '{family.Name}'";
        for (int i = 0; i < architecture.Layers.Length; i++)
        {
            AttentionShape attention = architecture.Layers[i].Attention;
            if (family is SmolLM3Family && attention.Rotary is null != ((i + 1) % SmolLM3Family.UsualInterval == 0))
                return $"layers without rotary positions other than every {SmolLM3Family.UsualInterval}th";
            if (family is Gemma3Family && MathF.Abs(attention.Scale * MathF.Sqrt(Gemma3Family.UsualQueryScalar(architecture.Layers.Length, architecture.Width, attention)) - 1) > SmallestScaleStep)
                return "this scale of attention (query_pre_attn_scalar)";
        }
        return null;
    }

    /// <summary>What they have not, and say so, or null.</summary>
    private static string? Unknown(Architecture architecture)
    {
        LayerShape layer = architecture.Layers[0];
        AttentionShape attention = layer.Attention;
        string name = architecture.Name;
        SlotSet possible = name switch
        {
            "llama" or "gpt2" or "gptneox" => SlotSet.Everywhere,
            _ => Qwen2Family.Biases,
        };
        return name == "gptneo" ? "architecture 'gptneo'"
            : (layer.Biases.Bits & ~possible.Bits) != 0 ? $"bias of these matrices in '{name}'"
            : name == "gptneox" && !layer.Biases.Contains(Slot.Query) ? "'gptneox' without biases of attention"
            : name == "gptneox" && architecture.TiedHead ? "'gptneox' whose head is its embedding"
            : architecture.HeadBias && name != "qwen2" ? $"bias of the logits in '{name}'"
            : name == "qwen2" && attention.QueryWidth != architecture.Width ? "'qwen2' with heads that together are not as wide as the model"
            : name != "llama" && Array.Exists(architecture.Layers, static l => l.Attention.Rotary is { HasFactors: true }) ? $"table of rotary factors (rope_type 'llama3') in '{name}'"
            : null;
    }
}
