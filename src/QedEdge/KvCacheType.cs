namespace QedEdge;

/// <summary>How cached keys and values are stored.</summary>
public enum KvCacheType
{
    /// <summary>F32 for a float32 model (exact to the reference), F16 otherwise.</summary>
    Auto,
    /// <summary>32-bit floats.</summary>
    F32,
    /// <summary>16-bit floats; half the memory.</summary>
    F16,
    /// <summary>Signed bytes with a half-precision scale per 32; about a quarter of the memory.</summary>
    Q8_0,
}
