namespace QedEdge.Gguf;

/// <summary>A tensor's entry in the table. All values were checked against the file's size when it was opened.</summary>
public sealed class GgufTensorInfo
{
    private readonly long[] _dimensions;

    internal GgufTensorInfo(string name, TensorType type, long[] dimensions, long offset, long bytes)
    {
        Name = name;
        Type = type;
        _dimensions = dimensions;
        Offset = offset;
        Bytes = bytes;
    }

    /// <summary>The name, unique in the file.</summary>
    public string Name { get; }

    /// <summary>How values are stored.</summary>
    public TensorType Type { get; }

    /// <summary>1 to 4 dimensions, outermost first: a matrix is [rows, cols]. (The file lists them the other way round.) Any may be zero.</summary>
    public IReadOnlyList<long> Dimensions => _dimensions;

    /// <summary>Where the data start, in bytes from the start of the file.</summary>
    public long Offset { get; }

    /// <summary>The further file of a split model that the data lie in, or null: the file itself.</summary>
    internal GgufFile? Part { get; set; }

    /// <summary>Bytes of data, without the padding behind them.</summary>
    public long Bytes { get; }

    /// <summary>The number of values: the product of the dimensions; below 2^63.</summary>
    public long ElementCount => _dimensions.Aggregate(1L, static (product, dimension) => product * dimension);

    /// <summary>Whether it belongs to a baked prefix rather than to the weights.</summary>
    public bool IsBaked => GgufKeys.IsBaked(Name);

    /// <summary>Compares the shape with the one that the model's dimensions require.</summary>
    /// <param name="file">What errors call the file.</param>
    /// <param name="shape">The shape, outermost first.</param>
    /// <exception cref="ModelFormatException">It is another.</exception>
    internal void RequireShape(string file, ReadOnlySpan<long> shape)
    {
        if (!shape.SequenceEqual(_dimensions))
        {
            throw new ModelFormatException(ModelFault.Damaged, file,
                $"the shape is [{string.Join(", ", _dimensions)}], the model's dimensions require [{string.Join(", ", shape.ToArray())}]", tensor: Name, offset: Offset);
        }
    }

    /// <summary>Type, name and shape on one line, as error texts print them: <c>Q4_0 name [rows, cols]</c>.</summary>
    public override string ToString() => $"{TensorTypes.Name(Type)} {Name} [{string.Join(", ", _dimensions)}]";
}
