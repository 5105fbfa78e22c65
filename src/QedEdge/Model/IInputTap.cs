using QedEdge.Architectures;
using QedEdge.Kernels;

namespace QedEdge.Model;

/// <summary>Sees what the forward pass multiplies with the matrices.</summary>
internal interface IInputTap
{
    /// <summary>Takes a batch's input of a layer's matrices.</summary>
    /// <param name="input">Which.</param>
    /// <param name="x">The vectors [count]; their values hold until this returns.</param>
    /// <param name="count">How many.</param>
    void Take(MatrixInput input, Activations x, int count);
}
