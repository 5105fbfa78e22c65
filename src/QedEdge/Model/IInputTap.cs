using QedEdge.Kernels;

namespace QedEdge.Model;

/// <summary>Which matrices of a layer an input belongs to.</summary>
internal enum MatrixInput
{
    /// <summary>Query, key and value.</summary>
    Attention,
    /// <summary>The matrix behind attention.</summary>
    AttentionOutput,
    /// <summary>Gate and up.</summary>
    FeedForward,
    /// <summary>Down.</summary>
    Down,
}

/// <summary>Sees what the forward pass multiplies with the matrices.</summary>
internal interface IInputTap
{
    /// <summary>Takes a batch's input of a layer's matrices.</summary>
    /// <param name="input">Which.</param>
    /// <param name="x">The vectors [count]; their values hold until this returns.</param>
    /// <param name="count">How many.</param>
    void Take(MatrixInput input, Activations x, int count);
}
