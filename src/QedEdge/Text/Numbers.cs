using QedEdge.Gguf;

namespace QedEdge.Text;

/// <summary>Numbers in an array, or in a mapped file where they are used in place.</summary>
internal readonly struct Numbers
{
    private readonly uint[]? _own;
    private readonly GgufArray? _stored;

    private Numbers(uint[]? own, GgufArray? stored) => (_own, _stored) = (own, stored);

    /// <summary>The numbers; of a file, valid while it is open.</summary>
    public ReadOnlySpan<uint> Span => _stored is null ? _own : _stored.UInt32();

    /// <summary>Numbers of an array.</summary>
    public static implicit operator Numbers(uint[] own) => new(own, null);

    /// <summary>Numbers of a file.</summary>
    public static Numbers Of(GgufArray stored) => new(null, stored);
}
