using System.Runtime.InteropServices;
using QedEdge.Kernels;
using QedEdge.Memory;
using QedEdge.Quantization;

namespace QedEdge.Model;

/// <content>What comes from a file, looked at before it is taken over.</content>
internal sealed partial class KvCache
{
    /// <summary>
    /// Whether parts that lie one after another hold finite numbers in their first slots: values, or the scales of quantized ones, which are not negative where they are
    /// those of values. Scales of the values' matrices are not looked at: they are 1 whatever the parts say.
    /// </summary>
    /// <param name="parts"><see cref="BytesOf"/> bytes.</param>
    /// <param name="tokens">Tokens that they hold.</param>
    /// <param name="reach">One past the last token that was ever stored there.</param>
    public bool AreSound(NativeView parts, int tokens, int reach)
    {
        long position = 0;
        for (int i = 0; i < Parts; i++)
        {
            int slots = Used(i, tokens, reach);
            NativeView part = parts.Slice(position, PartBytes(i, slots));
            bool finite = (i % PartsPerHead) switch
            {
                0 => KeysAreFinite(part, slots),
                1 => Format == KvFormat.Q8_0 || FiniteCheck.View(part, halves: Format == KvFormat.F16),
                2 => ScalesAreSound(part),
                _ => true,
            };
            if (!finite)
                return false;
            position += part.Length;
        }
        return true;
    }

    /// <summary>Scales of the values are magnitudes. The weights of attention are multiplied by them, and kernels take the products for positive.</summary>
    private static bool ScalesAreSound(NativeView scales)
    {
        const ushort LargestFinite = 0x7BFF; // what is above is infinite, no number, or negative
        bool sound = true;
        scales.InPieces(piece => sound = sound && !MemoryMarshal.Cast<byte, ushort>(piece).ContainsAnyExceptInRange((ushort)0, LargestFinite));
        return sound;
    }

    private bool KeysAreFinite(NativeView keys, int slots)
    {
        var matrix = new PackedMatrix(Format.Matrix(), PackedLayout.RowGroups(slots) * PackedLayout.GroupRows, HeadSize, keys);
        int whole = slots / PackedLayout.GroupRows, rest = slots % PackedLayout.GroupRows;
        if (!FiniteCheck.Groups(matrix, whole))
            return false;
        for (int i = 0; rest > 0 && i < (Format == KvFormat.Q8_0 ? Blocks : PaddedHeadSize) * PackedLayout.GroupRows; i++) // rows after the last slot's mean nothing
        {
            ReadOnlySpan<byte> group = matrix.Group(whole)[(Format == KvFormat.Q8_0 ? (int)matrix.ScalesOffset : 0)..];
            bool finite = Format == KvFormat.F32 ? float.IsFinite(MemoryMarshal.Cast<byte, float>(group)[i]) : HalfBits.IsFinite(MemoryMarshal.Cast<byte, ushort>(group)[i]);
            if (i % PackedLayout.GroupRows < rest && !finite)
                return false;
        }
        return true;
    }
}
