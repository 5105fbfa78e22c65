using QedEdge.Gguf;

namespace QedEdge.Conversion;

/// <summary>All tensors of one type in a written file.</summary>
/// <param name="Type">The type.</param>
internal sealed record TypeReport(TensorType Type)
{
    private double _errorSum;

    /// <summary>How many tensors.</summary>
    public int TensorCount { get; private set; }

    /// <summary>How many of them lay on the type's grid already and are stored as they were.</summary>
    public int ExactCount { get; internal set; }

    /// <summary>Their values, without padding.</summary>
    public long ValueCount { get; private set; }

    /// <summary>Their bytes in the file, with the padding of rows and columns.</summary>
    public long Bytes { get; private set; }

    /// <summary>The largest distance of a stored value from the checkpoint's.</summary>
    public float LargestError { get; private set; }

    /// <summary>The mean distance.</summary>
    public double MeanError => ValueCount == 0 ? 0 : _errorSum / ValueCount;

    /// <summary>Bits per value.</summary>
    public double BitsPerValue => ValueCount == 0 ? 0 : 8.0 * Bytes / ValueCount;

    internal void Add(long values, long bytes, float largestError, double errorSum)
    {
        TensorCount++;
        ValueCount += values;
        Bytes += bytes;
        LargestError = Math.Max(LargestError, largestError);
        _errorSum += errorSum;
    }
}

/// <summary>What a conversion wrote.</summary>
internal sealed class ConversionReport
{
    private readonly SortedDictionary<TensorType, TypeReport> _types = [];

    /// <summary>The types in the file.</summary>
    public IReadOnlyCollection<TypeReport> Types => _types.Values;

    /// <summary>Tensors in the file.</summary>
    public int TensorCount => _types.Values.Sum(static type => type.TensorCount);

    /// <summary>Values in the file, without padding.</summary>
    public long ValueCount => _types.Values.Sum(static type => type.ValueCount);

    /// <summary>The tensors' bytes.</summary>
    public long Bytes => _types.Values.Sum(static type => type.Bytes);

    /// <summary>Bits per value over all tensors.</summary>
    public double BitsPerValue => ValueCount == 0 ? 0 : 8.0 * Bytes / ValueCount;

    /// <summary>The file's length.</summary>
    public long FileBytes { get; internal set; }

    /// <summary>Matrices into which an adapter was merged.</summary>
    public int MergedMatrices { get; internal set; }

    /// <summary>What the user should know, a line each: a missing tokenizer, types that had to change.</summary>
    public List<string> Warnings { get; } = [];

    /// <summary>The record of a type, made when it is first asked for.</summary>
    internal TypeReport Of(TensorType type) => _types.TryGetValue(type, out var report) ? report : _types[type] = new TypeReport(type);
}
