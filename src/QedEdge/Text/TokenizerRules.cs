namespace QedEdge.Text;

/// <summary>What happens to text before added tokens of the second pass are looked for.</summary>
internal enum Normalizer
{
    /// <summary>Nothing.</summary>
    None,
    /// <summary>It is composed (NFC) with the data of Unicode 9.0, which Hugging Face's tokenizers have.</summary>
    Nfc,
    /// <summary>Every space becomes ▁ (U+2581).</summary>
    Spaces,
    /// <summary>A ▁ is put before it unless it is empty, and every space becomes one.</summary>
    PrefixedSpaces,
}

/// <summary>How text is cut into words before merging; no merge crosses a cut.</summary>
internal enum PreTokenizer
{
    /// <summary>Not at all.</summary>
    None,
    /// <summary>GPT-2's expression.</summary>
    Gpt2,
    /// <summary>Every number character is a word of its own, what lies between is cut by GPT-2's expression.</summary>
    DigitsThenGpt2,
    /// <summary>Llama 3's expression: numbers in threes.</summary>
    Llama3,
    /// <summary>Qwen's: Llama 3's with each number character alone.</summary>
    Qwen2,
    /// <summary>llama.cpp's for files that name none: runs of punctuation first, what is left by GPT-2's expression, then numbers from their spaces, then their digits in threes.</summary>
    LlamaDefault,
}

/// <summary>A tokenizer's pipeline as data: what is done on the way from text to ids, and back.</summary>
internal sealed record TokenizerRules
{
    /// <summary>GPT-2's kind: symbols are bytes.</summary>
    public static TokenizerRules ByteLevel { get; } = new() { IsByteLevel = true, PreTokenizer = PreTokenizer.Gpt2 };

    /// <summary>SentencePiece's kind: symbols are code points, a space is ▁, what the vocabulary lacks is spelled in bytes.</summary>
    public static TokenizerRules CodePoints { get; } = new() { Normalizer = Normalizer.PrefixedSpaces, HasByteFallback = true, FusesUnknown = true, StripsSpace = true };

    /// <summary>What is done to text first.</summary>
    public Normalizer Normalizer { get; init; }

    /// <summary>How it is cut into words.</summary>
    public PreTokenizer PreTokenizer { get; init; }

    /// <summary>Whether symbols are bytes, written in <see cref="ByteAlphabet"/>; else they are code points.</summary>
    public bool IsByteLevel { get; init; }

    /// <summary>Whether a word that is a token is that token, whatever merging would give.</summary>
    public bool IgnoresMerges { get; init; }

    /// <summary>Whether a code point that is no token becomes the tokens <c>&lt;0x00&gt;</c> … <c>&lt;0xFF&gt;</c> of its bytes, and these are bytes again in decoding.</summary>
    public bool HasByteFallback { get; init; }

    /// <summary>Whether unknown symbols next to each other are one unknown token.</summary>
    public bool FusesUnknown { get; init; }

    /// <summary>Whether decoding leaves out a space that begins the text.</summary>
    public bool StripsSpace { get; init; }
}
