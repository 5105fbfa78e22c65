using QedEdge.Architectures;
using QedEdge.Gguf;
using QedEdge.Model;
using QedEdge.Quantization;

namespace QedEdge;

/// <summary>What a model takes in memory, in bytes, known before anything is allocated.</summary>
/// <param name="Context">Positions the sums are for.</param>
/// <param name="LargestContext">The model's own context length.</param>
/// <param name="Threads">Threads the sums are for.</param>
/// <param name="Weights">All tensors but a baked prefix; mapped from the file, or repacked into memory for a plain layout.</param>
/// <param name="Workspace">Scratch buffers of a session.</param>
/// <param name="KvF32">Keys and values as 32-bit floats.</param>
/// <param name="KvF16">Keys and values as 16-bit floats.</param>
/// <param name="KvQ8">Keys and values as bytes with scales.</param>
/// <param name="AutoKvType">The storage of keys and values that a session takes by itself.</param>
public sealed record MemoryNeed(int Context, int LargestContext, int Threads, long Weights, long Workspace, long KvF32, long KvF16, long KvQ8, KvCacheType AutoKvType)
{
    /// <summary>What the program itself takes at most: code, tokenizer, runtime (measured: 6.7 to 9.4 MB, for models with 2,048 to 49,152 tokens).</summary>
    public const long Program = 12 << 20;

    /// <summary>The need of a file at a context size (null: the model's own); null when the file is of an architecture that cannot be run here, or another tool's and without QED's structure.</summary>
    /// <param name="file">An open file.</param>
    /// <param name="context">Positions; null is the model's context length.</param>
    /// <param name="threads">Threads.</param>
    /// <exception cref="InvalidOptionException">The context size is not one the model has.</exception>
    /// <exception cref="ModelFormatException">A file of QedEdge's architecture with unusable dimensions.</exception>
    public static MemoryNeed? Of(GgufFile file, int? context = null, int threads = 1)
    {
        ModelConfig config;
        try
        {
            config = ModelConfig.Read(file);
        }
        catch (ModelFormatException e) when (e.Fault == ModelFault.UnknownArchitecture || !file.IsOwn)
        {
            return null;
        }
        int positions = context ?? config.ContextLength;
        if (positions < 1 || positions > config.ContextLength)
            throw new InvalidOptionException($"the context size must be 1 to {config.ContextLength}, the model's context length; got {positions}");
        long Kv(KvFormat format) => positions * KvCache.BytesPerPosition(config.LayerCount, config.KeyValueHeadCount, config.HeadSize, format);
        TensorType query = file.Find($"blk.0.{TensorSlots.NameOf(Slot.Query)}.weight")?.Type ?? TensorType.F32;
        BlockFormat weights = TensorTypes.PackedFormat(query) ?? TensorTypes.PlainFormat(query) ?? BlockFormat.F32;
        return new MemoryNeed(positions, config.ContextLength, threads, file.Tensors.Where(t => !t.IsBaked).Sum(t => t.Bytes), Model.Workspace.BytesFor(config.Architecture, threads),
            Kv(KvFormat.F32), Kv(KvFormat.F16), Kv(KvFormat.Q8_0), KvCacheTypes.Of(KvCacheTypes.FormatOf(KvCacheType.Auto, weights)));
    }

    /// <summary>Everything but keys and values.</summary>
    public long Fixed => Weights + Workspace + Program;

    /// <summary>Keys and values in a storage.</summary>
    /// <param name="type">The storage of keys and values.</param>
    public long Kv(KvCacheType type) => type switch
    {
        KvCacheType.F32 => KvF32,
        KvCacheType.F16 => KvF16,
        KvCacheType.Q8_0 => KvQ8,
        _ => Kv(AutoKvType),
    };

    /// <summary>What the process holds at most when the context is full.</summary>
    /// <param name="type">The storage of keys and values.</param>
    public long Peak(KvCacheType type) => Fixed + Kv(type);

    /// <summary>The most positions that fit into an amount of memory; 0 where not even the model does.</summary>
    /// <param name="type">The storage of keys and values.</param>
    /// <param name="memory">Bytes there are.</param>
    public int LongestContext(KvCacheType type, long memory) =>
        (int)Math.Clamp((memory - Fixed) / Math.Max(1, Kv(type) / Context), 0, LargestContext);
}
