using System.Runtime.InteropServices;
using QedEdge.Generation;
using QedEdge.Sampling;

namespace QedEdge.Native;

/// <summary>Sampling of qed.h.</summary>
internal static unsafe class SamplerFunctions
{
    [UnmanagedCallersOnly(EntryPoint = "qed_sampling_defaults")]
    public static int GetDefaults(nint model, NativeSamplingOptions* options)
    {
        try
        {
            if (model == 0)
            {
                Versioned.Write(options, Describe(SamplingOptions.Default), "the options");
                return (int)Status.Ok;
            }
            using Handles.Lease<QedModel> lease = Handles.Use<QedModel>(model);
            Versioned.Write(options, Describe(GenerationOptions.Of(lease.Target).Sampling), "the options");
            return (int)Status.Ok;
        }
        catch (Exception e)
        {
            return LastError.Set(e);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "qed_sampler_open")]
    public static int Open(nint model, NativeSamplingOptions* options, nint* sampler)
    {
        try
        {
            Text.Require(sampler, "where to put the sampler");
            *sampler = 0;
            using Handles.Lease<QedModel> lease = Handles.Use<QedModel>(model);
            int vocabSize = lease.Target.Config.VocabSize;
            var state = new SamplerState(new Sampler(Read(options, GenerationOptions.Of(lease.Target).Sampling), vocabSize), vocabSize);
            *sampler = Handles.Add(state, shared: false);
            return (int)Status.Ok;
        }
        catch (Exception e)
        {
            return LastError.Set(e);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "qed_sampler_close")]
    public static int Close(nint sampler)
    {
        try
        {
            Handles.Close<SamplerState>(sampler);
            return (int)Status.Ok;
        }
        catch (Exception e)
        {
            return LastError.Set(e);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "qed_sampler_accept")]
    public static int Accept(nint sampler, int* ids, nuint count)
    {
        try
        {
            using Handles.Lease<SamplerState> lease = Handles.Use<SamplerState>(sampler);
            SamplerState state = lease.Target;
            ReadOnlySpan<int> read = Text.Read(ids, count, "the ids");
            foreach (int id in read)
            {
                if ((uint)id >= (uint)state.VocabSize)
                    throw new StatusException(Status.Argument, $"token id {id} is outside the vocabulary of {state.VocabSize} entries");
            }
            foreach (int id in read)
                state.Sampler.Accept(id);
            return (int)Status.Ok;
        }
        catch (Exception e)
        {
            return LastError.Set(e);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "qed_sample")]
    public static int Sample(nint sampler, nint session, int* id)
    {
        try
        {
            using Handles.Lease<SamplerState> state = Handles.Use<SamplerState>(sampler);
            using Handles.Lease<Session> own = Handles.Use<Session>(session);
            Text.Require(id, "where to put the token");
            *id = Next(state.Target, own.Target.Logits);
            return (int)Status.Ok;
        }
        catch (Exception e)
        {
            return LastError.Set(e);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "qed_sample_logits")]
    public static int SampleLogits(nint sampler, float* logits, nuint count, int* id)
    {
        try
        {
            using Handles.Lease<SamplerState> state = Handles.Use<SamplerState>(sampler);
            Text.Require(id, "where to put the token");
            Text.Require(logits, "the logits");
            ReadOnlySpan<float> read = Text.Read(logits, count, "the logits");
            bool any = false;
            foreach (float logit in read)
            {
                if (!(logit < float.PositiveInfinity))
                    throw new StatusException(Status.Argument, "logits must be numbers or negative infinity");
                any |= float.IsFinite(logit);
            }
            if (!any)
                throw new StatusException(Status.Argument, "all tokens are forbidden");
            *id = Next(state.Target, read);
            return (int)Status.Ok;
        }
        catch (Exception e)
        {
            return LastError.Set(e);
        }
    }

    /// <summary>The caller's options.</summary>
    /// <param name="given">They, or null.</param>
    /// <param name="defaults">What the model's file asks for.</param>
    public static SamplingOptions Read(NativeSamplingOptions* given, SamplingOptions defaults)
    {
        NativeSamplingOptions options = Versioned.Read(given, Describe(defaults), "the sampling options");
        var biases = new Dictionary<int, float>();
        foreach (LogitBias bias in Text.Read(options.Biases, options.BiasCount, "the logit biases"))
            biases[bias.Id] = bias.Bias;
        return new SamplingOptions
        {
            Temperature = options.Temperature,
            TopK = options.TopK,
            TopP = options.TopP,
            MinP = options.MinP,
            TypicalP = options.TypicalP,
            RepeatPenalty = options.RepeatPenalty,
            PresencePenalty = options.PresencePenalty,
            FrequencyPenalty = options.FrequencyPenalty,
            PenaltyWindow = options.PenaltyWindow,
            Seed = options.Seed,
            LogitBias = biases.Count > 0 ? biases : null,
            PenalizesPrompt = !SessionFunctions.Flag(options.PenalizeNew, "penalize_new"),
        };
    }

    private static NativeSamplingOptions Describe(SamplingOptions options) => new()
    {
        Temperature = options.Temperature,
        TopK = options.TopK,
        TopP = options.TopP,
        MinP = options.MinP,
        TypicalP = options.TypicalP,
        RepeatPenalty = options.RepeatPenalty,
        PresencePenalty = options.PresencePenalty,
        FrequencyPenalty = options.FrequencyPenalty,
        PenaltyWindow = options.PenaltyWindow,
        Seed = options.Seed,
        PenalizeNew = options.PenalizesPrompt ? 0 : 1,
    };

    private static int Next(SamplerState state, ReadOnlySpan<float> logits)
    {
        if (logits.Length != state.VocabSize)
            throw new StatusException(Status.Argument, $"there are {logits.Length} logits, and the sampler is for a vocabulary of {state.VocabSize} entries");
        int id = state.Sampler.Next(logits);
        state.Sampler.Accept(id);
        return id;
    }

    /// <summary>What a handle of a sampler stands for.</summary>
    private sealed record SamplerState(Sampler Sampler, int VocabSize);
}
