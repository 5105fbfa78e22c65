using CsCheck;
using QedEdge.Architectures;

namespace QedEdge.Tests.Model;

/// <summary>Random descriptions: everything that a property of <see cref="Architecture"/> can say, in any combination.</summary>
internal static class RandomArchitecture
{
    /// <summary>Positions that a token may be given where they are not learned.</summary>
    private const int Context = 1 << 20;

    /// <summary>Rows of a table of learned positions: more than the longest run has tokens.</summary>
    private const int Table = 600;

    private static readonly Gen<Norm> AnyNorm =
        from kind in Gen.Enum<NormKind>()
        from epsilon in Gen.OneOfConst(1e-6f, 1e-5f, 1e-3f)
        select new Norm(kind, epsilon);

    public static Gen<Architecture> Any { get; } =
        from width in Gen.OneOfConst(8, 24, 30, 32, 40, 64, 96)
        from vocab in Gen.Int[2, 80]
        from attention in Attention
        from feedForward in FeedForward
        from parallel in Gen.Bool
        from biases in Gen.UInt[0, (1u << TensorSlots.Count) - 1]
        from other in Other(attention)
        from layers in Gen.Bool.Array[1, 3]
        from top in Top
        let shape = new LayerShape(parallel ? attention with { PostNorm = null } : attention, parallel ? feedForward with { PostNorm = null } : feedForward)
        {
            Parallel = parallel, // branches that are added together have no norms of their own
            Biases = new SlotSet(biases & SlotSet.Everywhere.Bits),
        }
        let otherShape = shape with { Attention = shape.Attention with { Window = other.Window, Rotary = other.Rotary } }
        select new Architecture
        {
            Name = "random",
            Width = width,
            VocabSize = vocab,
            ContextLength = top.Table ? Table : Context,
            PositionTable = top.Table ? Table : 0,
            Layers = [.. layers.Select(first => first ? shape : otherShape)],
            OutputNorm = top.Norm,
            TiedHead = top.Tied,
            HeadBias = top.Bias,
            EmbeddingScale = top.Scaled ? MathF.Sqrt(width) : 1f,
        };

    private static Gen<(Norm Norm, bool Tied, bool Bias, bool Scaled, bool Table)> Top =>
        from norm in AnyNorm
        from flags in Gen.Int[0, 15]
        select (norm, (flags & 1) != 0, (flags & 2) != 0, (flags & 4) != 0, (flags & 8) != 0);

    private static Gen<AttentionShape> Attention =>
        from norm in AnyNorm
        from @group in Gen.Frequency((2, Gen.Const(1)), (3, Gen.Int[2, 8]), (1, Gen.Int[9, 19]))
        from kvHeads in Gen.Int[1, @group > 4 ? 2 : 3]
        from headSize in Gen.OneOfConst(4, 6, 8, 12, 16, 24, 32, 40)
        from normed in Maybe(AnyNorm)
        from post in Maybe(AnyNorm)
        from rotary in Maybe(Rotary(headSize))
        from window in Window
        from scale in Gen.OneOfConst(0.25f, Hyperparameters.RootScale(headSize))
        select new AttentionShape(norm, @group * kvHeads, kvHeads, headSize) { QueryKeyNorm = normed, PostNorm = post, Rotary = rotary, Window = window, Scale = scale };

    /// <summary>What layers of another kind have otherwise.</summary>
    private static Gen<(Rotary? Rotary, int? Window)> Other(AttentionShape attention) =>
        from rotary in Maybe(Rotary(attention.HeadSize))
        from window in Window
        select (rotary, window);

    private static Gen<FeedForwardShape> FeedForward =>
        from norm in AnyNorm
        from inner in Gen.Int[1, 100]
        from whole in Gen.Bool
        from activation in Gen.Enum<Activation>()
        from gated in Gen.Bool
        from post in Maybe(AnyNorm)
        select new FeedForwardShape(norm, whole ? (inner + 31) / 32 * 32 : inner, activation, gated) { PostNorm = post };

    /// <summary>None; narrower than most batches; or wider than a chunk of attention.</summary>
    private static Gen<int?> Window => Gen.Frequency((2, Gen.Const((int?)null)), (2, Gen.Int[1, 12].Select(size => (int?)size)), (1, Gen.Int[13, 300].Select(size => (int?)size)));

    private static Gen<Rotary> Rotary(int headSize) =>
        from whole in Gen.Bool
        from pairs in Gen.Int[1, headSize / 2]
        from theta in Gen.OneOfConst(10_000f, 1_000_000f, 100f, 2.5f)
        from factor in Gen.OneOfConst(1f, 2f, 8f)
        from kind in Gen.Int[0, 2]
        from yarn in Yarn
        let dimensions = whole || kind == 1 ? headSize : 2 * pairs // a table goes with whole heads
        select new Rotary(dimensions, theta, factor, HasFactors: kind == 1, kind == 2 ? yarn : null);

    private static Gen<Yarn> Yarn =>
        from original in Gen.OneOfConst(64, 4096, 32768)
        from betas in Gen.OneOfConst((32f, 1f), (8f, 2f), (4f, 4f))
        from attention in Gen.OneOfConst(1f, 0.8f)
        select new Yarn(original, betas.Item1, betas.Item2, attention);

    private static Gen<T?> Maybe<T>(Gen<T> gen) where T : class => Gen.Frequency((1, Gen.Const((T?)null)), (1, gen.Select(value => (T?)value)));
}
