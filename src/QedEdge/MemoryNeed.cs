using QedEdge.Architectures;
using QedEdge.Gguf;
using QedEdge.Model;
using QedEdge.Quantization;

namespace QedEdge;

/// <summary>What a model takes in memory, in bytes, known before anything is allocated.</summary>
public sealed class MemoryNeed
{
    private readonly Architecture _architecture;

    private MemoryNeed(Architecture architecture) => _architecture = architecture;

    /// <summary>Positions the sums are for.</summary>
    public required int Context { get; init; }

    /// <summary>The model's own context length.</summary>
    public int LargestContext => _architecture.ContextLength;

    /// <summary>Threads the sums are for.</summary>
    public required int Threads { get; init; }

    /// <summary>All tensors but a baked prefix; mapped from the file, or repacked into memory for a plain layout.</summary>
    public required long Weights { get; init; }

    /// <summary>Scratch buffers of a session.</summary>
    public long Workspace => Model.Workspace.BytesFor(_architecture, Threads, Context);

    /// <summary>The storage of keys and values that a session takes by itself.</summary>
    public required KvCacheType AutoKvType { get; init; }

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
        GgufTensorInfo? queries = file.Find($"blk.0.{TensorSlots.NameOf(Slot.Query)}.weight") ?? file.Find(FusedRows.NameIn(0) + ".weight");
        TensorType query = queries?.Type ?? TensorType.F32;
        BlockFormat weights = TensorTypes.PackedFormat(query) ?? TensorTypes.PlainFormat(query) ?? BlockFormat.F32;
        return new MemoryNeed(config.Architecture)
        {
            Context = positions,
            Threads = threads,
            Weights = file.Tensors.Where(t => !t.IsBaked).Sum(static t => RepackedWeights.BytesOf(t) ?? t.Bytes),
            AutoKvType = KvCacheTypes.Of(KvCacheTypes.FormatOf(KvCacheType.Auto, weights)),
        };
    }

    /// <summary>Everything but keys and values.</summary>
    public long Fixed => Weights + Workspace + Program;

    /// <summary>Keys and values in a storage.</summary>
    /// <param name="type">The storage of keys and values.</param>
    public long Kv(KvCacheType type) => Kv(type, Context);

    /// <summary>What the process holds at most when the context is full.</summary>
    /// <param name="type">The storage of keys and values.</param>
    public long Peak(KvCacheType type) => Fixed + Kv(type);

    /// <summary>The most positions that fit into an amount of memory; 0 where not even the model does.</summary>
    /// <param name="type">The storage of keys and values.</param>
    /// <param name="memory">Bytes there are.</param>
    public int LongestContext(KvCacheType type, long memory)
    {
        int fits = 0, fitsNot = LargestContext + 1;
        while (fitsNot - fits > 1) // layers with a window of their own do not grow beyond it
        {
            int positions = fits + (fitsNot - fits) / 2;
            if (Fixed + Kv(type, positions) <= memory)
                fits = positions;
            else
                fitsNot = positions;
        }
        return fits;
    }

    private long Kv(KvCacheType type, int positions) =>
        KvCache.BytesFor(_architecture, positions, KvCacheTypes.FormatOf(type == KvCacheType.Auto ? AutoKvType : type, BlockFormat.F32));
}
