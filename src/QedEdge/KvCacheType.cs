using QedEdge.Model;
using QedEdge.Quantization;

namespace QedEdge;

/// <summary>How cached keys and values are stored.</summary>
public enum KvCacheType
{
    /// <summary>What costs less than the weights' own rounding: F32 for a float32 model, F16 for a half-precision one, Q8_0 for a quantized one (docs/decisions/0005).</summary>
    Auto,
    /// <summary>32-bit floats.</summary>
    F32,
    /// <summary>16-bit floats; half the memory.</summary>
    F16,
    /// <summary>Signed bytes with half-precision scales; about a quarter of the memory, and the fastest.</summary>
    Q8_0,
}

/// <summary>What the types are called and how they are stored.</summary>
public static class KvCacheTypes
{
    /// <summary>The name in files and on the command line.</summary>
    /// <param name="type">The type.</param>
    public static string NameOf(KvCacheType type) => type.ToString().ToLowerInvariant();

    /// <summary>The type of a name, <see cref="KvCacheType.Auto"/> excepted; null where there is none.</summary>
    /// <param name="name">f32, f16 or q8_0.</param>
    public static KvCacheType? Parse(string? name) => name switch { "f32" => KvCacheType.F32, "f16" => KvCacheType.F16, "q8_0" => KvCacheType.Q8_0, _ => null };

    /// <summary>The storage of a type.</summary>
    /// <param name="type">The type.</param>
    /// <param name="weights">How the model's matrices are stored: what <see cref="KvCacheType.Auto"/> goes by.</param>
    internal static KvFormat FormatOf(KvCacheType type, BlockFormat weights) => type switch
    {
        KvCacheType.F32 => KvFormat.F32,
        KvCacheType.F16 => KvFormat.F16,
        KvCacheType.Q8_0 => KvFormat.Q8_0,
        _ => weights switch { BlockFormat.F32 => KvFormat.F32, BlockFormat.F16 or BlockFormat.BF16 => KvFormat.F16, _ => KvFormat.Q8_0 },
    };

    /// <summary>The type that is stored like this.</summary>
    internal static KvCacheType Of(KvFormat format) => format switch { KvFormat.F32 => KvCacheType.F32, KvFormat.F16 => KvCacheType.F16, _ => KvCacheType.Q8_0 };
}
