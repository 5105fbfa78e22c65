using System.Text.RegularExpressions;
using QedEdge.Quantization;

namespace QedEdge.Conversion;

/// <summary>The format of matrices whose name in the file matches an expression somewhere; of several rules the first that matches holds.</summary>
/// <param name="Pattern">The expression.</param>
/// <param name="Format">The format.</param>
internal sealed record TensorTypeRule(Regex Pattern, BlockFormat Format)
{
    /// <summary>A rule for one name.</summary>
    public static TensorTypeRule Exactly(string name, BlockFormat format) => new(new Regex($"^{Regex.Escape(name)}$"), format);
}
