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
