using System.Text.Json;

namespace QedEdge.Json;

/// <summary>Where a JSON text is wrong, as an editor shows it: lines and characters counted from 1, where System.Text.Json counts lines and bytes from 0.</summary>
internal static class JsonPlace
{
    /// <summary>What is wrong, and where: the column of a text of one line, line and column of another.</summary>
    /// <param name="error">What the reader said.</param>
    /// <param name="utf8">The text it read.</param>
    public static string Describe(JsonException error, ReadOnlySpan<byte> utf8)
    {
        string problem = error.Message.Split(" LineNumber:")[0].Split(" Path:")[0].TrimEnd('.');
        long line = error.LineNumber ?? 0;
        ReadOnlySpan<byte> rest = utf8;
        for (long i = 0; i < line; i++)
            rest = rest[(rest.IndexOf((byte)'\n') + 1)..];
        int column = 1;
        foreach (byte b in rest[..(int)Math.Min(rest.Length, error.BytePositionInLine ?? 0)])
            column += (b & 0xC0) == 0x80 ? 0 : 1; // not those that continue a character
        return $"{problem} ({(utf8.Contains((byte)'\n') ? $"line {line + 1}, column {column}" : $"column {column}")})";
    }
}
