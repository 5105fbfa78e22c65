using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;
using QedEdge.Gguf;

namespace QedEdge.Fuzz.Mutation;

/// <summary>
/// Changes of a GGUF file by its fields: counts, lengths, types, values, dimensions, offsets, texts, data; entries and tensors taken out, doubled, moved in from another file.
/// Checksums are set right again, so that a change gets past them.
/// </summary>
internal static class GgufChanges
{
    private const int ChecksumOf = 19; // in twenty: the others are left wrong

    public static byte[] Mutate(Random random, byte[] input, byte[] other)
    {
        for (int left = 1 + random.Next(random.Next(2) == 0 ? 1 : 5); left > 0; left--)
            input = Change(random, input, other);
        return random.Next(ChecksumOf + 1) < ChecksumOf ? Repair(input) : input;
    }

    private static byte[] Change(Random random, byte[] input, byte[] other)
    {
        var map = GgufMap.Of(input);
        switch (random.Next(20))
        {
            case 0:
                return Bytes.Change(random, input, other);
            case 1 or 2 when map.Entries.Count > 0 && GgufMap.Of(other).Entries is { Count: > 0 } theirs:
                return Exchange(random, input, map.Entries, other, theirs, 16);
            case 3 or 4 when map.Tensors.Count > 0 && GgufMap.Of(other).Tensors is { Count: > 0 } theirs:
                return Exchange(random, input, map.Tensors, other, theirs, 8);
            case 5:
                return input[..random.Next(input.Length + 1)];
        }
        var fields = map.OfKind(random);
        if (fields.Count == 0)
            return Bytes.Change(random, input, other);
        GgufMap.Field field = fields[random.Next(fields.Count)];
        byte[] changed = [.. input];
        Span<byte> at = changed.AsSpan(field.Start, field.Length);
        switch (field.Kind)
        {
            case GgufMap.Kind.Text or GgufMap.Kind.Array or GgufMap.Kind.Data when field.Length > 0:
                int size = 1 << random.Next(field.Length < 8 ? 1 : 4), first = random.Next(field.Length / size) * size;
                if (field.Kind == GgufMap.Kind.Text && random.Next(2) == 0)
                    return Resize(random, input, field, other);
                if (random.Next(16) == 0)
                    at.Fill((byte)(random.Next(2) * 255));
                else
                    Bytes.Renumber(random, at.Slice(first, size), size);
                return changed;
            case GgufMap.Kind.Number:
                Bytes.Renumber(random, at, field.Length);
                return changed;
            default:
                return changed;
        }
    }

    /// <summary>A text of another length, its length with it.</summary>
    private static byte[] Resize(Random random, byte[] input, GgufMap.Field field, byte[] other)
    {
        byte[] text = random.Next(4) switch
        {
            0 => [],
            1 => [.. input.AsSpan(field.Start, field.Length), .. input.AsSpan(field.Start, field.Length)],
            2 => [.. Enumerable.Repeat((byte)'a', random.Next(2000))],
            _ => Bytes.Change(random, input[field.Start..(field.Start + field.Length)], other.Length > 64 ? other[..64] : other),
        };
        byte[] changed = Bytes.Splice(input, field.Start, field.Length, text);
        BinaryPrimitives.WriteUInt64LittleEndian(changed.AsSpan(field.Start - 8), (ulong)text.Length);
        return Align(changed);
    }

    /// <summary>Takes an entry or a tensor out, or one of another file in; the count follows.</summary>
    private static byte[] Exchange(Random random, byte[] input, List<(int Start, int Length)> mine, byte[] other, List<(int Start, int Length)> theirs, int countAt)
    {
        (int start, int length) = mine[random.Next(mine.Count)];
        (int from, int bytes) = theirs[random.Next(theirs.Count)];
        int how = random.Next(3);
        byte[] changed = Bytes.Splice(input, start, how == 0 ? 0 : length, how == 1 ? default : other.AsSpan(from, bytes));
        ulong count = Bytes.Read(changed.AsSpan(countAt), 8) + (ulong)(how == 0 ? 1 : how == 1 ? -1 : 0);
        Bytes.Write(changed.AsSpan(countAt), 8, count);
        return Align(changed);
    }

    /// <summary>Puts the data back to where the header's new length wants them.</summary>
    private static byte[] Align(byte[] changed)
    {
        var map = GgufMap.Of(changed);
        if (map.TableEnd == 0)
            return changed;
        // The padding is zero: it is taken out and made anew.
        int data = map.TableEnd;
        while (data < changed.Length && changed[data] == 0 && data - map.TableEnd < map.Alignment)
            data++;
        int padding = (map.Alignment - map.TableEnd % map.Alignment) % map.Alignment;
        return Bytes.Splice(changed, map.TableEnd, Math.Max(0, data - map.TableEnd), new byte[padding]);
    }

    /// <summary>Sets the checksums right, of the tensors first, since the header holds them.</summary>
    public static byte[] Repair(byte[] file)
    {
        var map = GgufMap.Of(file);
        if (map.DataStart == 0 || map.DataStart > file.Length)
            return file;
        byte[] repaired = [.. file];
        if (map.Values.TryGetValue(GgufKeys.TensorChecksums, out GgufMap.Field sums))
        {
            for (int i = 0; i < map.Tensors.Count && 8 * (i + 1) <= sums.Length; i++)
            {
                (ulong offset, long bytes) = map.Places[i];
                if (bytes >= 0 && offset <= (ulong)(file.Length - map.DataStart) && bytes <= file.Length - map.DataStart - (long)offset)
                    BinaryPrimitives.WriteUInt64LittleEndian(repaired.AsSpan(sums.Start + 8 * i), XxHash3.HashToUInt64(file.AsSpan(map.DataStart + (int)offset, (int)bytes)));
            }
        }
        if (map.Values.TryGetValue(GgufKeys.HeaderChecksum, out GgufMap.Field own) && own.Length == 8)
            BinaryPrimitives.WriteUInt64LittleEndian(repaired.AsSpan(own.Start), GgufChecksums.Header(repaired.AsSpan(0, map.DataStart), own.Start));
        return repaired;
    }

    /// <summary>A file with one name in the place of another of the same length, everywhere in its header.</summary>
    public static byte[] Rename(byte[] file, string from, string to)
    {
        byte[] changed = [.. file], old = Encoding.ASCII.GetBytes(from);
        for (int at = 0; (at = changed.AsSpan().IndexOf(old)) >= 0;)
            Encoding.ASCII.GetBytes(to).CopyTo(changed, at);
        return Repair(changed);
    }
}
