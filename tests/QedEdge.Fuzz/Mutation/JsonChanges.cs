using System.Text;

namespace QedEdge.Fuzz.Mutation;

/// <summary>Changes of JSON text that mostly leave it JSON: values, keys and their order, nesting, repeated and missing members.</summary>
internal static class JsonChanges
{
    private static readonly byte[][] Values = [.. new[]
    {
        "null", "true", "false", "0", "-0", "1", "-1", "2", "3", "8", "16", "31", "32", "33", "255", "256", "65536", "1048576", "1048577", "16777217", "2147483647", "2147483648", "-2147483648", "-2147483649", "4294967296",
        "9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616", "1e400", "-1e400", "1e-400", "0.1", "1.5", "3.4028235e38", "3.5e38", "1e-46", "0.0", "1E2", "12345678901234567890123456789",
        "\"\"", "\"a\"", "\"0\"", "\"-inf\"", "\"NaN\"", "\"true\"", "\"\\u0000\"", "\"\\ud800\"", "\"\\udc00\\ud800\"", "\"\\ud83d\\ude00\"", "\"a\\nb\\u001b[2J\"", "\"../x\"", "\"/etc/passwd\"", "\" \"", "\"'\"", "\"\\u0120\"", "\"\\uFEFF\"",
        "[]", "{}", "[0]", "[null]", "[[]]", "{\"a\":0}", "{\"\":null}", "[1,2,3]", "[0,0]", "[-1]", "[\"a\",\"a\"]", "[1e400]",
    }.Select(Encoding.ASCII.GetBytes)];

    /// <summary>Changes a text once or a few times.</summary>
    public static byte[] Mutate(Random random, byte[] input, byte[] other)
    {
        for (int left = 1 + random.Next(random.Next(2) == 0 ? 1 : 4); left > 0; left--)
            input = random.Next(8) == 0 ? Bytes.Change(random, input, other) : Change(random, input, other);
        return input;
    }

    private static byte[] Change(Random random, byte[] input, byte[] other)
    {
        List<Part> parts = Parts(input);
        if (parts.Count == 0)
            return Bytes.Change(random, input, other);
        Part part = parts[random.Next(parts.Count)];
        ReadOnlySpan<byte> value = input.AsSpan(part.Start, part.Length), member = input.AsSpan(part.Member, part.Start + part.Length - part.Member);
        switch (random.Next(11))
        {
            case 0 or 1 or 2:
                return Bytes.Splice(input, part.Start, part.Length, Values[random.Next(Values.Length)]);
            case 3: // a member or element goes, with a comma
                int end = part.Start + part.Length, begin = part.Member;
                if (end < input.Length && input[end] == ',')
                    end++;
                else if (begin > 0 && input[begin - 1] == ',')
                    begin--;
                return Bytes.Splice(input, begin, end - begin, default);
            case 4: // comes twice
                return Bytes.Splice(input, part.Start + part.Length, 0, [(byte)',', .. member]);
            case 5: // many times
                var many = new List<byte>();
                for (int i = 1 + random.Next(200); i > 0 && many.Count < 1 << 16; i--)
                    many.AddRange([(byte)',', .. member]);
                return Bytes.Splice(input, part.Start + part.Length, 0, many.ToArray());
            case 6: // the value of another place
                Part from = parts[random.Next(parts.Count)];
                return Bytes.Splice(input, part.Start, part.Length, input.AsSpan(from.Start, from.Length));
            case 7: // of another input, with its name
                List<Part> theirs = Parts(other);
                if (theirs.Count == 0)
                    return input;
                Part one = theirs[random.Next(theirs.Count)];
                return one.Member < one.Start == part.Member < part.Start
                    ? Bytes.Splice(input, part.Member, member.Length, other.AsSpan(one.Member, one.Start + one.Length - one.Member))
                    : Bytes.Splice(input, part.Start, part.Length, other.AsSpan(one.Start, one.Length));
            case 8: // deeper
                int depth = random.Next(8) == 0 ? random.Next(3000) : 1 + random.Next(70);
                bool objects = random.Next(2) == 0;
                byte[] open = [.. Enumerable.Repeat(objects ? "{\"a\":"u8.ToArray() : "["u8.ToArray(), depth).SelectMany(static one => one)];
                return Bytes.Splice(input, part.Start, part.Length, [.. open, .. value, .. Enumerable.Repeat((byte)(objects ? '}' : ']'), depth)]);
            case 9 when part.Member < part.Start: // another name
                return Bytes.Splice(input, part.Member + 1, 0, "x"u8);
            case 10 when value is [(byte)'-' or (>= (byte)'0' and <= (byte)'9'), ..]: // a number beside it
                _ = long.TryParse(value, out long number);
                return Bytes.Splice(input, part.Start, part.Length, Encoding.ASCII.GetBytes($"{(long)Bytes.Number(random, (ulong)number, sizeof(long))}"));
            case 10 when value is [(byte)'"', _, ..] && part.Length < 1 << 12: // a long text
                return Bytes.Splice(input, part.Start + 1, 0, Enumerable.Repeat((byte)'x', 1 + random.Next(random.Next(16) == 0 ? 1 << 17 : 200)).ToArray());
            default:
                return Bytes.Splice(input, part.Start + (part.Length / 2), 0, Values[random.Next(Values.Length)]);
        }
    }

    /// <summary>All values that can be told apart, as far as the text is JSON.</summary>
    private static List<Part> Parts(byte[] text)
    {
        var parts = new List<Part>();
        var open = new Stack<Part>();
        int member = -1;
        for (int at = 0; at < text.Length && parts.Count < 5000; at++)
        {
            switch (text[at])
            {
                case (byte)'{' or (byte)'[':
                    open.Push(new Part(member < 0 ? at : member, at, 0));
                    member = -1;
                    break;
                case (byte)'}' or (byte)']':
                    if (open.TryPop(out Part outer))
                        parts.Add(outer with { Length = at + 1 - outer.Start });
                    member = -1;
                    break;
                case (byte)',':
                    member = -1;
                    break;
                case (byte)':' or (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t':
                    break;
                default:
                    int end = End(text, at), next = end;
                    while (next < text.Length && text[next] is (byte)' ' or (byte)'\n')
                        next++;
                    if (text[at] == '"' && member < 0 && next < text.Length && text[next] == ':')
                    {
                        member = at;
                    }
                    else
                    {
                        parts.Add(new Part(member < 0 ? at : member, at, end - at));
                        member = -1;
                    }
                    at = end - 1;
                    break;
            }
        }
        return parts;
    }

    private static int End(byte[] text, int at)
    {
        if (text[at] != '"')
        {
            int length = text.AsSpan(at).IndexOfAny(",:]} \r\n\t"u8);
            return length < 0 ? text.Length : Math.Max(at + 1, at + length);
        }
        for (int i = at + 1; i < text.Length; i++)
        {
            if (text[i] == '\\')
                i++;
            else if (text[i] == '"')
                return i + 1;
        }
        return text.Length;
    }

    /// <summary>A value.</summary>
    /// <param name="Member">Where its name begins, or itself.</param>
    /// <param name="Start">Where it begins.</param>
    /// <param name="Length">Its bytes.</param>
    private readonly record struct Part(int Member, int Start, int Length);
}
