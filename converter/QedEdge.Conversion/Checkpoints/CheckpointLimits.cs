using QedEdge.Gguf;
using QedEdge.Text;

namespace QedEdge.Conversion.Checkpoints;

/// <summary>
/// How much of each thing a checkpoint, its tokenizer or an adapter may hold. Such files come from anywhere: each length is compared with its limit before memory
/// or time is given for it. docs/limits.md lists them.
/// </summary>
internal static class CheckpointLimits
{
    /// <summary>Bytes of config.json, generation_config.json and adapter_config.json; usual ones have a few thousand.</summary>
    public const int ConfigBytes = 4 << 20;

    /// <summary>Bytes of model.safetensors.index.json; a thousand layers take one or two million.</summary>
    public const int IndexBytes = 64 << 20;

    /// <summary>Bytes of tokenizer.json; one of 250,000 entries has 35 million.</summary>
    public const int TokenizerBytes = 128 << 20;

    /// <summary>Bytes of tokenizer_config.json and special_tokens_map.json; 100,000 added tokens take 20 million.</summary>
    public const int TokenizerConfigBytes = 64 << 20;

    /// <summary>Bytes of a chat template, in chat_template.jinja or tokenizer_config.json.</summary>
    public const int ChatTemplateBytes = 1 << 20;

    /// <summary>Characters of a further chat template's name, which becomes a part of a key.</summary>
    public const int TemplateName = 64;

    /// <summary>Objects and arrays within each other in a JSON file.</summary>
    public const int JsonDepth = 64;

    /// <summary>Bytes of a safetensors header: the format's own limit.</summary>
    public const int HeaderBytes = 100_000_000;

    /// <summary>Objects and arrays within each other in a safetensors header: header, tensor, array; metadata of other writers may nest a little.</summary>
    public const int HeaderDepth = 8;

    /// <summary>Files that a checkpoint's weights are parted into.</summary>
    public const int Parts = 1024;

    /// <summary>Tensors of a checkpoint or an adapter, all parts together; <see cref="Layers"/> have some 14,000.</summary>
    public const int Tensors = 1 << 17;

    /// <summary>Characters of a tensor's name.</summary>
    public const int TensorName = 1024;

    /// <summary>Dimensions of a tensor.</summary>
    public const int Dimensions = 16;

    /// <summary>Layers of a model.</summary>
    public const int Layers = GgufLimits.Layers;

    /// <summary>Width, inner width, heads and vocabulary of a model.</summary>
    public const int Size = GgufLimits.Size;

    /// <summary>Values in a head.</summary>
    public const int HeadSize = GgufLimits.HeadSize;

    /// <summary>Positions that a model may see at once.</summary>
    public const int Context = GgufLimits.Context;

    /// <summary>Tokens that end a text.</summary>
    public const int EndTokens = 1024;

    /// <summary>Bytes of a token's text.</summary>
    public const int TokenBytes = GgufLimits.TokenBytes;

    /// <summary>Tokens that are recognised in text as a whole.</summary>
    public const int AddedTokens = 1 << 17;

    /// <summary>Bytes of an added token's text: what is looked for in text.</summary>
    public const int AddedTokenBytes = TokenFinder.LongestText;

    /// <summary>Merges of a byte-pair encoding; there is one for each token but those of a byte.</summary>
    public const int Merges = GgufLimits.Merges;

    /// <summary>The rank of an adapter's update.</summary>
    public const int Rank = 1 << 16;

    /// <summary>Modules that adapter_config.json names, and patterns that give ranks or factors of their own.</summary>
    public const int Modules = 8192;

    /// <summary>Characters of such a pattern, which is a regular expression.</summary>
    public const int Pattern = 1024;

    /// <summary>Seconds that all patterns may take together, lest many that each take less than a second take hours.</summary>
    public const int MatchingSeconds = 60;
}
