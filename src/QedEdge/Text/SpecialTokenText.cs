namespace QedEdge.Text;

/// <summary>What decoding does with special tokens.</summary>
public enum SpecialTokenText
{
    /// <summary>They leave no trace.</summary>
    Skip,
    /// <summary>They appear as their own text, such as <c>&lt;eos&gt;</c>.</summary>
    Keep,
}
