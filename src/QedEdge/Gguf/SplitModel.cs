using QedEdge.Memory;

namespace QedEdge.Gguf;

/// <summary>
/// A model in several files, as other tools split them: <c>NAME-00001-of-00003.gguf</c> has the metadata and the first tensors, the others the rest. Each has the
/// keys <c>split.count</c> and <c>split.no</c>, from 0.
/// </summary>
internal static class SplitModel
{
    /// <summary>What keys begin with that say how a model is split.</summary>
    public const string Keys = "split.";

    private const string Count = Keys + "count", Number = Keys + "no", Tensors = Keys + "tensors.count";

    /// <summary>Opens the further files of a split model's first; none where the file is a whole model.</summary>
    /// <param name="first">The file.</param>
    /// <exception cref="ModelFormatException">It is not the first, or another one is missing, damaged or of another model.</exception>
    public static GgufFile[] Parts(GgufFile first)
    {
        long count = first.Metadata.FindInt64(Count) ?? 1, number = first.Metadata.FindInt64(Number) ?? 0;
        if (count == 1)
            return [];
        if (count is < 1 or > GgufLimits.Parts)
            throw new ModelFormatException(ModelFault.Damaged, first.Name, $"a model split into {count} files; there are 1 to {GgufLimits.Parts}", Count);
        if (number < 0 || number >= count)
            throw new ModelFormatException(ModelFault.Damaged, first.Name, $"file {number + 1} of a model split into {count} files; download it again", Number);
        string ending = SplitNames.Ending(number + 1, count);
        if (!first.Name.EndsWith(ending, StringComparison.Ordinal))
            throw new ModelFormatException(ModelFault.Unsupported, first.Name, $"is one of {count} files of a split model and its name does not end in '{ending}', by which the others are found; give all files their names back", Count);
        string start = first.Name[..^ending.Length];
        if (number > 0)
            throw new ModelFormatException(ModelFault.Unsupported, first.Name, $"is file {number + 1} of {count} of a split model; name the first, {Path.GetFileName(start)}{SplitNames.Ending(1, count)}");
        var parts = new GgufFile[count - 1];
        try
        {
            for (int i = 0; i < parts.Length; i++)
            {
                parts[i] = GgufFile.Open(start + SplitNames.Ending(i + 2, count), start + SplitNames.Ending(i + 2, count));
                if (parts[i].Metadata.FindInt64(Count) != count || parts[i].Metadata.FindInt64(Number) != i + 1)
                    throw new ModelFormatException(ModelFault.Damaged, parts[i].Name, $"is not file {i + 2} of {count} of the split model that {Path.GetFileName(first.Name)} begins; download all of them again", Number);
            }
            if (first.Metadata.FindInt64(Tensors) is { } tensors && tensors != first.Tensors.Count + parts.Sum(static part => (long)part.Tensors.Count))
                throw new ModelFormatException(ModelFault.Damaged, first.Name, $"announces {tensors} tensors in {count} files, and they hold another number; download all of them again", Tensors);
            return parts;
        }
        catch (Exception e)
        {
            foreach (GgufFile? part in parts)
                part?.Dispose();
            if (e is ModelFormatException { Fault: ModelFault.Unreadable } unreadable)
                throw new ModelFormatException(ModelFault.Unreadable, unreadable.File, $"is missing or cannot be read, and the model is split into {count} files; download all of them into one folder", inner: e);
            throw;
        }
    }
}
