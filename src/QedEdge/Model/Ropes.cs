using QedEdge.Architectures;

namespace QedEdge.Model;

/// <summary>The rotary positions of all layers; those of one kind share their angles.</summary>
internal sealed class Ropes : IDisposable
{
    private readonly List<Rope> _all = [];
    private readonly Rope?[] _layers;

    /// <summary>Tables for a batch.</summary>
    /// <param name="layers">The layers.</param>
    /// <param name="factors">What each frequency is divided by where a layer says so, or null.</param>
    /// <param name="sinkDistance">Positions from the first sink to a query.</param>
    public Ropes(LayerShape[] layers, float[]? factors, int sinkDistance)
    {
        _layers = new Rope?[layers.Length];
        for (int i = 0; i < layers.Length; i++)
        {
            Rotary? rotary = layers[i].Attention.Rotary;
            int same = Array.FindIndex(layers, 0, i, layer => layer.Attention.Rotary == rotary);
            if (same >= 0)
                _layers[i] = _layers[same];
            else if (rotary is not null)
                _all.Add(_layers[i] = new Rope(rotary, rotary.HasFactors ? factors : null, sinkDistance));
        }
    }

    /// <summary>A layer's, or null where nothing turns.</summary>
    public Rope? this[int layer] => _layers[layer];

    /// <summary>Computes the angles of a batch: token t stands at <paramref name="positions"/>[t].</summary>
    public void Prepare(ReadOnlySpan<int> positions)
    {
        foreach (Rope rope in _all)
            rope.Prepare(positions);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Rope rope in _all)
            rope.Dispose();
    }
}
