using QedEdge.Model;

namespace QedEdge.Conversion.Calibration;

/// <summary>One of the seven matrices that every layer has.</summary>
/// <param name="Part">Its name in the file within its layer.</param>
/// <param name="Input">What flows into it.</param>
/// <param name="Of">Finds it in a layer.</param>
/// <param name="Replace">The layer with another one in its place.</param>
internal sealed record LayerMatrix(string Part, MatrixInput Input, Func<LayerWeights, Linear> Of, Func<LayerWeights, Linear, LayerWeights> Replace)
{
    /// <summary>All of them, in the order in which a token meets them.</summary>
    public static LayerMatrix[] All { get; } =
    [
        new("attn_q", MatrixInput.Attention, static layer => layer.Query, static (layer, linear) => layer with { Query = linear }),
        new("attn_k", MatrixInput.Attention, static layer => layer.Key, static (layer, linear) => layer with { Key = linear }),
        new("attn_v", MatrixInput.Attention, static layer => layer.Value, static (layer, linear) => layer with { Value = linear }),
        new("attn_output", MatrixInput.AttentionOutput, static layer => layer.AttentionOutput, static (layer, linear) => layer with { AttentionOutput = linear }),
        new("ffn_gate", MatrixInput.FeedForward, static layer => layer.Gate, static (layer, linear) => layer with { Gate = linear }),
        new("ffn_up", MatrixInput.FeedForward, static layer => layer.Up, static (layer, linear) => layer with { Up = linear }),
        new("ffn_down", MatrixInput.Down, static layer => layer.Down, static (layer, linear) => layer with { Down = linear }),
    ];

    /// <summary>Its name in the file.</summary>
    public string Name(int layer) => $"blk.{layer}.{Part}.weight";
}
