using System.IO.Hashing;
using System.Runtime.InteropServices;
using QedEdge.Gguf;
using QedEdge.Model;
using QedEdge.Sampling;

namespace QedEdge.Generation;

/// <summary>
/// A hash of what a model computes, stored in its file: over the logits after a prompt and after each of some greedy tokens but the last. All machines compute the same bits, so
/// each can check itself. <c>qed generate --tokens PROMPT -n COUNT --greedy --ignore-eos --digest</c> prints the same.
/// </summary>
/// <param name="Prompt">Token ids.</param>
/// <param name="Count">Greedy tokens.</param>
/// <param name="Value">The XXH128 in hexadecimal.</param>
/// <param name="Arithmetic">The version of the arithmetic that it belongs to.</param>
public sealed record GoldenDigest(int[] Prompt, int Count, string Value, int Arithmetic)
{
    /// <summary>Tokens of a digest, where the context has room for them.</summary>
    internal const int Tokens = 64;

    /// <summary>Whether this version of QedEdge can compute it.</summary>
    public bool IsComparable => Arithmetic == KvCache.Version;

    /// <summary>Whether a file has a digest.</summary>
    /// <param name="file">An open file.</param>
    public static bool IsIn(GgufFile file) => file.Metadata.Contains(GgufKeys.DigestValue);

    /// <summary>The digest in a model's file, or null.</summary>
    /// <param name="model">An open model.</param>
    /// <exception cref="ModelFormatException">Its keys are damaged.</exception>
    public static GoldenDigest? Find(QedModel model)
    {
        GgufMetadata metadata = model.File.Metadata;
        if (metadata.FindString(GgufKeys.DigestValue) is not { } value)
            return null;
        int[] prompt = [.. metadata.GetArray(GgufKeys.DigestPrompt).Int32()];
        uint count = metadata.GetUInt32(GgufKeys.DigestCount), arithmetic = metadata.GetUInt32(GgufKeys.DigestArithmetic);
        int context = model.Config.ContextLength;
        if (prompt.Length == 0 || prompt.Length > context || count > context - prompt.Length || prompt.AsSpan().ContainsAnyExceptInRange(0, model.Config.VocabSize - 1))
            throw new ModelFormatException(ModelFault.Damaged, model.File.Name, "the prompt and the tokens do not fit the model", GgufKeys.DigestPrompt);
        return new GoldenDigest(prompt, (int)count, value, (int)arithmetic);
    }

    /// <summary>Computes a model's digest.</summary>
    /// <param name="model">The model.</param>
    /// <param name="prompt">Token ids that fit the context, at least one.</param>
    /// <param name="count">Greedy tokens, or null: as many as a new digest has. They fit the context.</param>
    /// <param name="threads">Threads; the digest does not depend on them.</param>
    /// <param name="cancellation">Stops between two tokens.</param>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    /// <exception cref="ModelFormatException">The weights are damaged.</exception>
    public static GoldenDigest Compute(QedModel model, int[] prompt, int? count = null, int? threads = null, CancellationToken cancellation = default)
    {
        int tokens = count ?? Math.Min(Tokens, model.Config.ContextLength - prompt.Length);
        var hash = new XxHash128();
        using Session session = model.CreateSession(new SessionOptions { ContextLength = prompt.Length + tokens, Threads = threads });
        var generator = new Generator(session, new GenerationOptions
        {
            Sampling = SamplingOptions.Greedy,
            MaxTokens = tokens,
            IgnoreEos = true,
            OnLogits = (_, logits) => hash.Append(MemoryMarshal.AsBytes(logits)),
        });
        generator.Run(prompt, static (_, _) => true, cancellation);
        cancellation.ThrowIfCancellationRequested();
        return new GoldenDigest(prompt, tokens, Convert.ToHexStringLower(hash.GetCurrentHash()), KvCache.Version);
    }
}
