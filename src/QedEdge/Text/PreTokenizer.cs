namespace QedEdge.Text;

/// <summary>How text is cut into words before merging; no merge crosses a cut.</summary>
internal enum PreTokenizer
{
    /// <summary>GPT-2's expression (metadata <c>gpt-2</c>).</summary>
    Gpt2,
    /// <summary>Every number character is a word of its own, what lies between is cut by GPT-2's expression (metadata <c>smollm</c>).</summary>
    DigitsThenGpt2,
}
