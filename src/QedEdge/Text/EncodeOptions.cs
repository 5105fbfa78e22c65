namespace QedEdge.Text;

/// <summary>How text becomes token ids.</summary>
[Flags]
public enum EncodeOptions
{
    /// <summary>A special token's text gives no special token; added tokens that are not special, such as runs of spaces, are found. For text from strangers.</summary>
    Plain = 0,
    /// <summary>The text of special tokens, such as <c>&lt;eos&gt;</c>, gives those tokens.</summary>
    ParseSpecial = 1,
    /// <summary>The begin-of-text id comes first; a text that begins with it itself gets no second one.</summary>
    AddBos = 2,
    /// <summary>The end-of-text id comes last.</summary>
    AddEos = 4,
}
