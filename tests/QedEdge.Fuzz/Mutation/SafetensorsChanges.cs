namespace QedEdge.Fuzz.Mutation;

/// <summary>Changes of a safetensors file: of its header's JSON, whose length is set right again, of the length, and of the data.</summary>
internal static class SafetensorsChanges
{
    public static byte[] Mutate(Random random, byte[] input, byte[] other)
    {
        if (Header(input) is not { } header || random.Next(12) == 0)
            return Bytes.Change(random, input, other);
        byte[] data = input[(8 + header.Length)..];
        switch (random.Next(8))
        {
            case 0:
                return [.. Length(Bytes.Number(random, (ulong)header.Length, sizeof(ulong))), .. header, .. data];
            case 1 when data.Length > 0:
                data = Bytes.Change(random, data, data);
                break;
            default:
                header = JsonChanges.Mutate(random, header, Header(other) ?? header);
                break;
        }
        return [.. Length((ulong)header.Length), .. header, .. data];
    }

    private static byte[]? Header(byte[] file) => file.Length > 8 && BitConverter.ToUInt64(file) is var length && length <= (ulong)(file.Length - 8) ? file[8..(8 + (int)length)] : null;

    private static byte[] Length(ulong length) => BitConverter.GetBytes(length);
}
