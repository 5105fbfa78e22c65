using System.IO.Hashing;
using System.Runtime.InteropServices;
using QedEdge.Chat;
using QedEdge.Generation;
using QedEdge.Kernels;
using QedEdge.Text;

namespace QedEdge.Fuzz;

/// <summary>Uses what was opened, on the kernels of two sets.</summary>
internal static class Runs
{
    private const int Tokens = 5;

    /// <summary>The sets that are compared: the one that all others are tested against, and the fastest.</summary>
    public static string[] Sets { get; } = ["scalar", KernelRegistry.Available[0].Name];

    /// <summary>Opens a model with each set, feeds it a few tokens whole and one by one, and demands the same bits, or the same refusal.</summary>
    /// <param name="open">Opens it with a set of a name.</param>
    public static string Model(Func<ModelOptions, QedModel> open)
    {
        using QedModel first = open(new ModelOptions { InstructionSet = Sets[0] }), second = open(new ModelOptions { InstructionSet = Sets[1] });
        Text(first);
        string[] results = [Feed(first, Tokens), Feed(first, 1), Feed(second, Tokens), Feed(second, 1)];
        if (results.Distinct().Count() > 1)
            throw new FaultException($"kernels or chunks differ: {string.Join(", ", results.Select(static result => result.StartsWith("bits", StringComparison.Ordinal) ? "bits" : result))}");
        return results[0].StartsWith("bits", StringComparison.Ordinal) ? "runs" : $"runs: {results[0]}";
    }

    /// <summary>What a session gives, in words: its logits' bits, or what it says.</summary>
    public static string Logits(Session session, ReadOnlySpan<int> tokens, int chunk = 0)
    {
        try
        {
            session.Feed(tokens, new FeedOptions { ChunkSize = chunk });
            return $"bits {XxHash3.HashToUInt64(MemoryMarshal.AsBytes(session.Logits)):x16}";
        }
        catch (QedException exception) when (Judge.Problem(exception) is null)
        {
            return exception.Message;
        }
    }

    private static string Feed(QedModel model, int chunk)
    {
        using Session session = model.CreateSession(new SessionOptions { Threads = 1, ContextLength = Math.Min(2 * Tokens, model.Config.ContextLength) });
        Span<int> tokens = stackalloc int[Math.Min(Tokens, session.Capacity)];
        for (int i = 0; i < tokens.Length; i++)
            tokens[i] = (1 + 3 * i) % model.Config.VocabSize;
        if (model.BakedPrefix is { } baked && baked.KvType == session.KvType && baked.Tokens.Length < session.Capacity)
        {
            int[] prompt = [.. baked.Tokens, tokens[0]];
            return Logits(session, prompt.AsSpan(session.TakeBaked(prompt)), chunk);
        }
        return Logits(session, tokens, chunk);
    }

    private static void Text(QedModel model)
    {
        _ = GenerationOptions.Of(model);
        if (model.Tokenizer is not { } tokenizer)
            return;
        var ids = new List<int>();
        tokenizer.Encode(Samples.Text, ids, tokenizer.PromptOptions);
        if (ids.Exists(id => (uint)id >= (uint)model.Config.VocabSize))
            throw new FaultException("the tokenizer gives ids outside the vocabulary");
        string text = tokenizer.Decode(CollectionsMarshal.AsSpan(ids));
        var stream = new StreamingDecoder(tokenizer);
        string parts = string.Concat(ids.Select(id => stream.Append(id).ToString())) + stream.Flush().ToString();
        if (parts != text)
            throw new FaultException("decoding piece by piece gives another text");
        if (model.ChatTemplate is { } template)
            template.Encode(new Conversation { Messages = [new("user", Samples.Text)] });
    }
}
