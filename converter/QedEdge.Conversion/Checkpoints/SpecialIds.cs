namespace QedEdge.Conversion.Checkpoints;

/// <summary>
/// The ids that begin, end and pad a text. The model's own files are generation_config.json and, for what that leaves out, config.json, as
/// Hugging Face generates. The tokenizer's files are tokenizer_config.json and, for what that leaves out, the template in tokenizer.json.
/// Where both name an id for the begin or the end of a text, they must agree: a model file has one. Padding is the tokenizer's to say.
/// </summary>
/// <param name="Bos">Begins a text, or null.</param>
/// <param name="Eos">Ends a text, or null.</param>
/// <param name="Pad">Fills a batch's short rows, or null.</param>
internal sealed record SpecialIds(int? Bos, int? Eos, int? Pad)
{
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
        return new SpecialIds(
            One("bos_token_id", "begins", bos, List(generation?.BosId), List(config.BosId)),
            One("eos_token_id", "ends", eos, generation?.EosIds ?? [], config.EosIds),
            pad ?? generation?.PadId ?? config.PadId);

        int? One(string key, string does, TokenizerId tokenizer, IReadOnlyList<int> generated, IReadOnlyList<int> configured)
        {
            var (ids, file) = generated.Count > 0 ? (generated, GenerationConfig.FileName) : (configured, CheckpointConfig.FileName);
            if (generated.Count > 0 && configured.Except(generated).Any())
                warnings.Add($"{CheckpointConfig.FileName} has {key} {Text(configured)}; {file} has {Text(generated)}, which is taken, as Hugging Face does");
            if (ids.Count == 0)
                return tokenizer.Id;
            int id = tokenizer.Id is int named && ids.Contains(named) ? named : ids[0];
            if (tokenizer.Id is int other && other != id)
            {
                throw new ModelFormatException(ModelFault.Damaged, Path.Combine(checkpoint.Folder, file),
                    $"token {Text(ids)} {does} a text, and by {tokenizer.Source} token {other} does; a model file has one such token, so correct one of the two", key);
            }
            if (ids.Count > 1)
                warnings.Add($"{file} has several tokens that end a text ({key} {Text(ids)}); the model file has one: text ends at {id} only");
            return id;
        }

        static IReadOnlyList<int> List(int? id) => id is int value ? [value] : [];

        static string Text(IReadOnlyList<int> ids) => string.Join(", ", ids);
    }
}

/// <summary>An id that the tokenizer's files give to a role.</summary>
/// <param name="Id">The id, or null.</param>
/// <param name="Source">The file and key, for errors.</param>
internal readonly record struct TokenizerId(int? Id, string Source);
