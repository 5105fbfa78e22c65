using System.Runtime.InteropServices;
using System.Text;
using QedEdge.Evaluation;
using QedEdge.Generation;
using QedEdge.Text;

namespace QedEdge.Native;

/// <summary>Generation and scoring of qed.h.</summary>
internal static unsafe class GenerateFunctions
{
    private const int NoToken = -1; // for what was held back

    [UnmanagedCallersOnly(EntryPoint = "qed_generate")]
    public static int Generate(nint session, byte* text, nuint length, GenerateOptions* options,
        delegate* unmanaged<nint, byte*, nuint, int, int> callback, nint user, GenerateResult* result)
    {
        try
        {
            using Handles.Lease<Session> lease = Handles.Use<Session>(session);
            Tokenizer tokenizer = TextFunctions.Of(lease.Target.Model);
            EncodeOptions around = lease.Target.Position == 0 ? tokenizer.PromptOptions : EncodeOptions.ParseSpecial;
            ReadOnlySpan<byte> read = Text.Read(text, length, "the text");
            if (lease.Target.Overflow == ContextOverflow.Stop)
                lease.Target.Model.RequireFits(read.Length, lease.Target.Capacity, lease.Target.Position);
            ReadOnlySpan<int> ids = TextFunctions.Encode(tokenizer, read, around);
            Run(lease.Target, ids, options, callback, user, result);
            return (int)Status.Ok;
        }
        catch (Exception e)
        {
            return LastError.Set(e);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "qed_generate_ids")]
    public static int GenerateIds(nint session, int* ids, nuint count, GenerateOptions* options,
        delegate* unmanaged<nint, byte*, nuint, int, int> callback, nint user, GenerateResult* result)
    {
        try
        {
            using Handles.Lease<Session> lease = Handles.Use<Session>(session);
            Run(lease.Target, Text.Read(ids, count, "the ids"), options, callback, user, result);
            return (int)Status.Ok;
        }
        catch (Exception e)
        {
            return LastError.Set(e);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "qed_score")]
    public static long Score(nint session, int* ids, nuint count, nuint begin, double* scores, nuint capacity)
    {
        try
        {
            using Handles.Lease<Session> lease = Handles.Use<Session>(session);
            ReadOnlySpan<int> read = Text.Read(ids, count, "the ids");
            if (begin < 1 || begin > count)
                throw new StatusException(Status.Argument, $"the first token to score must be 1 to {count}, got {begin}");
            Text.Buffer(scores, capacity);
            return capacity < count - begin ? (long)(count - begin)
                : Text.Write<double>(SequenceScorer.LogProbabilities(lease.Target, read, (int)begin), scores, capacity);
        }
        catch (Exception e)
        {
            return LastError.Set(e);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "qed_choose")]
    public static int Choose(nint session, byte* prompt, nuint length, byte** choices, nuint count, Choice* scores)
    {
        try
        {
            using Handles.Lease<Session> lease = Handles.Use<Session>(session);
            TextFunctions.Of(lease.Target.Model);
            string before = Encoding.UTF8.GetString(Text.Read(prompt, length, "the prompt"));
            string[] texts = Names(choices, count, "choice");
            Span<Choice> destination = Text.Buffer(scores, count, "where to put the scores");
            ChoiceScore[] found = ChoiceScorer.Score(lease.Target, before, texts);
            for (int i = 0; i < found.Length; i++)
                destination[i] = new Choice { Sum = found[i].Sum, Tokens = found[i].Tokens, Characters = found[i].Characters };
            return (int)Status.Ok;
        }
        catch (Exception e)
        {
            return LastError.Set(e);
        }
    }

    private static void Run(Session session, ReadOnlySpan<int> ids, GenerateOptions* given, delegate* unmanaged<nint, byte*, nuint, int, int> callback, nint user, GenerateResult* result)
    {
        Text.Require(callback, "the callback");
        if (result is not null)
            Versioned.Check(result, "the result");
        GenerateOptions options = Versioned.Read(given, default, "the options");
        GenerationOptions asked = GenerationOptions.Of(session.Model);
        asked = asked with
        {
            Sampling = SamplerFunctions.Read(options.Sampling, options.Sampling is null ? asked.Sampling with { Seed = options.Seed } : asked.Sampling),
            MaxTokens = options.MaxTokens == 0 ? asked.MaxTokens : options.MaxTokens,
            IgnoreEos = SessionFunctions.Flag(options.IgnoreEos, "ignore_eos"),
        };
        string[] stops = Names(options.Stop, options.StopCount, "stop string");
        Tokenizer? tokenizer = session.Model.Tokenizer;
        if (tokenizer is null && stops.Length > 0)
            throw new StatusException(Status.State, "stop strings need a model with a tokenizer");
        if (ids.IsEmpty && !session.HasLogits)
            throw new StatusException(Status.State, "the prompt is empty and the session has nothing to go on from");

        using var receiver = new TextReceiver(callback, user);
        int? token = null;
        var text = new GeneratedText(tokenizer, stops, piece =>
        {
            if (token is not null || (!piece.IsEmpty && !receiver.HasStopped))
                receiver.Show(piece, token ?? NoToken);
        }, ids);
        GenerationResult done = new Generator(session, asked).Run(ids, (id, _) =>
        {
            token = id;
            return text.Append(id) && !receiver.HasStopped;
        });
        if (done.Finish == FinishReason.Cancelled)
            throw new OperationCanceledException("the session was closed during the call");
        token = null;
        text.End();
        if (result is null)
            return;
        Versioned.Write(result, new GenerateResult
        {
            Finish = text.IsStopped ? 2 : receiver.HasStopped ? 3 : done.Finish == FinishReason.Eos ? 1 : 0,
            PromptTokens = done.PromptTokens,
            CachedTokens = done.CachedTokens,
            GeneratedTokens = done.GeneratedTokens,
            PrefillSeconds = done.PrefillTime.TotalSeconds,
            DecodeSeconds = done.DecodeTime.TotalSeconds,
        }, "the result");
    }

    private static string[] Names(byte** names, nuint count, string what)
    {
        ReadOnlySpan<nint> read = Text.Read((nint*)names, count, $"the list of {what}s");
        var texts = new string[read.Length];
        for (int i = 0; i < texts.Length; i++)
            texts[i] = Text.Name((byte*)read[i], $"{what} {i + 1}");
        return texts;
    }
}
