using System.Runtime.InteropServices;

namespace QedEdge.Native;

/// <summary>A structure that the caller fills.</summary>
internal interface IOptions
{
    /// <summary>A field that means nothing yet.</summary>
    int Unused { get; }
}

/// <summary><c>qed_open_options</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct OpenOptions : IOptions
{
    public nuint Size;
    public byte* InstructionSet;
    public int Loading, Reserved;

    public readonly int Unused => Reserved;
}

/// <summary><c>qed_model_info</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ModelInfo
{
    public nuint Size;
    public int VocabSize, ContextLength, LayerCount, HiddenSize, BosId, EosId, PadId, UnkId, HasTokenizer, HeadCount, KeyValueHeadCount, HeadSize, Window;
    public float NormEpsilon;
}

/// <summary><c>qed_session_options</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NativeSessionOptions : IOptions
{
    public nuint Size;
    public int Threads, ContextLength, KvType, Overflow, Sinks, Reserved;

    public readonly int Unused => Reserved;
}

/// <summary><c>qed_session_info</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SessionInfo
{
    public nuint Size;
    public int Position, Capacity, Threads, KvType, Overflow, HasLogits, VocabSize, Reserved;
}

/// <summary><c>qed_logit_bias</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct LogitBias
{
    public int Id;
    public float Bias;
}

/// <summary><c>qed_sampling_options</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativeSamplingOptions : IOptions
{
    public nuint Size;
    public float Temperature;
    public int TopK;
    public float TopP, MinP, TypicalP, RepeatPenalty, PresencePenalty, FrequencyPenalty;
    public int PenaltyWindow, Reserved;
    public ulong Seed;
    public LogitBias* Biases;
    public nuint BiasCount;
    public int PenalizeNew, Reserved2;

    public readonly int Unused => Reserved | Reserved2;
}

/// <summary><c>qed_generate_options</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct GenerateOptions : IOptions
{
    public nuint Size;
    public NativeSamplingOptions* Sampling;
    public int MaxTokens, IgnoreEos;
    public byte** Stop;
    public nuint StopCount;
    public ulong Seed;

    public readonly int Unused => 0;
}

/// <summary><c>qed_generate_result</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct GenerateResult
{
    public nuint Size;
    public int Finish, PromptTokens, CachedTokens, GeneratedTokens;
    public double PrefillSeconds, DecodeSeconds;
}

/// <summary><c>qed_choice</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Choice
{
    public double Sum;
    public int Tokens, Characters;
}

/// <summary>Structures whose size says which version of qed.h they are of.</summary>
internal static unsafe class Versioned
{
    /// <summary>The caller's options over the defaults.</summary>
    /// <exception cref="StatusException">The size is none, or fields that this version does not know are in use.</exception>
    public static T Read<T>(T* options, T defaults, string what) where T : unmanaged, IOptions
    {
        if (options is null)
            return defaults;
        nuint size = Size(options, what), known = Math.Min(size, (nuint)sizeof(T));
        if (new ReadOnlySpan<byte>((byte*)options + known, (int)(size - known)).ContainsAnyExcept((byte)0))
            throw new StatusException(Status.Argument, $"{what} has fields that this version of the library does not know");
        Buffer.MemoryCopy(options, &defaults, (ulong)sizeof(T), known);
        return defaults.Unused == 0 ? defaults : throw new StatusException(Status.Argument, $"{what}: the field 'reserved' must be 0, got {defaults.Unused}");
    }

    /// <summary>Fills as much of the caller's structure as it has.</summary>
    /// <exception cref="StatusException">It is null, or the size is none.</exception>
    public static void Write<T>(T* destination, T value, string what) where T : unmanaged
    {
        nuint size = Check(destination, what);
        *(nuint*)&value = size; // stays as the caller set it
        Buffer.MemoryCopy(&value, destination, size, Math.Min(size, (nuint)sizeof(T)));
    }

    /// <summary>Refuses a structure that cannot be filled.</summary>
    public static nuint Check<T>(T* structure, string what) where T : unmanaged
    {
        Text.Require(structure, what);
        return Size(structure, what);
    }

    private static nuint Size<T>(T* structure, string what) where T : unmanaged
    {
        const int Largest = 4096; // no version will have more; a field that was never set has
        nuint size = *(nuint*)structure;
        return size >= (nuint)sizeof(nuint) && size <= Largest ? size
            : throw new StatusException(Status.Argument, $"{what}: the field 'size' is {size}; set it to sizeof the structure");
    }
}
