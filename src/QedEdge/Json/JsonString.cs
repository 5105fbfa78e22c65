using System.Globalization;
using System.Text;
using System.Text.Json;

namespace QedEdge.Json;

/// <summary>Texts in JSON.</summary>
internal static class JsonString
{
    /// <summary>The text of a string or a member's name.</summary>
    /// <param name="reader">A reader that stands there.</param>
    public static string Read(Utf8JsonReader reader)
    {
        try
        {
            return reader.GetString()!;
        }
        catch (InvalidOperationException)
        {
            return Mended(reader.ValueSpan); // half of a surrogate pair, which JSON may hold and .NET does not read
        }
    }

    /// <summary>The text of a string that was checked; half of a surrogate pair is U+FFFD, as in Hugging Face's tools.</summary>
    private static string Mended(ReadOnlySpan<byte> escaped)
    {
        string raw = Encoding.UTF8.GetString(escaped);
        var text = new StringBuilder();
        for (int i = 0; i < raw.Length; i++)
        {
            if (raw[i] != '\\')
            {
                text.Append(raw[i]);
                continue;
            }
            char escape = raw[++i];
            text.Append(escape switch
            {
                'b' => '\b',
                'f' => '\f',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => (char)ushort.Parse(raw.AsSpan(i + 1, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture),
                _ => escape,
            });
            i += escape == 'u' ? 4 : 0;
        }
        return Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text.ToString()));
    }
}
