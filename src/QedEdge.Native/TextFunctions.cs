using System.Runtime.InteropServices;
using QedEdge.Text;

namespace QedEdge.Native;

/// <summary>Text and tokens of qed.h.</summary>
internal static unsafe class TextFunctions
{
    private const int TokenizePrompt = 8, DetokenizeKeep = 1;

    [UnmanagedCallersOnly(EntryPoint = "qed_tokenize")]
    public static long Tokenize(nint model, byte* text, nuint length, int flags, int* ids, nuint capacity)
    {
        try
        {
            using Handles.Lease<QedModel> lease = Handles.Use<QedModel>(model);
            if ((flags & ~15) != 0)
                throw new StatusException(Status.Argument, $"the flags must be 0 to 15, got {flags}");
            Tokenizer tokenizer = Of(lease.Target);
            // The bits of EncodeOptions are those of qed.h.
            EncodeOptions options = (EncodeOptions)(flags & ~TokenizePrompt) | ((flags & TokenizePrompt) != 0 ? tokenizer.PromptOptions : 0);
            Text.Buffer(ids, capacity);
            return Text.Write(Encode(tokenizer, Text.Read(text, length, "the text"), options), ids, capacity);
        }
        catch (Exception e)
        {
            return LastError.Set(e);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "qed_detokenize")]
    public static long Detokenize(nint model, int* ids, nuint count, int flags, byte* buffer, nuint capacity)
    {
        try
        {
            using Handles.Lease<QedModel> lease = Handles.Use<QedModel>(model);
            if (flags is not (0 or DetokenizeKeep))
                throw new StatusException(Status.Argument, $"the flags must be 0 or 1, got {flags}");
            Tokenizer tokenizer = Of(lease.Target);
            ReadOnlySpan<int> read = Text.Read(ids, count, "the ids");
            foreach (int id in read)
                Check(id, tokenizer);
            return Text.Write(tokenizer.Decode(read, flags == DetokenizeKeep ? SpecialTokenText.Keep : SpecialTokenText.Skip), buffer, capacity);
        }
        catch (Exception e)
        {
            return LastError.Set(e);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "qed_piece")]
    public static long Piece(nint model, int id, byte* buffer, nuint capacity)
    {
        try
        {
            using Handles.Lease<QedModel> lease = Handles.Use<QedModel>(model);
            Tokenizer tokenizer = Of(lease.Target);
            Check(id, tokenizer);
            return Text.Write(tokenizer.Piece(id), buffer, capacity);
        }
        catch (Exception e)
        {
            return LastError.Set(e);
        }
    }

    /// <summary>A model's tokenizer.</summary>
    /// <exception cref="StatusException">It has none.</exception>
    public static Tokenizer Of(QedModel model) =>
        model.Tokenizer ?? throw new StatusException(Status.State, model.TokenizerProblem?.Message ?? $"{model.File.Name} has no tokenizer");

    /// <summary>The ids of a text.</summary>
    public static ReadOnlySpan<int> Encode(Tokenizer tokenizer, ReadOnlySpan<byte> text, EncodeOptions options)
    {
        var ids = new List<int>();
        tokenizer.Encode(text, ids, options);
        return CollectionsMarshal.AsSpan(ids);
    }

    private static void Check(int id, Tokenizer tokenizer)
    {
        if ((uint)id >= (uint)tokenizer.VocabSize)
            throw new StatusException(Status.Argument, $"token id {id} is outside the vocabulary of {tokenizer.VocabSize} entries");
    }
}
