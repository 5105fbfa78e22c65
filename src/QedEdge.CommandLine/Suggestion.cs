namespace QedEdge.CommandLine;

/// <summary>What may have been meant by a word that is none of those that are taken.</summary>
internal static class Suggestion
{
    private const int ShortestBeginning = 3, ShortestWhole = 4; // letters that tell what is meant

    /// <summary>A word that begins so; else the nearest one, few edits away; else one that this one begins with; else null.</summary>
    public static string? For(string word, IEnumerable<string> words)
    {
        if (word.Length >= ShortestBeginning && words.FirstOrDefault(known => known.StartsWith(word, StringComparison.Ordinal)) is { } longer)
            return longer;
        string? nearest = null;
        int least = Math.Max(1, word.Length / 3) + 1;
        foreach (string known in words)
        {
            int distance = Distance(known, word);
            if (distance < least && distance < word.Length)
                (nearest, least) = (known, distance);
        }
        return nearest ?? words.FirstOrDefault(known => known.Length >= ShortestWhole && word.StartsWith(known, StringComparison.Ordinal));
    }

    /// <summary>Insertions, deletions and substitutions from one word to another (Levenshtein).</summary>
    private static int Distance(string a, string b)
    {
        var row = new int[b.Length + 1];
        for (int j = 0; j < row.Length; j++)
            row[j] = j;
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int above = row[j];
                row[j] = Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
                diagonal = above;
            }
        }
        return row[^1];
    }
}
