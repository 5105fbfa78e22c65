using System.Text;
using QedEdge.Conversion.Checkpoints;
using QedEdge.Gguf;
using QedEdge.Templates;
using QedEdge.Text;

namespace QedEdge.Conversion;

/// <summary>Writes a checkpoint's tokenizer into a file's metadata.</summary>
internal static class TokenizerConversion
{
    /// <summary>From as many tokens on, hash tables of texts and merges are stored.</summary>
    internal const int FewestForSlots = 1 << 14;

    /// <summary>Writes the special ids and the tokenizer, or a warning where the checkpoint has none; returns it.</summary>
    public static Tokenizer? Write(GgufWriter writer, Checkpoint checkpoint, ConversionOptions options, List<string> warnings)
    {
        string path = Path.Combine(checkpoint.Folder, TokenizerJson.FileName);
        if (!CheckpointFiles.Exists(path))
        {
            WriteIdsAlone(writer, checkpoint, options, warnings);
            warnings.Add("the checkpoint has no tokenizer.json: the file runs with token ids only");
            return null;
        }
        var config = TokenizerConfig.ReadFolder(checkpoint.Folder);
        TokenizerData data;
        try
        {
            data = TokenizerJson.Read(path, checkpoint, config, warnings);
        }
        catch (ModelFormatException problem) when (problem.Fault == ModelFault.Unsupported && checkpoint.Config.Family.Name != GgufKeys.Qed)
        {
            WriteIdsAlone(writer, checkpoint, options, warnings);
            warnings.Add($"the file runs with token ids only: {problem.Message.Replace(TokenizerJson.WithoutTokenizer, "", StringComparison.Ordinal)}"); // which was done
            return null;
        }
        TokenizerCrossCheck.Compare(data, path, data.ChatTemplate, string.Join(" a", config.Tokens.Select(static token => token.Text)));
        WriteIds(writer, data.BosId, data.EndIds, data.PadId);
        Write(writer, data, options.Layout);
        WarnOfTemplate(data.ChatTemplate, "", warnings);
        foreach ((string name, string text) in config.FurtherTemplates)
        {
            writer.Add($"{GgufKeys.ChatTemplate}.{name}", text);
            WarnOfTemplate(text, $" '{name}'", warnings);
        }
        if (config.FurtherTemplates.Count > 0)
            warnings.Add(TemplatesUsed(config.FurtherTemplates));
        return new Tokenizer(data);
    }

    /// <summary>A template that cannot be run is stored all the same, for other tools; the model generates without it.</summary>
    private static void WarnOfTemplate(string? source, string name, List<string> warnings)
    {
        if (source is null)
            return;
        string? problem;
        try
        {
            problem = Template.Parse(source).Unsupported;
        }
        catch (TemplateException e)
        {
            problem = e.Message;
        }
        if (problem is not null)
            warnings.Add($"the chat template{name} cannot be run, or not as a whole: {problem}; the model generates text, and conversations may fail");
    }

    /// <summary>Which of several templates are used when.</summary>
    private static string TemplatesUsed(IReadOnlyList<(string Name, string Text)> further)
    {
        string[] idle = [.. further.Select(template => template.Name).Where(name => name != Chat.ChatTemplate.ToolUse)];
        string tools = idle.Length < further.Count ? $", and '{Chat.ChatTemplate.ToolUse}' where tools are offered" : "";
        return $"the checkpoint has several chat templates: conversations use the default one{tools}" + (idle.Length > 0 ? $"; stored, and used by nothing here: {string.Join(", ", idle)}" : "");
    }

    private static void WriteIdsAlone(GgufWriter writer, Checkpoint checkpoint, ConversionOptions options, List<string> warnings)
    {
        var ids = SpecialIds.Of(checkpoint, warnings);
        WriteIds(writer, ids.Bos ?? -1, ids.Ends, ids.Pad ?? -1);
        if (options.Architecture == FileArchitecture.Qwen2 || checkpoint.Config.Family.Name != GgufKeys.Qed)
            writer.Add(GgufKeys.TokenizerModel, TokenizerMetadata.NoModel); // other tools ask for it
    }

    /// <summary>Writes vocabulary, merges and flags; the special ids but the unknown one are written with the model.</summary>
    internal static void Write(GgufWriter writer, TokenizerData data, FileLayout layout)
    {
        WriteRules(writer, data.Rules);
        writer.Add(GgufKeys.Tokens, [.. Enumerable.Range(0, data.Tokens.Count).Select(id => Encoding.UTF8.GetString(data.Tokens.Text(id)))]);
        writer.Add(GgufKeys.TokenType, (int[])[.. Enumerable.Range(0, data.Tokens.Count).Select(id => (int)data.Tokens.Type(id))]);
        WriteMerges(writer, data, layout);
        if (data.Added.Any(static token => token.IsNormalized || token.StripsLeft || token.StripsRight))
        {
            writer.Add(GgufKeys.AddedIds, (uint[])[.. data.Added.Select(static token => (uint)token.Id)]);
            writer.Add(GgufKeys.AddedFlags, (uint[])[.. data.Added.Select(static token =>
                (token.IsNormalized ? TokenizerMetadata.Normalized : 0) | (token.StripsLeft ? TokenizerMetadata.StripsLeft : 0) | (token.StripsRight ? TokenizerMetadata.StripsRight : 0))]);
        }
        if (data.UnkId >= 0)
            writer.Add(GgufKeys.UnknownTokenId, data.UnkId);
        writer.Add(GgufKeys.AddBosToken, data.AddBos);
        writer.Add(GgufKeys.AddEosToken, data.AddEos);
        if (data.ChatTemplate is not null)
            writer.Add(GgufKeys.ChatTemplate, data.ChatTemplate);
    }

    /// <summary>Model and pre-tokenizer by the names that other tools know, and in keys of our own what these do not say.</summary>
    private static void WriteRules(GgufWriter writer, TokenizerRules rules)
    {
        string model = rules.IsByteLevel ? TokenizerMetadata.ByteLevelModel : TokenizerMetadata.CodePointModel;
        string? pre = rules.IsByteLevel ? TokenizerMetadata.PreName(rules) : null;
        bool prefix = rules.Normalizer == Normalizer.PrefixedSpaces;
        writer.Add(GgufKeys.TokenizerModel, model);
        if (pre is not null)
            writer.Add(GgufKeys.TokenizerPre, pre);
        else
            writer.Add(GgufKeys.AddSpacePrefix, prefix);
        TokenizerRules named = TokenizerMetadata.FindRules(model, pre, prefix)!;
        if (rules.Normalizer != named.Normalizer)
            writer.Add(GgufKeys.Normalizer, TokenizerMetadata.NormalizerName(rules.Normalizer));
        foreach ((string key, bool value, bool usual) in new[]
        {
            (GgufKeys.IgnoreMerges, rules.IgnoresMerges, named.IgnoresMerges), (GgufKeys.ByteFallback, rules.HasByteFallback, named.HasByteFallback),
            (GgufKeys.FuseUnknown, rules.FusesUnknown, named.FusesUnknown), (GgufKeys.StripSpace, rules.StripsSpace, named.StripsSpace),
        })
        {
            if (value != usual)
                writer.Add(key, value);
        }
    }

    /// <summary>Copies a file's keys in their order, with its merges in the form that a layout has.</summary>
    /// <param name="writer">The new file.</param>
    /// <param name="source">The file.</param>
    /// <param name="layout">The layout to write.</param>
    /// <param name="copy">Copies any other key, or does not.</param>
    public static void CopyKeys(GgufWriter writer, GgufFile source, FileLayout layout, Action<string> copy)
    {
        bool mergesWritten = false;
        foreach (string key in source.Metadata.Keys)
        {
            if (!IsLayoutDependent(key))
            {
                copy(key);
            }
            else if (!mergesWritten)
            {
                // In their old place: repacking gives the bytes that converting to the layout gives, but for widths that are F16 in plain
                // order (converting rounds the checkpoint's values to half precision, repacking the block format's).
                CopyMerges(writer, source, layout);
                mergesWritten = true;
            }
        }
    }

    /// <summary>Whether a key is written differently in the two layouts.</summary>
    private static bool IsLayoutDependent(string key) => key is GgufKeys.Merges or GgufKeys.Scores or GgufKeys.PackedMerges or GgufKeys.PackedMergeIds or GgufKeys.TokenSlots or GgufKeys.MergeSlots;

    /// <summary>Writes a file's merges in the form that a layout has.</summary>
    private static void CopyMerges(GgufWriter writer, GgufFile source, FileLayout layout)
    {
        try
        {
            if (TokenizerMetadata.Read(source.Metadata, source.Name) is not { } data)
                return;
            if (data.Merges.SharesRanks)
                writer.Copy(source.Metadata, GgufKeys.Scores);
            else
                WriteMerges(writer, data, layout);
        }
        catch (ModelFormatException) when (!source.IsOwn)
        {
            foreach (string key in (ReadOnlySpan<string>)[GgufKeys.Merges, GgufKeys.Scores]) // another tool's tokenizer, which runs with token ids here
            {
                if (source.Metadata.Contains(key))
                    writer.Copy(source.Metadata, key);
            }
        }
    }

    /// <summary>
    /// Packed: pairs of ids, which need no look-up when the file is opened. Plain: pairs of pieces as text, which every tool reads; of code points scores, which say for tools that
    /// know no merges what is joined first, and the pairs beside them.
    /// </summary>
    private static void WriteMerges(GgufWriter writer, TokenizerData data, FileLayout layout)
    {
        if (layout == FileLayout.Packed || !data.Rules.IsByteLevel)
        {
            writer.Add(GgufKeys.PackedMerges, data.Merges.Pairs.ToArray());
            writer.Add(GgufKeys.PackedMergeIds, data.Merges.MergedIds.ToArray());
        }
        if (layout == FileLayout.Packed)
        {
            // Smaller ones are indexed in less than a millisecond when the file is opened.
            if (data.Tokens.Count >= FewestForSlots && data.Tokens.StoredSlots() is { } tokens && data.Merges.StoredSlots() is { } pairs)
            {
                writer.Add(GgufKeys.TokenSlots, tokens);
                writer.Add(GgufKeys.MergeSlots, pairs);
            }
            return;
        }
        if (!data.Rules.IsByteLevel)
        {
            writer.Add(GgufKeys.Scores, Scores(data));
            return;
        }
        var merges = new string[data.Merges.Count];
        for (int rank = 0; rank < merges.Length; rank++)
            merges[rank] = $"{Piece(data.Merges.Pairs[2 * rank])} {Piece(data.Merges.Pairs[2 * rank + 1])}";
        writer.Add(GgufKeys.Merges, merges);

        string Piece(uint id) => Encoding.UTF8.GetString(data.Tokens.Text((int)id));
    }

    /// <summary>Minus the rank of the first merge that makes a token; of the others, less than all of these.</summary>
    private static float[] Scores(TokenizerData data)
    {
        var scores = new float[data.Tokens.Count];
        Array.Fill(scores, -data.Merges.Count);
        for (int rank = data.Merges.Count - 1; rank >= 0; rank--)
            scores[data.Merges.MergedIds[rank]] = -rank;
        return scores;
    }

    /// <summary>Other tools know up to three tokens that end a text; where there are more, a key of our own has all.</summary>
    private static void WriteIds(GgufWriter writer, int bos, IReadOnlyList<int> ends, int pad)
    {
        if (bos >= 0)
            writer.Add(GgufKeys.BosTokenId, bos);
        string[] keys = [GgufKeys.EosTokenId, GgufKeys.EotTokenId, GgufKeys.EomTokenId];
        for (int i = 0; i < Math.Min(keys.Length, ends.Count); i++)
            writer.Add(keys[i], ends[i]);
        if (ends.Count > keys.Length)
            writer.Add(GgufKeys.EndIds, (uint[])[.. ends.Select(static id => (uint)id)]);
        if (pad >= 0)
            writer.Add(GgufKeys.PaddingTokenId, pad);
    }
}
