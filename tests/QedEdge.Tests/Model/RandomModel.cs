using CsCheck;
using QedEdge.Architectures;
using QedEdge.Conversion;
using QedEdge.Gguf;
using QedEdge.Kernels;
using QedEdge.Model;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Tests.Model;

/// <summary>
/// A random description, of whatever the forward pass interprets and no matter whether a family has it, with weights that follow from a seed. Its file names no family: model and
/// reference are given the description.
/// </summary>
internal sealed record RandomModel(Architecture Architecture, float Size, int Seed)
{
    /// <summary>Small models; sizes of heads and widths among them that are no multiple of 8 or 32, and groups of heads that do not fit into one pass over the keys.</summary>
    public static Gen<RandomModel> Any { get; } =
        from architecture in RandomArchitecture.Any
        from size in Gen.OneOfConst(0.5f, 1f)
        from seed in Gen.Int[0, int.MaxValue - 1]
        select new RandomModel(architecture, size, seed);

    /// <summary>Whether files of the plain layout hold the values of the packed ones: widths that blocks do not divide are padded only in the latter.</summary>
    public bool HasPlain(BlockFormat format) => !format.Info().HasScales || Tensors().All(tensor => tensor.Rows == 0 || tensor.Cols % PackedLayout.BlockSize == 0);

    /// <summary>Writes the model's file and returns its path.</summary>
    public string Write(string folder, BlockFormat format, FileLayout layout = FileLayout.Packed)
    {
        string path = Path.Combine(folder, $"{format}-{layout}.gguf");
        var writer = new GgufWriter();
        writer.Add(GgufKeys.Architecture, "random");
        var random = new Random(Seed);
        var data = new List<byte[]>();
        foreach ((string name, int rows, int cols, float middle, float spread) in Tensors())
        {
            float[] values = [.. Enumerable.Range(0, Math.Max(1, rows) * cols).Select(_ => middle + (float)(random.NextDouble() * 2 - 1) * MathF.Sqrt(3) * spread)];
            TensorType type = rows == 0 ? TensorType.F32 : TensorTypes.Of(format, layout == FileLayout.Packed);
            data.Add(Encode(values, rows == 0 ? BlockFormat.F32 : format, Math.Max(1, rows), cols, rows > 0 && layout == FileLayout.Packed));
            writer.AddTensor(name, type, rows == 0 ? [cols] : [rows, cols], data[^1].Length);
        }
        using FileStream stream = File.Create(path);
        Gguf.GgufSample.Write(writer, stream, data);
        return path;
    }

    /// <summary>Opens its file.</summary>
    public QedModel Open(string path, KernelSet? set = null)
    {
        GgufFile file = GgufFile.Open(path);
        return new QedModel(file, ModelConfig.Of(file, Architecture, interleaved: false), set ?? KernelRegistry.Select(null));
    }

    /// <summary>The reference with the weights of its file.</summary>
    public ReferenceModel Reference(string path)
    {
        using var file = GgufFile.Open(path);
        return new ReferenceModel(file, Architecture);
    }

    public override string ToString() =>
        $"{Architecture} {{ {string.Join(", ", Architecture.Layers.Distinct())}: {string.Concat(Architecture.Layers.Select(layer => Array.IndexOf([.. Architecture.Layers.Distinct()], layer)))} }}, size {Size}, seed {Seed}";

    /// <summary>All tensors: rows of a matrix, 0 of a vector; the middle of the values, and their standard deviation.</summary>
    private IEnumerable<(string Name, int Rows, int Cols, float Middle, float Spread)> Tensors()
    {
        Architecture a = Architecture;
        yield return (TensorSlots.Embedding, a.VocabSize, a.Width, 0, 1 / a.EmbeddingScale);
        if (a.PositionTable > 0)
            yield return (TensorSlots.Positions, a.PositionTable, a.Width, 0, 0.5f);
        if (Array.Find(a.Layers, layer => layer.Attention.Rotary is { HasFactors: true }) is not null)
            yield return (TensorSlots.RotaryFactors, 0, a.HeadSize / 2, 4f, 1.5f);
        for (int i = 0; i < a.Layers.Length; i++)
        {
            foreach (TensorSlot slot in TensorSlots.Of(a.Layers[i], a.Width))
            {
                yield return (slot.NameIn(i) + ".weight", slot.Rows, slot.Cols, slot.IsMatrix ? 0 : 1, slot.IsMatrix ? Size / MathF.Sqrt(slot.Cols) : 0.2f);
                if (slot.HasBias)
                    yield return (slot.NameIn(i) + ".bias", 0, slot.BiasSize, 0, 0.2f);
            }
        }
        yield return (TensorSlots.OutputNorm + ".weight", 0, a.Width, 1, 0.2f);
        if (a.OutputNorm.Kind == NormKind.Layer)
            yield return (TensorSlots.OutputNorm + ".bias", 0, a.Width, 0, 0.2f);
        if (!a.TiedHead)
            yield return (TensorSlots.Head, a.VocabSize, a.Width, 0, 1 / MathF.Sqrt(a.Width));
        if (a.HeadBias)
            yield return (TensorSlots.HeadBias, 0, a.VocabSize, 0, 0.2f);
    }

    private static byte[] Encode(float[] values, BlockFormat format, int rows, int cols, bool packed)
    {
        int rowBytes = (int)format.Info().RowBytes(cols), groupBytes = (int)format.Info().GroupBytes(cols);
        var plain = new byte[rows * rowBytes];
        for (int row = 0; row < rows; row++)
            format.Info().EncodeRow(values.AsSpan(row * cols, cols), plain.AsSpan(row * rowBytes, rowBytes));
        if (!packed)
            return plain;
        var groups = new byte[format.Info().MatrixBytes(rows, cols)];
        for (int row = 0; row < rows; row += PackedLayout.GroupRows)
        {
            int count = Math.Min(PackedLayout.GroupRows, rows - row);
            format.Info().PackGroup(plain.AsSpan(row * rowBytes, count * rowBytes), count, cols, groups.AsSpan(row / PackedLayout.GroupRows * groupBytes, groupBytes));
        }
        return groups;
    }
}
