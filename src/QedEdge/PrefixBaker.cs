using QedEdge.Gguf;
using QedEdge.Memory;
using QedEdge.Model;

namespace QedEdge;

/// <summary>How a prefix is baked into a model file.</summary>
public sealed record BakeOptions
{
    /// <summary>The session that computes the keys and values; their type is the one that later sessions must have to use them.</summary>
    public SessionOptions Session { get; init; } = new();

    /// <summary>The system message that the tokens are, kept with them; null where they are none.</summary>
    public string? System { get; init; }

    /// <summary>Whether an existing output is replaced.</summary>
    public bool Overwrite { get; init; }
}

/// <summary>Writes a copy of a model file with the keys and values of a prompt's beginning (<see cref="BakedPrefix"/>).</summary>
public static class PrefixBaker
{
    /// <summary>Bakes; a prefix that the model's file has already is replaced.</summary>
    /// <param name="model">The model.</param>
    /// <param name="tokens">What prompts begin with, begin-of-text token included.</param>
    /// <param name="output">The file to write; it appears only when whole.</param>
    /// <param name="options">How.</param>
    /// <param name="cancellation">Ends the work; no file is left then.</param>
    /// <exception cref="InvalidOptionException">There are no tokens, an option is out of range, or the output is the model's file.</exception>
    /// <exception cref="ContextLengthException">There are more tokens than the context holds.</exception>
    /// <exception cref="ModelFormatException">The model's file is damaged.</exception>
    /// <exception cref="QedException">The output cannot be written.</exception>
    public static void Bake(QedModel model, ReadOnlySpan<int> tokens, string output, BakeOptions options, CancellationToken cancellation = default)
    {
        if (tokens.IsEmpty)
            throw new InvalidOptionException("there are no tokens to bake");
        GgufFile source = model.File;
        SeparateFiles.Check([output], source.Name);
        using var file = new AtomicFile(output, options.Overwrite);
        using Session session = model.CreateSession(options.Session with { Overflow = ContextOverflow.Stop, Sinks = null });
        session.Feed(tokens, new FeedOptions { Cancellation = cancellation });
        KvCache cache = session.Sequence.Cache;
        int count = tokens.Length;

        var writer = new GgufWriter(source.Alignment);
        foreach (string key in source.Metadata.Keys.Where(key => !GgufKeys.IsBaked(key)))
            writer.Copy(source.Metadata, key);
        writer.Add(GgufKeys.BakedTokens, tokens.ToArray());
        writer.Add(GgufKeys.BakedKvType, KvCacheTypes.NameOf(session.KvType));
        writer.Add(GgufKeys.BakedFingerprint, model.Fingerprint);
        if (options.System is not null)
            writer.Add(GgufKeys.BakedSystem, options.System);
        GgufTensorInfo[] tensors = [.. source.Tensors.Where(tensor => !tensor.IsBaked)];
        foreach (GgufTensorInfo tensor in tensors)
            writer.AddTensor(tensor.Name, tensor.Type, [.. tensor.Dimensions], tensor.Bytes);
        writer.AddTensor(GgufKeys.BakedTensor, TensorType.I8, [cache.BytesOf(count, count)], cache.BytesOf(count, count));

        file.Fill(stream =>
        {
            writer.Begin(stream);
            for (int i = 0; i < tensors.Length; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                NativeView data = source.Data(tensors[i]);
                GgufChecksums.Check(source, tensors[i], data); // the output gets checksums of its own: they must not vouch for damaged data
                data.InPieces(piece => writer.WriteTensor(i, piece));
            }
            for (int part = 0; part < cache.Parts; part++)
                cache.Part(part, count, count).InPieces(piece => writer.WriteTensor(tensors.Length, piece));
            writer.End();
        });
    }
}
