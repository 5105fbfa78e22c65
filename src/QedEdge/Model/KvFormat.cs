using QedEdge.Quantization;

namespace QedEdge.Model;

/// <summary>How keys and values are stored; the numbers stand in saved sessions.</summary>
internal enum KvFormat
{
    /// <summary>32-bit floats.</summary>
    F32 = 0,
    /// <summary>16-bit floats.</summary>
    F16 = 1,
    /// <summary>Signed bytes: a half per block of 32 of a key's columns, a half for a whole value.</summary>
    Q8_0 = 2,
}

/// <summary>What a format of keys and values is made of.</summary>
internal static class KvFormats
{
    /// <summary>The format of the keys as a matrix, and of the values' matrix where they have one.</summary>
    public static BlockFormat Matrix(this KvFormat format) => format switch { KvFormat.F32 => BlockFormat.F32, KvFormat.F16 => BlockFormat.F16, _ => BlockFormat.Q8_0 };

    /// <summary>Bytes of one value's element.</summary>
    public static int ElementBytes(this KvFormat format) => format switch { KvFormat.F32 => 4, KvFormat.F16 => 2, _ => 1 };
}
