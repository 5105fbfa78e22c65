using System.Buffers.Binary;
using System.Text;

namespace QedEdge.Fuzz.Mutation;

/// <summary>Several files as one input: for each a byte with its name's length, the name, four bytes with its own length, its bytes.</summary>
internal sealed class FileSet
{
    /// <summary>The files, in the order of their names.</summary>
    public SortedDictionary<string, byte[]> Files { get; } = new(StringComparer.Ordinal);

    /// <summary>The files of a folder.</summary>
    public static FileSet Of(string folder)
    {
        var set = new FileSet();
        foreach (string file in Directory.EnumerateFiles(folder))
            set.Files.Add(Path.GetFileName(file), File.ReadAllBytes(file));
        return set;
    }

    /// <summary>The files of an input; what is no file any more is left out.</summary>
    public static FileSet Read(ReadOnlySpan<byte> input)
    {
        var set = new FileSet();
        while (input.Length > 0 && input.Length >= 5 + input[0])
        {
            string name = Encoding.ASCII.GetString(input.Slice(1, input[0]));
            int length = Math.Clamp(BinaryPrimitives.ReadInt32LittleEndian(input[(1 + input[0])..]), 0, input.Length - 5 - input[0]);
            set.Files[name] = input.Slice(5 + input[0], length).ToArray();
            input = input[(5 + input[0] + length)..];
        }
        return set;
    }

    /// <summary>As one input.</summary>
    public byte[] ToArray()
    {
        using var all = new MemoryStream();
        Span<byte> length = stackalloc byte[sizeof(int)];
        foreach ((string name, byte[] bytes) in Files)
        {
            all.WriteByte((byte)name.Length);
            all.Write(Encoding.ASCII.GetBytes(name));
            BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
            all.Write(length);
            all.Write(bytes);
        }
        return all.ToArray();
    }

    /// <summary>Changes one of the files, by the kind that its name tells; now and then one goes missing or another takes its place.</summary>
    public static byte[] Mutate(Random random, byte[] input, byte[] other)
    {
        FileSet set = Read(input), theirs = Read(other);
        if (set.Files.Count == 0)
            return other;
        string name = set.Files.Keys.ElementAt(random.Next(set.Files.Count));
        byte[] mine = set.Files[name], their = theirs.Files.GetValueOrDefault(name) ?? mine;
        if (random.Next(20) == 0)
            set.Files.Remove(name);
        else
            set.Files[name] = random.Next(20) == 0 ? their : name.EndsWith(".json", StringComparison.Ordinal) ? JsonChanges.Mutate(random, mine, their) : SafetensorsChanges.Mutate(random, mine, their);
        return set.ToArray();
    }

    /// <summary>Puts the files into a folder in place of those that are there.</summary>
    public void Write(string folder)
    {
        foreach (string file in Directory.EnumerateFiles(folder))
        {
            if (!Files.ContainsKey(Path.GetFileName(file)))
                File.Delete(file);
        }
        foreach ((string name, byte[] bytes) in Files)
        {
            if (name.Length > 0 && !name.AsSpan().ContainsAny("/\0") && name is not "." and not "..")
                File.WriteAllBytes(Path.Combine(folder, name), bytes);
        }
    }
}
