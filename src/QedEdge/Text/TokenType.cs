namespace QedEdge.Text;

/// <summary>What a vocabulary entry is; the numbers are those of the metadata key <c>tokenizer.ggml.token_type</c>.</summary>
internal enum TokenType : byte
{
    /// <summary>A piece of text, written in the byte alphabet.</summary>
    Normal = 1,
    /// <summary>Stands for what the vocabulary cannot express; treated as <see cref="Control"/>.</summary>
    Unknown = 2,
    /// <summary>A special token: recognised in text as a whole, left out of decoded text.</summary>
    Control = 3,
    /// <summary>An added token: recognised in text as a whole, decoded as its own text.</summary>
    UserDefined = 4,
    /// <summary>Fills an id that no text leads to; decoded as nothing.</summary>
    Unused = 5,
    /// <summary>A byte, written <c>&lt;0x41&gt;</c>: no text gives it but what the vocabulary lacks.</summary>
    Byte = 6,
}
