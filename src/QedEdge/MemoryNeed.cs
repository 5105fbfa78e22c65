using QedEdge.Gguf;
using QedEdge.Model;
using QedEdge.Quantization;

namespace QedEdge;

/// <summary>What a model takes in memory, in bytes, known before anything is allocated.</summary>
/// <param name="Context">Positions the sums are for.</param>
/// <param name="Weights">All tensors but a baked prefix; mapped from the file, or repacked into memory for a plain layout.</param>
/// <param name="Workspace">Scratch buffers of a session with one thread.</param>
/// <param name="KvF32">Keys and values as 32-bit floats.</param>
/// <param name="KvF16">Keys and values as 16-bit floats.</param>
/// <param name="KvQ8">Keys and values as bytes with scales.</param>
public sealed record MemoryNeed(int Context, long Weights, long Workspace, long KvF32, long KvF16, long KvQ8)
{
    /// <summary>The need of a file at a context size (null: the model's own); null when the file is of an architecture that cannot be run here, or another tool's and without QED's structure.</summary>
    /// <exception cref="InvalidOptionException">The context size is not one the model has.</exception>
    /// <exception cref="ModelFormatException">A file of QedEdge's architecture with unusable dimensions.</exception>
    public static MemoryNeed? Of(GgufFile file, int? context = null)
    {
        ModelConfig config;
        try
        {
            config = ModelConfig.Read(file);
        }
        catch (ModelFormatException) when (file.Metadata.FindString(GgufKeys.Architecture) != GgufKeys.Qed)
        {
            return null;
        }
        int positions = context ?? config.ContextLength;
        if (positions < 1 || positions > config.ContextLength)
            throw new InvalidOptionException($"the context size must be 1 to {config.ContextLength}, the model's context length; got {positions}");
        long Kv(BlockFormat format) => positions * KvCache.BytesPerPosition(config.LayerCount, config.HeadCount, config.HeadSize, format);
        return new MemoryNeed(positions, file.Tensors.Where(t => !t.IsBaked).Sum(t => t.Bytes), Model.Workspace.BytesFor(config, workers: 1),
            Kv(BlockFormat.F32), Kv(BlockFormat.F16), Kv(BlockFormat.Q8_0));
    }
}
