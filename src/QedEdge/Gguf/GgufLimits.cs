using QedEdge.Memory;

namespace QedEdge.Gguf;

/// <summary>
/// The largest lengths that a model file may give; larger ones are refused when the file is opened, before memory is taken for them. All products of two
/// of a model's dimensions fit 64 bits, and so does the size of a full key-value cache. docs/limits.md has them as a table.
/// </summary>
internal static class GgufLimits
{
    /// <summary>Metadata entries; tensors.</summary>
    public const int Entries = 1 << 16;

    /// <summary>Bytes of a metadata key.</summary>
    public const int KeyBytes = ushort.MaxValue;

    /// <summary>Bytes of all metadata keys together.</summary>
    public const int AllKeyBytes = 1 << 24;

    /// <summary>Bytes of a text that is read as one: a name, a chat template.</summary>
    public const int TextBytes = 1 << 24;

    /// <summary>Arrays within arrays.</summary>
    public const int ArrayDepth = 4;

    /// <summary>Bytes of the alignment.</summary>
    public const int Alignment = 1 << 16;

    /// <summary>Bytes of a tensor's name.</summary>
    public const int TensorNameBytes = 63;

    /// <summary>Files of a split model.</summary>
    public const int Parts = SplitNames.Most;

    /// <summary>A tensor's dimensions.</summary>
    public const int Dimensions = 4;

    /// <summary>Layers.</summary>
    public const int Layers = 1024;

    /// <summary>Width of the residual stream and of the feed-forward part, number of heads, size of the vocabulary.</summary>
    public const int Size = 1 << 20;

    /// <summary>Values in a head: rows of a head lie on the stack.</summary>
    public const int HeadSize = 1024;

    /// <summary>Positions of the context.</summary>
    public const int Context = 1 << 24;

    /// <summary>Bytes of a token's text; bounds the decoder's buffers.</summary>
    public const int TokenBytes = 64 * 1024;

    /// <summary>Tokens that end a text.</summary>
    public const int EndTokens = 1024;

    /// <summary>Bytes of a token of a vocabulary with scores instead of merges: each way to cut it in two is tried.</summary>
    public const int ScoredTokenBytes = 256;

    /// <summary>Merges of a tokenizer; there is one for each token but those of a byte.</summary>
    public const int Merges = 2 * Size;
}
