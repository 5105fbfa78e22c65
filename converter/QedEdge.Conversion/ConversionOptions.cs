using QedEdge.Quantization;
using QedEdge.Quantization.Formats;
using QedEdge.Threading;

namespace QedEdge.Conversion;

/// <summary>The order in which a file's matrices are stored.</summary>
internal enum FileLayout
{
    /// <summary>The kernels' own order (<see cref="PackedLayout"/>), used in place.</summary>
    Packed,
    /// <summary>GGUF's standard types, which any tool reads.</summary>
    Plain,
}

/// <summary>The architecture under which a converted file is written.</summary>
internal enum FileArchitecture
{
    /// <summary>QedEdge's own.</summary>
    Qed,
    /// <summary>What llama.cpp and its relatives call the same network; plain layout only.</summary>
    Qwen2,
}

/// <summary>What a conversion is to produce.</summary>
internal sealed record ConversionOptions
{
    /// <summary>The format of the layers' matrices; norms and biases stay F32.</summary>
    public BlockFormat Type { get; init; } = BlockFormat.Q8_0;

    /// <summary>The format of the embedding and the head, or null: Q8_0 where <see cref="Type"/> has four bits, else the same.</summary>
    public BlockFormat? EmbeddingType { get; init; }

    /// <summary>Formats of single matrices; of several rules the first that matches holds.</summary>
    public IReadOnlyList<TensorTypeRule> TensorTypes { get; init; } = [];

    /// <summary>Bits per weight of the layers' matrices that are reached by storing the most sensitive ones in 8 bits, or null; takes a calibration text.</summary>
    public double? TargetBitsPerWeight { get; init; }

    /// <summary>How the quants of formats with four bits are chosen; with a calibration text those of eight bits too.</summary>
    public QuantizationMethod Method { get; init; }

    /// <summary>A text whose tokens show what flows into each matrix, or null.</summary>
    public string? CalibrationText { get; init; }

    /// <summary>Tokens of the calibration text that are used at most.</summary>
    public int CalibrationTokens { get; init; } = 1 << 17;

    /// <summary>A text on which the finished file is compared with the checkpoint's float32 weights, or null.</summary>
    public string? MeasureText { get; init; }

    /// <summary>Tokens of that text that are compared at most.</summary>
    public int MeasureTokens { get; init; } = 1 << 15;

    /// <summary>The folder of a PEFT adapter (LoRA) that is merged into the matrices before they are quantized, or null.</summary>
    public string? LoraFolder { get; init; }

    /// <summary>The order of the matrices' values.</summary>
    public FileLayout Layout { get; init; } = FileLayout.Packed;

    /// <summary>The architecture that the file announces.</summary>
    public FileArchitecture Architecture { get; init; } = FileArchitecture.Qed;

    /// <summary>Threads that quantize and run models, <see cref="WorkerTeam.MaxSize"/> at most; the file's bytes do not depend on it.</summary>
    public int Threads { get; init; } = DefaultThreads;

    /// <summary>One per processor.</summary>
    public static int DefaultThreads => Math.Min(ProcessorInfo.Allowed, WorkerTeam.MaxSize);

    /// <summary>Refuses a number of threads that cannot be.</summary>
    /// <exception cref="InvalidOptionException">It is below 1 or beyond <see cref="WorkerTeam.MaxSize"/>.</exception>
    internal static void RequireThreads(int threads)
    {
        if (threads is < 1 or > WorkerTeam.MaxSize)
            throw new InvalidOptionException($"threads must be 1 to {WorkerTeam.MaxSize}, got {threads}");
    }

    /// <summary>The kernels that calibration runs with, or null: the fastest; the file's bytes do not depend on it.</summary>
    public string? InstructionSet { get; init; }

    /// <summary>Whether an existing output is replaced.</summary>
    public bool Overwrite { get; init; }

    /// <summary>The format of the embedding and the head.</summary>
    public BlockFormat EffectiveEmbeddingType => EmbeddingType ?? (Type.Info().HasNibbles ? BlockFormat.Q8_0 : Type);
}
