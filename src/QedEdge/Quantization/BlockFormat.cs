namespace QedEdge.Quantization;

/// <summary>How the values of a matrix are stored: float types, and blocks of 32 columns that share a scale.</summary>
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
    /// <summary>The upper 16 bits of 32-bit floats.</summary>
    BF16,
    /// <summary><see cref="Formats.Q4_1Format"/>; this one and all that follow are of other tools' files.</summary>
    Q4_1,
    /// <summary><see cref="Formats.Q5_0Format"/>.</summary>
    Q5_0,
    /// <summary><see cref="Formats.Q5_1Format"/>.</summary>
    Q5_1,
    /// <summary><see cref="Formats.Q2_KFormat"/>.</summary>
    Q2_K,
    /// <summary><see cref="Formats.Q3_KFormat"/>.</summary>
    Q3_K,
    /// <summary><see cref="Formats.Q4_KFormat"/>.</summary>
    Q4_K,
    /// <summary><see cref="Formats.Q5_KFormat"/>.</summary>
    Q5_K,
    /// <summary><see cref="Formats.Q6_KFormat"/>.</summary>
    Q6_K,
    /// <summary><see cref="Formats.IQ4_XSFormat"/>.</summary>
    IQ4_XS,
    /// <summary><see cref="Formats.IQ1_SFormat"/>.</summary>
    IQ1_S,
    /// <summary><see cref="Formats.IQ1_MFormat"/>.</summary>
    IQ1_M,
    /// <summary><see cref="Formats.IQ2_XXSFormat"/>.</summary>
    IQ2_XXS,
    /// <summary><see cref="Formats.IQ2_XSFormat"/>.</summary>
    IQ2_XS,
    /// <summary><see cref="Formats.IQ2_SFormat"/>.</summary>
    IQ2_S,
    /// <summary><see cref="Formats.IQ3_XXSFormat"/>.</summary>
    IQ3_XXS,
    /// <summary><see cref="Formats.IQ3_SFormat"/>.</summary>
    IQ3_S,
    /// <summary><see cref="Formats.TQ1_0Format"/>.</summary>
    TQ1_0,
    /// <summary><see cref="Formats.TQ2_0Format"/>.</summary>
    TQ2_0,
    /// <summary><see cref="Formats.MXFP4Format"/>.</summary>
    MXFP4,
    /// <summary><see cref="Formats.NVFP4Format"/>.</summary>
    NVFP4,
    /// <summary><see cref="Formats.Q1_0Format"/>.</summary>
    Q1_0,
    /// <summary><see cref="Formats.Q2_0Format"/>.</summary>
    Q2_0,
}
