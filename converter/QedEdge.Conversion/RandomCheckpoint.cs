using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using QedEdge.Architectures;
using QedEdge.Conversion.Checkpoints;
using QedEdge.Memory;
using QedEdge.Quantization;
using QedEdge.Sampling;
using Architecture = QedEdge.Architectures.Architecture;

namespace QedEdge.Conversion;

/// <summary>How a checkpoint's weights are stored.</summary>
internal enum CheckpointType
{
    /// <summary>32-bit floats.</summary>
    F32,
    /// <summary>16-bit floats.</summary>
    F16,
    /// <summary>The upper half of 32-bit floats.</summary>
    BF16,
}

/// <summary>
/// Writes a checkpoint of any shape with random weights, the same for the same seed on every machine. Tensor i (in the file's
/// order) draws from xoshiro256** seeded with <c>seed + i · 2^32</c>; each output gives one value: the sum of its four 16-bit parts, which is
/// nearly normal, moved to mean 0 and scaled to the standard deviation <c>initializer_range</c>. Norms are 1 plus such values.
/// </summary>
internal static class RandomCheckpoint
{
    /// <summary>Values made between two writes.</summary>
    private const int Part = 1 << 16;

    /// <summary>Standard deviation of the sum of four numbers drawn from 0 … 65535: sqrt(4 · (2^32 − 1) / 12).</summary>
    private const float SumDeviation = 37837.227f;

    /// <summary>Mean of that sum.</summary>
    private const int SumMean = 2 * 65535;

    /// <summary>Writes config.json and model.safetensors.</summary>
    /// <param name="configFile">The configuration; copied as it is.</param>
    /// <param name="folder">The checkpoint's folder; created if need be.</param>
    /// <param name="seed">Which random numbers.</param>
    /// <param name="type">How weights are stored.</param>
    /// <param name="overwrite">Whether files of those names are replaced.</param>
    /// <param name="progress">Takes the share done, 0 to 1, and the tensor being written.</param>
    /// <param name="cancellation">Stops the work; neither file is left then.</param>
    /// <returns>The bytes of weights written.</returns>
    /// <exception cref="ModelFormatException">The configuration cannot be used.</exception>
    /// <exception cref="InvalidOptionException">The configuration, or a file beside it, would be replaced.</exception>
    /// <exception cref="QedException">The output exists already or cannot be written.</exception>
    public static long Write(string configFile, string folder, ulong seed, CheckpointType type, bool overwrite, Action<double, string>? progress = null, CancellationToken cancellation = default)
    {
        var config = CheckpointConfig.Read(configFile);
        float deviation = CheckpointConfig.ReadInitializerRange(configFile);
        var configBytes = CheckpointFiles.ReadBytes(configFile, CheckpointLimits.ConfigBytes);
        var tensors = Tensors(config);
        int size = type == CheckpointType.F32 ? 4 : 2;
        long total = tensors.Sum(tensor => tensor.Count * size);
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new QedException($"{folder}: the folder cannot be created: {QedException.FirstLine(exception)}", exception);
        }

        RequireSpace(folder, total);
        string configTo = Path.Combine(folder, "config.json"), weightsTo = Path.Combine(folder, "model.safetensors");
        bool sameConfig = FileIdentity.Of(configTo) == FileIdentity.Of(configFile);
        SeparateFiles.Check(sameConfig ? [weightsTo] : [weightsTo, configTo], configFile);
        using var weights = new AtomicFile(weightsTo, overwrite);
        using var copy = sameConfig ? null : new AtomicFile(configTo, overwrite);
        weights.Fill(stream =>
        {
            WriteHeader(stream, tensors, type, size);
            byte[] encoded = new byte[Part * size];
            float[] values = new float[Part];
            long done = 0;
            for (int i = 0; i < tensors.Count; i++)
            {
                var random = new RandomSource(seed + ((ulong)i << 32));
                for (long at = 0; at < tensors[i].Count; at += Part)
                {
                    cancellation.ThrowIfCancellationRequested();
                    var part = values.AsSpan(0, (int)Math.Min(Part, tensors[i].Count - at));
                    Fill(ref random, part, tensors[i].Mean, deviation);
                    stream.Write(Encode(part, type, encoded));
                    done += part.Length * size;
                    progress?.Invoke((double)done / total, tensors[i].Name);
                }
            }
        });
        if (copy is not null)
            copy.Fill(stream => stream.Write(configBytes.Span));
        return total;
    }

    /// <summary>A configuration of a few bytes can ask for more weights than there are disks: this is said before one is filled.</summary>
    private static void RequireSpace(string folder, long bytes)
    {
        long free;
        try
        {
            free = new DriveInfo(Path.GetFullPath(folder)).AvailableFreeSpace;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return; // a file system that does not say
        }
        if (bytes > free)
            throw new QedException($"{folder}: No space left on the device: the weights take {bytes} bytes, and the file system has {free} free");
    }

    private static void Fill(ref RandomSource random, Span<float> values, float mean, float deviation)
    {
        float scale = deviation / SumDeviation;
        foreach (ref float value in values)
        {
            ulong bits = random.Next();
            int sum = (int)(bits & 0xFFFF) + (int)((bits >> 16) & 0xFFFF) + (int)((bits >> 32) & 0xFFFF) + (int)(bits >> 48);
            value = ((sum - SumMean) * scale) + mean;
        }
    }

    private static ReadOnlySpan<byte> Encode(ReadOnlySpan<float> values, CheckpointType type, byte[] buffer)
    {
        switch (type)
        {
            case CheckpointType.F32:
                return MemoryMarshal.AsBytes(values);
            case CheckpointType.F16:
                FloatCodec.ToHalf(values, MemoryMarshal.Cast<byte, Half>(buffer.AsSpan()));
                break;
            default:
                FloatCodec.ToBFloat16(values, MemoryMarshal.Cast<byte, ushort>(buffer.AsSpan()));
                break;
        }
        return buffer.AsSpan(0, values.Length * 2);
    }

    private static void WriteHeader(Stream stream, List<RandomTensor> tensors, CheckpointType type, int size)
    {
        using var json = new MemoryStream();
        using (var writer = new Utf8JsonWriter(json))
        {
            long offset = 0;
            writer.WriteStartObject();
            foreach (var tensor in tensors)
            {
                writer.WriteStartObject(tensor.Name);
                writer.WriteString("dtype", type.ToString());
                writer.WriteStartArray("shape");
                foreach (int dimension in tensor.Shape)
                    writer.WriteNumberValue(dimension);
                writer.WriteEndArray();
                writer.WriteStartArray("data_offsets");
                writer.WriteNumberValue(offset);
                writer.WriteNumberValue(offset += tensor.Count * size);
                writer.WriteEndArray();
                writer.WriteEndObject();
            }
            writer.WriteEndObject();
        }
        json.Write(Encoding.ASCII.GetBytes(new string(' ', (int)(-json.Length & 7)))); // data start aligned
        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, json.Length);
        stream.Write(length);
        json.WriteTo(stream);
    }

    /// <summary>The tensors of the family's checkpoints, in a file's order.</summary>
    private static List<RandomTensor> Tensors(CheckpointConfig config)
    {
        Architecture architecture = config.Architecture;
        CheckpointNames names = config.Family.Names;
        var tensors = new List<RandomTensor> { new(names.Embedding + ".weight", 0, architecture.VocabSize, architecture.Width) };
        if (architecture.PositionTable > 0)
            tensors.Add(new(names.Positions + ".weight", 0, architecture.PositionTable, architecture.Width));
        for (int i = 0; i < architecture.Layers.Length; i++)
        {
            foreach (TensorSlot slot in TensorSlots.Of(architecture.Layers[i], architecture.Width))
            {
                string name = names.NameOf(slot.Slot, i);
                FusedRows? fused = names.FusedOf(architecture.Layers[i].Attention, slot.Slot);
                int rows = fused?.All ?? slot.Rows;
                if (fused?.First > 0)
                    continue;
                if (slot.Norm is { } norm)
                    AddNorm(norm, name, slot.Cols);
                else
                    tensors.Add(names.IsTransposed ? new(name + ".weight", 0, slot.Cols, rows) : new(name + ".weight", 0, rows, slot.Cols));
                if (slot.IsMatrix && slot.HasBias)
                    tensors.Add(new(name + ".bias", 0, rows));
            }
        }
        AddNorm(architecture.OutputNorm, names.OutputNorm, architecture.Width);
        if (!architecture.TiedHead)
            tensors.Add(new(names.Head + ".weight", 0, architecture.VocabSize, architecture.Width));
        if (architecture.HeadBias)
            tensors.Add(new(names.Head + ".bias", 0, architecture.VocabSize));
        return tensors;

        void AddNorm(Norm norm, string name, int size)
        {
            tensors.Add(new(name + ".weight", names.NormsPlusOne ? 0 : 1, size));
            if (norm.Kind == NormKind.Layer)
                tensors.Add(new(name + ".bias", 0, size));
        }
    }

    /// <summary>A tensor to invent: its name, the mean of its values, its shape.</summary>
    private sealed record RandomTensor(string Name, float Mean, params int[] Shape)
    {
        public long Count => Shape.Aggregate(1L, static (product, dimension) => product * dimension);
    }
}
