using QedEdge.Quantization;

namespace QedEdge.Model;

/// <summary>One transformer layer. Vectors are padded with zeros to a multiple of 32; biases are null where the model has none.</summary>
internal sealed record LayerWeights
{
    public required float[] AttentionNorm { get; init; }        // [HiddenSize]
    public required Linear Query { get; init; }                 // [HiddenSize, HiddenSize]
    public required Linear Key { get; init; }                   // [HiddenSize, HiddenSize]
    public required Linear Value { get; init; }                 // [HiddenSize, HiddenSize]
    public required Linear AttentionOutput { get; init; }       // [HiddenSize, HiddenSize]
    public required float[] FeedForwardNorm { get; init; }      // [HiddenSize]
    public required Linear Gate { get; init; }                  // [FeedForwardSize, HiddenSize]
    public required Linear Up { get; init; }                    // [FeedForwardSize, HiddenSize]
    public required Linear Down { get; init; }                  // [HiddenSize, FeedForwardSize]
}

/// <summary>y = W x + b; W [outputs, inputs].</summary>
/// <param name="Weight">W, packed.</param>
/// <param name="Bias">b [outputs], padded to a multiple of 32, or null.</param>
internal sealed record Linear(PackedMatrix Weight, float[]? Bias);

/// <summary>A model's weights as the forward pass uses them.</summary>
/// <param name="Embedding">Token embeddings [VocabSize, HiddenSize].</param>
/// <param name="Layers">The transformer's layers.</param>
/// <param name="OutputNorm">Gain of the last norm [HiddenSize], padded.</param>
/// <param name="Output">The head [VocabSize, HiddenSize]; the embedding's matrix when tied.</param>
internal sealed record ModelWeights(PackedMatrix Embedding, LayerWeights[] Layers, float[] OutputNorm, Linear Output)
{
    /// <summary>A token's embedding [HiddenSize], as the first layer takes it.</summary>
    public void ReadEmbedding(int id, Span<float> x) =>
        Packing.DequantizeRow(Embedding.Format, Embedding.Group(id / PackedLayout.GroupRows), id % PackedLayout.GroupRows, x[..Embedding.Cols]);

    /// <summary>Every matrix that decoding a token reads, in order; a tied embedding once, as the head.</summary>
    public IEnumerable<PackedMatrix> Matrices()
    {
        foreach (LayerWeights layer in Layers)
        {
            yield return layer.Query.Weight;
            yield return layer.Key.Weight;
            yield return layer.Value.Weight;
            yield return layer.AttentionOutput.Weight;
            yield return layer.Gate.Weight;
            yield return layer.Up.Weight;
            yield return layer.Down.Weight;
        }
        yield return Output.Weight;
    }
}
