namespace QedEdge.Quantization;

/// <summary>How the values of a matrix are stored: the two float types, and blocks of 32 columns that share a scale.</summary>
internal enum BlockFormat : byte
{
    /// <summary>32-bit floats.</summary>
    F32,
    /// <summary>16-bit floats.</summary>
    F16,
    /// <summary>32 signed bytes q and a half d per block: w = d·q.</summary>
    Q8_0,
    /// <summary>32 nibbles q and a half d per block: w = d·(q − 8).</summary>
    Q4_0,
    /// <summary>32 nibbles q and a half d per block: w = d·<see cref="NonlinearLevels"/>[q].</summary>
    IQ4_NL,
}
