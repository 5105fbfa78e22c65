using QedEdge.Gguf;

namespace QedEdge.Architectures;

/// <summary>
/// A model's hyperparameters as a family asks for them, checked one by one and against each other, so that code behind them needs no checks of its
/// own: every product of two of them fits 64 bits, and so does the size of a full key-value cache. What nobody asked for is the source's to refuse.
/// </summary>
/// <param name="source">Where they come from.</param>
internal sealed class Hyperparameters(IHyperparameterSource source)
{
    private const float UsualTheta = 10_000f;

    /// <summary>Width of the residual stream.</summary>
    public int Width { get; } = Size(source, GgufKeys.EmbeddingLength, GgufLimits.Size);

    /// <summary>Query heads.</summary>
    public int Heads { get; } = Size(source, GgufKeys.HeadCount, GgufLimits.Size);

    /// <summary>Inner width of the feed-forward part; four times the width where a configuration does not say it.</summary>
    public int Inner => FindSize(GgufKeys.FeedForwardLength) ?? (source.HasDefaults && Width <= GgufLimits.Size / 4 ? 4 * Width : Size(source, GgufKeys.FeedForwardLength, GgufLimits.Size));

    /// <summary>Rows of the embedding.</summary>
    public int VocabSize => Size(source, GgufKeys.VocabSize, GgufLimits.Size);

    /// <summary>Positions.</summary>
    public int ContextLength => Size(source, GgufKeys.ContextLength, GgufLimits.Context);

    /// <summary>Key-value heads; as many as query heads where nothing is said.</summary>
    public int KvHeads
    {
        get
        {
            int heads = FindSize(GgufKeys.HeadCountKv) ?? Heads;
            return Heads % heads == 0 ? heads : throw source.Wrong(GgufKeys.HeadCountKv, $"{heads} key-value heads cannot be shared evenly by {Heads} heads");
        }
    }

    /// <summary>Key-value heads of a family where each head has its own.</summary>
    public int OwnKvHeads
    {
        get
        {
            Only(GgufKeys.HeadCountKv, Heads, "key-value heads that are shared between heads");
            return Heads;
        }
    }

    /// <summary>Values of a head where the heads together are as wide as the residual stream.</summary>
    public int SharedHeadSize
    {
        get
        {
            if (Width % Heads != 0)
                throw source.Wrong(GgufKeys.HeadCount, $"{Heads} heads do not divide a width of {Width}");
            Only(GgufKeys.KeyLength, Width / Heads, "heads that together are not as wide as the model");
            return CheckHead(Width / Heads, GgufKeys.HeadCount);
        }
    }

    /// <summary>Values of a head that may have a size of its own.</summary>
    /// <param name="absent">Of a configuration that does not say it; null: the width's part.</param>
    public int HeadSize(int? absent = null) =>
        (FindSize(GgufKeys.KeyLength) ?? (source.HasDefaults ? absent : null)) is int size ? CheckHead(size, GgufKeys.KeyLength) : SharedHeadSize;

    /// <summary>RMSNorm with the model's epsilon.</summary>
    /// <param name="absent">Of a configuration that does not say it.</param>
    public Norm RmsNorm(float absent) => new(NormKind.Rms, Positive(GgufKeys.RmsNormEpsilon, source.HasDefaults ? absent : null));

    /// <summary>LayerNorm with the model's epsilon.</summary>
    /// <param name="absent">Of a configuration that does not say it.</param>
    public Norm LayerNorm(float absent) => new(NormKind.Layer, Positive(GgufKeys.LayerNormEpsilon, source.HasDefaults ? absent : null));

    /// <summary>The feed-forward part.</summary>
    /// <param name="norm">Before it.</param>
    /// <param name="usual">The activation, where the source does not say it.</param>
    /// <param name="isGated">Whether there is a gate.</param>
    public FeedForwardShape FeedForward(Norm norm, Activation usual, bool isGated) => new(norm, Inner, source.FindText(GgufKeys.Activation) switch
    {
        null => usual,
        "silu" or "swish" => Activation.Silu,
        "gelu_new" or "gelu_pytorch_tanh" or "gelu_fast" or "gelu_accurate" => Activation.GeluTanh,
        "gelu" or "gelu_python" => Activation.GeluErf,
        string other => throw source.Unsupported(GgufKeys.Activation, $"the activation '{ModelFormatException.OneLine(other)}' is not supported"),
    }, isGated);

    /// <summary>What Hugging Face calls an activation.</summary>
    public static string NameOf(Activation activation) => activation switch
    {
        Activation.Silu => "silu",
        Activation.GeluTanh => "gelu_pytorch_tanh",
        _ => "gelu",
    };

    /// <summary>Rotary positions on whole heads.</summary>
    /// <param name="headSize">Values of a head.</param>
    /// <param name="isNamed">Whether a file must name the base.</param>
    /// <param name="usual">The base of a configuration that names none.</param>
    public Rotary Rotary(int headSize, bool isNamed = false, float usual = UsualTheta)
    {
        Only(GgufKeys.RopeDimensionCount, headSize, "rotary positions on a part of a head");
        if (source.FindReal(GgufKeys.RopeFraction) is float part && part != 1f)
            throw source.Unsupported(GgufKeys.RopeFraction, FormattableString.Invariant($"the value {part} asks for rotary positions on a part of a head, which this family does not have"));
        return Rotary(headSize, headSize, Positive(GgufKeys.RopeFreqBase, source.HasDefaults ? usual : isNamed ? null : UsualTheta));
    }

    /// <summary>Rotary positions on the first part of each head.</summary>
    /// <param name="headSize">Values of a head.</param>
    /// <param name="absent">The part where none is named.</param>
    public Rotary PartialRotary(int headSize, float absent)
    {
        int dimensions = FindSize(GgufKeys.RopeDimensionCount) ?? (int)(headSize * Positive(GgufKeys.RopeFraction, absent));
        if (dimensions < 2 || dimensions > headSize || dimensions % 2 != 0)
            throw source.Wrong(GgufKeys.RopeDimensionCount, $"{dimensions} of {headSize} values of a head cannot turn in pairs");
        return Rotary(headSize, dimensions, Positive(GgufKeys.RopeFreqBase, UsualTheta));
    }

    private Rotary Rotary(int headSize, int dimensions, float theta)
    {
        float factor = Positive(GgufKeys.RopeScalingFactor, 1f);
        bool factors = source.HasRotaryFactors();
        if (factors && dimensions != headSize)
            throw source.Unsupported(GgufKeys.RopeDimensionCount, "a table of factors goes with rotary positions on whole heads only");
        return source.FindText(GgufKeys.RopeScalingType) switch
        {
            "none" => new Rotary(dimensions, theta, 1f, factors, null),
            null or "linear" => new Rotary(dimensions, theta, factor, factors, null),
            "yarn" => new Rotary(dimensions, theta, factor, HasFactors: false, new Yarn(
                FindSize(GgufKeys.RopeScalingOriginal, GgufLimits.Context) ?? ContextLength,
                Positive(GgufKeys.RopeYarnBetaFast, 32f), Positive(GgufKeys.RopeYarnBetaSlow, 1f), Positive(GgufKeys.RopeScalingAttention, 1f))),
            string other => throw source.Unsupported(GgufKeys.RopeScalingType,
                $"rotary positions of the kind '{ModelFormatException.OneLine(other)}'; 'linear', 'llama3' and 'yarn' are supported"),
        };
    }

    /// <summary>The usual scale of scores, 1/√size.</summary>
    public static float RootScale(int headSize) => 1f / MathF.Sqrt(headSize);

    /// <summary>Which slots have biases.</summary>
    /// <param name="slots">Those that may, by what the source says.</param>
    /// <param name="others">Those that do whatever it says.</param>
    /// <param name="absent">Whether they do where it says nothing.</param>
    public SlotSet Biases(ReadOnlySpan<Slot> slots, SlotSet others = default, bool absent = false)
    {
        foreach (Slot slot in slots)
            others = source.HasBias(slot) ?? absent ? others.With(slot) : others;
        return others;
    }

    /// <summary>A decoder whose layers are all alike.</summary>
    /// <param name="name">The family's name.</param>
    /// <param name="norm">Before the head.</param>
    /// <param name="layer">The layer.</param>
    /// <param name="tied">Whether the head is the embedding where nothing is said.</param>
    /// <param name="headBias">Whether logits get a bias where nothing is said.</param>
    public Architecture Decoder(string name, Norm norm, LayerShape layer, bool tied = false, bool headBias = false) => Decoder(name, norm, _ => layer, tied, headBias);

    /// <summary>A decoder with layers of several kinds.</summary>
    /// <param name="name">The family's name.</param>
    /// <param name="norm">Before the head.</param>
    /// <param name="layerAt">Gives a layer; those of one kind should be one instance.</param>
    /// <param name="tied">Whether the head is the embedding where nothing is said.</param>
    /// <param name="headBias">Whether logits get a bias where nothing is said.</param>
    public Architecture Decoder(string name, Norm norm, Func<int, LayerShape> layerAt, bool tied = false, bool headBias = false)
    {
        var layers = new LayerShape[LayerCount];
        for (int i = 0; i < layers.Length; i++)
        {
            layers[i] = layerAt(i);
            if (layers[i] is { Parallel: true } and ({ Attention.PostNorm: not null } or { FeedForward.PostNorm: not null }))
                throw new ArgumentException("the halves of a parallel layer have no norms behind them: they are one branch", nameof(layerAt));
        }
        return new Architecture
        {
            Name = name,
            Width = Width,
            VocabSize = VocabSize,
            ContextLength = ContextLength,
            Layers = layers,
            OutputNorm = norm,
            TiedHead = source.FindFlag(GgufKeys.TieWordEmbeddings) ?? (source.HasHead() is bool head ? !head : tied),
            HeadBias = source.HasHeadBias() ?? headBias,
        };
    }

    /// <summary>Layers.</summary>
    public int LayerCount => Size(source, GgufKeys.BlockCount, GgufLimits.Layers);

    /// <summary>Tokens that a layer with a window sees; null in a file whose layers have none.</summary>
    /// <param name="absent">Of a configuration that does not say it.</param>
    public int? Window(int absent) => FindSize(GgufKeys.SlidingWindow, GgufLimits.Context) ?? (source.HasDefaults ? absent : null);

    /// <summary>Which layers are marked by a list, one flag a layer, or else by a rule.</summary>
    /// <param name="key">The list's key.</param>
    /// <param name="rule">Where there is no list.</param>
    public bool[] Marked(string key, Func<int, bool> rule)
    {
        int count = LayerCount;
        bool[]? list = source.FindFlags(key);
        if (list is not null && list.Length != count)
            throw source.Wrong(key, $"the list has {list.Length} entries for {count} layers");
        if (list is not null)
            return list;
        var marked = new bool[count];
        for (int i = 0; i < count; i++)
            marked[i] = rule(i);
        return marked;
    }

    /// <summary>A whole number of a family's own, from 1 on.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="absent">Where it is not said.</param>
    public int Number(string key, int absent) => FindSize(key) ?? absent;

    /// <summary>A real number of a family's own, above 0.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="absent">Where it is not said.</param>
    /// <param name="inFile">Where a GGUF file does not say it, if that is another.</param>
    public float Real(string key, float absent, float? inFile = null) => Positive(key, source.HasDefaults ? absent : inFile ?? absent);

    /// <summary>A flag of a family's own.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="absent">Where it is not said.</param>
    public bool Flag(string key, bool absent) => source.FindFlag(key) ?? absent;

    private int CheckHead(int size, string key)
    {
        Only(GgufKeys.ValueLength, size, "values of another width than the keys");
        if (size % 2 != 0)
            throw source.Wrong(key, $"a head size of {size} is odd, and rotary positions need pairs");
        if (size > GgufLimits.HeadSize)
            throw source.Wrong(key, $"heads of {size} values; at most {GgufLimits.HeadSize} are possible");
        if ((long)size * Heads > GgufLimits.Size)
            throw source.Wrong(key, $"{Heads} heads of {size} values; together they may have at most {GgufLimits.Size}");
        return size;
    }

    private static int Size(IHyperparameterSource source, string key, int largest)
    {
        uint value = source.FindNumber(key) ?? throw source.Wrong(key, "the key is missing");
        return value >= 1 && value <= (uint)largest ? (int)value : throw source.Wrong(key, $"the value {value} is not within 1 to {largest}");
    }

    private int? FindSize(string key, int largest = GgufLimits.Size) => source.FindNumber(key) is null ? null : Size(source, key, largest);

    private float Positive(string key, float? missing)
    {
        float value = source.FindReal(key) ?? missing ?? throw source.Wrong(key, "the key is missing");
        return float.IsFinite(value) && value > 0 ? value : throw source.Wrong(key, FormattableString.Invariant($"the value {value} is not positive and finite"));
    }

    /// <summary>A key whose only supported value follows from the others; it may be absent.</summary>
    private void Only(string key, int expected, string feature)
    {
        if (source.FindNumber(key) is uint value && value != (uint)expected)
            throw source.Unsupported(key, $"the value {value} instead of {expected} means {feature}, which this family does not have");
    }
}
