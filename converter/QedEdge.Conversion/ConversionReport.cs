using QedEdge.Gguf;

namespace QedEdge.Conversion;

/// <summary>All tensors of one type in a written file.</summary>
/// <param name="Type">The type.</param>
internal sealed record TypeReport(TensorType Type)
{
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
    public double MeanError => ValueCount == 0 ? 0 : Errors / ValueCount;

    /// <summary>Bits per value.</summary>
    public double BitsPerValue => ValueCount == 0 ? 0 : 8.0 * Bytes / ValueCount;

    /// <summary>The sum of the distances.</summary>
    internal double Errors { get; private set; }

    /// <summary>The sum of the magnitudes of values that were rounded.</summary>
    internal double Magnitudes { get; private set; }

    /// <summary>Adds a tensor.</summary>
    /// <param name="values">Its values.</param>
    /// <param name="bytes">Its bytes in the file.</param>
    /// <param name="largestError">The largest distance of a stored value from the source's.</param>
    /// <param name="errorSum">The sum of the distances.</param>
    /// <param name="magnitudeSum">The sum of the values' magnitudes; 0 where nothing was rounded.</param>
    internal void Add(long values, long bytes, float largestError = 0, double errorSum = 0, double magnitudeSum = 0)
    {
        TensorCount++;
        ValueCount += values;
        Bytes += bytes;
        LargestError = Math.Max(LargestError, largestError);
        Errors += errorSum;
        Magnitudes += magnitudeSum;
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

    /// <summary>The mean distance of a value from the source's, as a share of the mean magnitude: over all tensors that were rounded.</summary>
    public double RelativeError => _types.Values.Sum(static type => type.Magnitudes) is > 0 and var all ? _types.Values.Sum(static type => type.Errors) / all : 0;

    /// <summary>What the user should know, a line each: a missing tokenizer, types that had to change.</summary>
    public List<string> Warnings { get; } = [];

    /// <summary>The record of a type, made when it is first asked for.</summary>
    internal TypeReport Of(TensorType type) => _types.TryGetValue(type, out var report) ? report : _types[type] = new TypeReport(type);
}
