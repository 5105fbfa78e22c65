using System.Text;

namespace QedEdge.Tests.Constraints;

/// <summary>Regular expressions and texts of a small alphabet, in which matches are not rare.</summary>
internal static class RandomPattern
{
    private static readonly string[] Atoms = ["a", "b", "ab", ".", "\\d", "\\w", "\\s", "\\D", "[ab]", "[^a]", "[a-c0-2]", "[é-ö]", "é", "ö", "世", "[^\\w]", "\\x61", "\\u00e9", " ", "1", "[\\d_-]", "\\."];
    private static readonly string[] Repeats = ["*", "+", "?", "{2}", "{0,2}", "{1,}", "*?", "+?", "{1,3}?", "{0}"];
    private static readonly string[] Letters = ["a", "b", "c", "é", "ö", "ø", "世", "1", "2", " ", "_", "-", ".", "\n"];

    public static string Pattern(Random random, int depth = 3)
    {
        var pattern = new StringBuilder();
        for (int parts = random.Next(1, 4); parts > 0; parts--)
        {
            pattern.Append(depth > 0 && random.Next(3) == 0
                ? $"({(random.Next(2) == 0 ? "?:" : "")}{Pattern(random, depth - 1)}{(random.Next(2) == 0 ? "|" + Pattern(random, depth - 1) : "")})"
                : Atoms[random.Next(Atoms.Length)] is var atom && atom == "ab" ? "(ab)" : atom);
            if (random.Next(3) == 0)
                pattern.Append(Repeats[random.Next(Repeats.Length)]);
        }
        return pattern.ToString();
    }

    public static string Text(Random random) => string.Concat(Enumerable.Range(0, random.Next(7)).Select(_ => Letters[random.Next(Letters.Length)]));
}
