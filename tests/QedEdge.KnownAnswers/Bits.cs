using System.IO.Hashing;
using System.Runtime.InteropServices;

namespace QedEdge.Tests.Kernels;

/// <summary>Results as text: the first words in hexadecimal, and a hash of all where there are more. Every not-a-number is written as one: its sign and payload are the processor's.</summary>
internal sealed class Bits
{
    private const int Shown = 8;
    private const uint NotANumber = 0x7FC0_0000;

    private readonly List<uint> _words = [];

    public Bits Add(params ReadOnlySpan<float> values)
    {
        foreach (float value in values)
            _words.Add(float.IsNaN(value) ? NotANumber : BitConverter.SingleToUInt32Bits(value));
        return this;
    }

    public Bits Add(ReadOnlySpan<ushort> halves)
    {
        foreach (ushort half in halves)
            _words.Add(half);
        return this;
    }

    public Bits Add(ReadOnlySpan<sbyte> bytes)
    {
        _words.AddRange(MemoryMarshal.Cast<sbyte, uint>(bytes));
        return this;
    }

    public Bits Add(bool value)
    {
        _words.Add(value ? 1u : 0u);
        return this;
    }

    public override string ToString()
    {
        ReadOnlySpan<uint> words = CollectionsMarshal.AsSpan(_words);
        string shown = string.Join(' ', _words.Take(Shown).Select(word => word.ToString("x8")));
        return words.Length <= Shown ? shown : $"{shown} .. {words.Length} words {XxHash3.HashToUInt64(MemoryMarshal.AsBytes(words)):x16}";
    }
}
