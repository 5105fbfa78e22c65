namespace QedEdge.Gguf;

/// <summary>
/// Tensor types by their number in the file. The first lot is GGUF's own; the packed ones are QedEdge's (design: the kernels'
/// own order), numbered "QE" · 65536 + the standard type, so that another tool refuses them instead of reading wrong values.
/// </summary>
public enum TensorType : uint
{
#pragma warning disable CS1591 // the names are the format's own
    F32 = 0,
    F16 = 1,
    Q4_0 = 2,
    Q4_1 = 3,
    Q5_0 = 6,
    Q5_1 = 7,
    Q8_0 = 8,
    Q8_1 = 9,
    Q2_K = 10,
    Q3_K = 11,
    Q4_K = 12,
    Q5_K = 13,
    Q6_K = 14,
    Q8_K = 15,
    IQ2_XXS = 16,
    IQ2_XS = 17,
    IQ3_XXS = 18,
    IQ1_S = 19,
    IQ4_NL = 20,
    IQ3_S = 21,
    IQ2_S = 22,
    IQ4_XS = 23,
    I8 = 24,
    I16 = 25,
    I32 = 26,
    I64 = 27,
    F64 = 28,
    IQ1_M = 29,
    BF16 = 30,
    TQ1_0 = 34,
    TQ2_0 = 35,
    MXFP4 = 39,
    PackedF32 = 0x5145_0000,
    PackedF16 = 0x5145_0001,
    PackedQ4_0 = 0x5145_0002,
    PackedQ8_0 = 0x5145_0008,
    PackedIQ4_NL = 0x5145_0014,
#pragma warning restore CS1591
}
