using System.IO.Hashing;
using System.Reflection;
using System.Runtime.CompilerServices;
using QedEdge.Architectures;
using QedEdge.Model;

namespace QedEdge.Tests.Model;

/// <summary>Whatever a description says is part of a session's fingerprint: a property that were forgotten would let one model go on with another's keys and values.</summary>
public sealed class ModelFingerprintTests
{
    private static readonly NullabilityInfoContext Nullability = new();

    /// <summary>A description in which everything is said.</summary>
    private static Architecture Full { get; } = new()
    {
        Name = "random",
        Width = 48,
        VocabSize = 50,
        ContextLength = 64,
        PositionTable = 64,
        Layers = [Layer(7, 3f), Layer(9, 5f)],
        OutputNorm = new Norm(NormKind.Rms, 1e-5f),
        TiedHead = true,
        HeadBias = true,
        EmbeddingScale = 2f,
    };

    [Fact]
    public void EveryProperty_ChangesTheFingerprint()
    {
        List<(string Path, object? Value)> changes = [.. Changes(Full, "")];
        Assert.Superset(new HashSet<string> { ".Name", ".PositionTable", ".Layers[1].Attention.Rotary.Yarn.BetaFast", ".Layers[0].FeedForward.PostNorm", ".Layers[1].Attention.Window", ".Layers[0].Biases.Bits", ".Layers" },
            changes.Select(change => change.Path).ToHashSet());
        var seen = new Dictionary<ulong, string> { [Fingerprint(Full)] = "the description unchanged" };
        foreach ((string path, object? value) in changes)
            Assert.True(seen.TryAdd(Fingerprint((Architecture)value!), path), $"{path} has the fingerprint of {seen.GetValueOrDefault(Fingerprint((Architecture)value!))}");
    }

    [Fact]
    public void TheSameDescription_HasTheSameFingerprint() => Assert.Equal(Fingerprint(Full), Fingerprint(Full with { Layers = [Layer(7, 3f), Layer(9, 5f)] }));

    internal static ulong Fingerprint(Architecture architecture)
    {
        var hash = new XxHash3();
        ModelFingerprint.Append(hash, architecture);
        return hash.GetCurrentHashAsUInt64();
    }

    private static LayerShape Layer(int window, float theta)
    {
        Norm Norm(float epsilon) => new(NormKind.Layer, epsilon);
        var rotary = new Rotary(16, theta, 4f, HasFactors: true, new Yarn(32, 16f, 2f, 0.5f));
        return new LayerShape(new AttentionShape(Norm(1e-4f), 6, 2, 24) { QueryKeyNorm = Norm(1e-3f), PostNorm = Norm(1e-2f), Rotary = rotary, Scale = 0.2f, Window = window },
            new FeedForwardShape(Norm(1e-6f), 40, Activation.GeluErf, IsGated: true) { PostNorm = Norm(1e-7f) })
        {
            Biases = SlotSet.Of(Slot.Query, Slot.Down),
            Parallel = true,
        };
    }

    /// <summary>The value with one thing in it changed, for each thing in it.</summary>
    private static IEnumerable<(string Path, object? Value)> Changes(object value, string path)
    {
        switch (value)
        {
            case int number: return [(path, number + 1)];
            case uint number: return [(path, number + 1)];
            case float number: return [(path, number * 2)];
            case bool flag: return [(path, !flag)];
            case string text: return [(path, text + 'x')];
            case Enum: return [.. Enum.GetValues(value.GetType()).Cast<object>().Where(other => !other.Equals(value)).Select(other => (path, other))];
            case LayerShape[] layers:
                return [(path, layers[..^1]), (path, layers.Reverse().ToArray()),
                    .. layers.SelectMany((layer, i) => Changes(layer, $"{path}[{i}]").Select(change => (change.Path, (object?)layers.Select((other, j) => i == j ? (LayerShape)change.Value! : other).ToArray())))];
        }
        PropertyInfo[] properties = [.. value.GetType().GetProperties().Where(property => property.CanWrite)];
        Assert.NotEmpty(properties); // else a type that nothing is known of
        return properties.SelectMany(property =>
        {
            string at = $"{path}.{property.Name}";
            IEnumerable<(string Path, object? Value)> changes = Changes(property.GetValue(value) ?? throw new InvalidOperationException($"{at} is not set above"), at);
            if (Nullability.Create(property).WriteState == NullabilityState.Nullable)
                changes = changes.Append((at, null));
            return changes.Select(change => (change.Path, (object?)With(value, property, change.Value)));
        });
    }

    /// <summary>A copy with one property changed.</summary>
    private static object With(object value, PropertyInfo property, object? changed)
    {
        object copy = value.GetType().IsValueType ? RuntimeHelpers.GetObjectValue(value) : value.GetType().GetMethod("<Clone>$")!.Invoke(value, null)!;
        property.SetValue(copy, changed);
        return copy;
    }
}
