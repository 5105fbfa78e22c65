namespace QedEdge.Gguf;

/// <summary>The tokens that end a text, by a file's metadata.</summary>
internal static class EndTokens
{
    private static readonly string[] Single = [GgufKeys.EosTokenId, GgufKeys.EotTokenId, GgufKeys.EomTokenId];

    /// <summary>All of them, each once, <see cref="GgufKeys.EosTokenId"/> first where there is one.</summary>
    /// <param name="file">An open file.</param>
    /// <param name="vocabSize">What ids are below.</param>
    /// <exception cref="ModelFormatException">An id is outside the vocabulary, or there are too many.</exception>
    public static int[] Of(GgufFile file, int vocabSize)
    {
        var ids = new List<int>();
        foreach (string key in Single)
        {
            if (file.Metadata.FindUInt32(key) is { } id)
                Add(id, key);
        }
        if (file.Metadata.FindArray(GgufKeys.EndIds) is { } list)
        {
            if (list.Count > GgufLimits.EndTokens)
                throw new ModelFormatException(ModelFault.Damaged, file.Name, $"{list.Count} ids; at most {GgufLimits.EndTokens} are possible", GgufKeys.EndIds);
            foreach (uint id in list.UInt32())
                Add(id, GgufKeys.EndIds);
        }
        return [.. ids];

        void Add(uint id, string key)
        {
            if (id >= (uint)vocabSize)
                throw new ModelFormatException(ModelFault.Damaged, file.Name, $"token {id} is outside the vocabulary of {vocabSize}", key);
            if (!ids.Contains((int)id))
                ids.Add((int)id);
        }
    }
}
