namespace QedEdge.Architectures;

/// <summary>
/// What a decoder computes, as data. The forward pass, the memory plan, the cache, the converter and the fingerprint of sessions read this and
/// nothing else; a family (<see cref="Families"/>) makes it from hyperparameters.
/// </summary>
internal sealed record Architecture
{
    /// <summary>The family's name in files, <c>general.architecture</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Width of the residual stream, in values.</summary>
    public required int Width { get; init; }

    /// <summary>Rows of the embedding and of the head.</summary>
    public required int VocabSize { get; init; }

    /// <summary>Tokens that the model was trained to see at once.</summary>
    public required int ContextLength { get; init; }

    /// <summary>The layers, in order; layers of one kind share one instance.</summary>
    public required LayerShape[] Layers { get; init; }

    /// <summary>The norm before the head.</summary>
    public required Norm OutputNorm { get; init; }

    /// <summary>Whether the head's matrix is the embedding's.</summary>
    public required bool TiedHead { get; init; }

    /// <summary>Whether logits get a bias.</summary>
    public bool HeadBias { get; init; }

    /// <summary>What embeddings are multiplied by.</summary>
    public float EmbeddingScale { get; init; } = 1f;

    /// <summary>Rows of the table of learned positions, which are added to the embeddings; 0: none.</summary>
    public int PositionTable { get; init; }

    /// <summary>Whether only distances between positions count, so that a text may slide through the window or lose a part.</summary>
    public bool HasRelativePositions => PositionTable == 0;

    /// <summary>Key-value heads of every layer: the cache is the same for all.</summary>
    public int KvHeads => Layers[0].Attention.KvHeads;

    /// <summary>Values of a head of every layer.</summary>
    public int HeadSize => Layers[0].Attention.HeadSize;

    /// <summary>The widest queries of a token in any layer, in values.</summary>
    public int QueryWidth => Layers[0].Attention.QueryWidth;

    /// <summary>Keys, or values, of a token in a layer.</summary>
    public int KvWidth => Layers[0].Attention.KvWidth;

    /// <summary>Inner width of the feed-forward part.</summary>
    public int Inner => Layers[0].FeedForward.Inner;
}

/// <summary>A layer: attention, then the feed-forward part, each added to the residual stream.</summary>
/// <param name="Attention">The first half.</param>
/// <param name="FeedForward">The second half.</param>
internal sealed record LayerShape(AttentionShape Attention, FeedForwardShape FeedForward)
{
    /// <summary>Which of its matrices have biases.</summary>
    public SlotSet Biases { get; init; }

    /// <summary>Whether both halves read the same residual stream, and are added together.</summary>
    public bool Parallel { get; init; }
}

/// <summary>Attention of one layer.</summary>
/// <param name="Norm">Of the residual stream, before it.</param>
/// <param name="Heads">Query heads.</param>
/// <param name="KvHeads">Key-value heads; each is shared by <see cref="Group"/> query heads that follow one another.</param>
/// <param name="HeadSize">Values of a head; heads together need not be as wide as the residual stream.</param>
internal sealed record AttentionShape(Norm Norm, int Heads, int KvHeads, int HeadSize)
{
    /// <summary>Of each head's query and key, before rotation; null: none.</summary>
    public Norm? QueryKeyNorm { get; init; }

    /// <summary>Rotary positions; null: the layer has none.</summary>
    public Rotary? Rotary { get; init; }

    /// <summary>What scores are multiplied by.</summary>
    public required float Scale { get; init; }

    /// <summary>How many tokens one sees, itself the last; null: all before it.</summary>
    public int? Window { get; init; }

    /// <summary>Of the branch, before it is added; null: none.</summary>
    public Norm? PostNorm { get; init; }

    /// <summary>Query heads of a key-value head.</summary>
    public int Group => Heads / KvHeads;

    /// <summary>Values of all query heads.</summary>
    public int QueryWidth => Heads * HeadSize;

    /// <summary>Values of all key-value heads.</summary>
    public int KvWidth => KvHeads * HeadSize;
}

/// <summary>The feed-forward part of one layer: down(activation(gate x) · up x), or down(activation(up x)).</summary>
/// <param name="Norm">Of the residual stream, before it.</param>
/// <param name="Inner">Inner width.</param>
/// <param name="Activation">The activation.</param>
/// <param name="IsGated">Whether there is a gate.</param>
internal sealed record FeedForwardShape(Norm Norm, int Inner, Activation Activation, bool IsGated)
{
    /// <summary>Of the branch, before it is added; null: none.</summary>
    public Norm? PostNorm { get; init; }
}

/// <summary>The activations.</summary>
internal enum Activation
{
    /// <summary>x / (1 + e^−x).</summary>
    Silu,
    /// <summary>GELU in its tanh form.</summary>
    GeluTanh,
    /// <summary>GELU.</summary>
    GeluErf,
}

/// <summary>The norms.</summary>
internal enum NormKind
{
    /// <summary>gain · x / √(mean(x²) + epsilon).</summary>
    Rms,
    /// <summary>gain · (x − mean) / √(variance + epsilon) + bias.</summary>
    Layer,
}

/// <summary>A norm.</summary>
/// <param name="Kind">Which.</param>
/// <param name="Epsilon">Added to the mean square.</param>
internal sealed record Norm(NormKind Kind, float Epsilon);

/// <summary>Rotary positions, half-split: of the first n values of a head pairs j and j + n/2 turn by position · theta^(−2j/n), divided by what scaling says.</summary>
/// <param name="Dimensions">n; values of a head beyond stay as they are.</param>
/// <param name="Theta">The base of the frequencies.</param>
/// <param name="Factor">What frequencies are divided by ("linear"; of "yarn", what the low ones are divided by); 1: nothing.</param>
/// <param name="HasFactors">Whether each frequency is divided by a value of the tensor <c>rope_freqs.weight</c> as well ("llama3").</param>
/// <param name="Yarn">How frequencies pass from divided to not ("yarn"), or null.</param>
internal sealed record Rotary(int Dimensions, float Theta, float Factor, bool HasFactors, Yarn? Yarn);

/// <summary>YaRN (Peng et al. 2023): high frequencies stay, low ones are divided by the factor, those between are mixed.</summary>
/// <param name="Original">Positions of the context before it was stretched.</param>
/// <param name="BetaFast">Turns over that context from which on a frequency stays.</param>
/// <param name="BetaSlow">Turns up to which it is divided.</param>
/// <param name="Attention">Cosines and sines are multiplied by this times 0.1 ln(factor) + 1.</param>
internal sealed record Yarn(int Original, float BetaFast, float BetaSlow, float Attention);
