namespace QedEdge.Conversion.Checkpoints;

/// <summary>
/// The ids that begin, end and pad a text. The model's own files are generation_config.json and, for what that leaves out, config.json, as
/// Hugging Face generates. The tokenizer's files are tokenizer_config.json and, for what that leaves out, the template in tokenizer.json.
/// Where both name an id for the begin of a text, they must agree: a model file has one. All that they name for its end end it. Padding is the tokenizer's to say.
/// </summary>
/// <param name="Bos">Begins a text, or null.</param>
/// <param name="Ends">End a text; the first is the one that is put behind it: the tokenizer's where that names one.</param>
/// <param name="Pad">Fills a batch's short rows, or null.</param>
internal sealed record SpecialIds(int? Bos, IReadOnlyList<int> Ends, int? Pad)
{
    /// <summary>Is put behind a text, or null.</summary>
    public int? Eos => Ends.Count > 0 ? Ends[0] : null;

    /// <summary>The ids of a checkpoint without a tokenizer.</summary>
    /// <param name="checkpoint">The checkpoint.</param>
    /// <param name="warnings">Takes what the user should know.</param>
    public static SpecialIds Of(Checkpoint checkpoint, List<string> warnings) => Of(checkpoint, default, default, null, warnings);

    /// <summary>The ids of a checkpoint with a tokenizer.</summary>
    /// <param name="checkpoint">The checkpoint.</param>
    /// <param name="bos">What the tokenizer's files say of the begin of a text.</param>
    /// <param name="eos">What they say of its end.</param>
    /// <param name="pad">What they say of padding.</param>
    /// <param name="warnings">Takes what the user should know.</param>
    /// <exception cref="ModelFormatException">The model's files contradict the tokenizer's.</exception>
    public static SpecialIds Of(Checkpoint checkpoint, TokenizerId bos, TokenizerId eos, int? pad, List<string> warnings)
    {
        var (config, generation) = (checkpoint.Config, checkpoint.Generation);
        IReadOnlyList<int> begins = Named("bos_token_id", List(generation?.BosId), List(config.BosId), out string file);
        if (bos.Id is int other && begins.Count > 0 && begins[0] != other)
        {
            throw new ModelFormatException(ModelFault.Damaged, Path.Combine(checkpoint.Folder, file),
                $"token {begins[0]} begins a text, and by {bos.Source} token {other} does; a model file has one such token, so correct one of the two", "bos_token_id");
        }
        IReadOnlyList<int> ends = Named("eos_token_id", generation?.EosIds ?? [], config.EosIds, out _);
        return new SpecialIds(bos.Id ?? (begins.Count > 0 ? begins[0] : null), [.. List(eos.Id).Union(ends)], pad ?? generation?.PadId ?? config.PadId);

        IReadOnlyList<int> Named(string key, IReadOnlyList<int> generated, IReadOnlyList<int> configured, out string file)
        {
            (var ids, file) = generated.Count > 0 ? (generated, GenerationConfig.FileName) : (configured, CheckpointConfig.FileName);
            if (generated.Count > 0 && configured.Except(generated).Any())
                warnings.Add($"{CheckpointConfig.FileName} has {key} {Text(configured)}; {file} has {Text(generated)}, which is taken, as Hugging Face does");
            return ids;
        }

        static IReadOnlyList<int> List(int? id) => id is int value ? [value] : [];

        static string Text(IReadOnlyList<int> ids) => string.Join(", ", ids);
    }
}

/// <summary>An id that the tokenizer's files give to a role.</summary>
/// <param name="Id">The id, or null.</param>
/// <param name="Source">The file and key, for errors.</param>
internal readonly record struct TokenizerId(int? Id, string Source);
