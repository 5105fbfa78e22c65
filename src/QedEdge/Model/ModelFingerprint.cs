using System.IO.Hashing;
using System.Text;
using QedEdge.Architectures;
using QedEdge.Gguf;
using MemoryMarshal = System.Runtime.InteropServices.MemoryMarshal;

namespace QedEdge.Model;

/// <summary>
/// What the keys and values of a saved session or a baked prefix depend on: the version of their storage, all tensors, and the whole description of
/// the model. Two files with the same tensors that compute something else have different fingerprints.
/// </summary>
internal static class ModelFingerprint
{
    /// <summary>The XXH3-64 of all that.</summary>
    public static ulong Of(GgufFile file, Architecture architecture)
    {
        var hash = new XxHash3();
        hash.Append(BitConverter.GetBytes(KvCache.Version));
        GgufChecksums.AppendTensors(file, hash);
        Append(hash, architecture);
        return hash.GetCurrentHashAsUInt64();
    }

    /// <summary>Every value of a description, also of what is absent.</summary>
    internal static void Append(XxHash3 hash, Architecture a)
    {
        hash.Append(Encoding.UTF8.GetBytes(a.Name));
        Add(hash, a.Width, a.VocabSize, a.ContextLength, a.Layers.Length, a.TiedHead ? 1 : 0, a.HeadBias ? 1 : 0, a.PositionTable);
        Add(hash, a.EmbeddingScale);
        Append(hash, a.OutputNorm);
        foreach (LayerShape layer in a.Layers)
        {
            (AttentionShape attention, FeedForwardShape feedForward) = (layer.Attention, layer.FeedForward);
            Add(hash, (int)layer.Biases.Bits, layer.Parallel ? 1 : 0, attention.Heads, attention.KvHeads, attention.HeadSize, attention.Window ?? 0);
            if (attention.Window is int seen)
                Add(hash, SlotMap.RingSlots(seen)); // what is saved depends on it
            Add(hash, feedForward.Inner, (int)feedForward.Activation, feedForward.IsGated ? 1 : 0);
            Add(hash, attention.Scale);
            Append(hash, attention.Norm);
            Append(hash, attention.QueryKeyNorm);
            Append(hash, attention.PostNorm);
            Append(hash, attention.Rotary);
            Append(hash, feedForward.Norm);
            Append(hash, feedForward.PostNorm);
        }
    }

    private static void Append(XxHash3 hash, Norm? norm)
    {
        Add(hash, norm is null ? -1 : (int)norm.Kind);
        Add(hash, norm?.Epsilon ?? 0f);
    }

    private static void Append(XxHash3 hash, Rotary? rotary)
    {
        Yarn? yarn = rotary?.Yarn;
        Add(hash, rotary?.Dimensions ?? 0, rotary?.HasFactors == true ? 1 : 0, yarn?.Original ?? 0);
        Add(hash, rotary?.Theta ?? 0f, rotary?.Factor ?? 0f, yarn?.BetaFast ?? 0f, yarn?.BetaSlow ?? 0f, yarn?.Attention ?? 0f);
    }

    private static void Add(XxHash3 hash, params ReadOnlySpan<int> values) => hash.Append(MemoryMarshal.AsBytes(values));

    private static void Add(XxHash3 hash, params ReadOnlySpan<float> values) => hash.Append(MemoryMarshal.AsBytes(values));
}
