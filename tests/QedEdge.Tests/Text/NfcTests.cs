using System.IO.Compression;
using System.Text;
using System.Text.Json;
using QedEdge.Text;

namespace QedEdge.Tests.Text;

/// <summary>Canonical composition, as Hugging Face's tokenizers have it: the data of Unicode 9.0.</summary>
public sealed class NfcTests
{
    private static string Folder => Path.Combine(TestData.Root, "tests", "unicode");

    /// <summary>3,000 strings of its normalizer.</summary>
    [Fact]
    public void Compose_EveryCase_IsHuggingFaces()
    {
        int count = 0;
        using var reader = new StreamReader(Open("cases.jsonl.gz"));
        while (reader.ReadLine() is { } line)
        {
            using JsonDocument document = JsonDocument.Parse(line);
            string text = document.RootElement.GetProperty("text").GetString()!;
            Assert.Equal(document.RootElement.GetProperty("nfc").GetString(), Compose(text));
            count++;
        }
        Assert.Equal(3000, count);
    }

    /// <summary>The tables, against the data that they were packed from, at every code point.</summary>
    [Fact]
    public void Tables_AreUnicodes()
    {
        using JsonDocument data = JsonDocument.Parse(Open("unicode9.json.gz"));
        JsonElement root = data.RootElement;
        for (int point = 0; point <= 0x10FFFF; point++)
        {
            string key = point.ToString(System.Globalization.CultureInfo.InvariantCulture);
            Assert.Equal(root.GetProperty("ccc").TryGetProperty(key, out JsonElement of) ? of.GetInt32() : 0, NfcTables.CombiningClass(point));
            int[] parts = root.GetProperty("decomposition").TryGetProperty(key, out JsonElement list) ? [.. list.EnumerateArray().Select(static part => part.GetInt32())] : [point];
            Assert.Equal(parts, Expand(point));
        }
        foreach (JsonElement pair in root.GetProperty("composition").EnumerateArray())
            Assert.Equal(pair[2].GetInt32(), NfcTables.Compose(pair[0].GetInt32(), pair[1].GetInt32()));
        Assert.Equal(-1, NfcTables.Compose('a', 'b'));

        static IEnumerable<int> Expand(int point) => !NfcTables.TryDecompose(point, out int first, out int second) ? [point]
            : second == 0 ? Expand(first) : Expand(first).Concat(Expand(second));
    }

    /// <summary>A run of marks costs a step for each of them, not for each pair.</summary>
    [Fact]
    public void Compose_ManyMarks_AreInOrder()
    {
        var marks = new StringBuilder("a");
        for (int i = 0; i < 100_000; i++)
            marks.Append(i % 2 == 0 ? '\u0315' : '\u0327'); // classes 232 and 202
        string composed = Compose(marks.ToString());
        Assert.Equal("a" + new string('\u0327', 50_000) + new string('\u0315', 50_000), composed);
    }

    /// <summary>What a user typed stays marked through composition: a character is typed where any part of it was.</summary>
    [Theory]
    [InlineData("e\u0301x", 1, 2, "110")] // é of e and the typed mark
    [InlineData("xe\u0301", 0, 1, "100")]
    [InlineData("\u1112\u1161\u11abz", 0, 1, "1110")]
    public void Compose_Marks_StayWithTheirCharacters(string text, int begin, int end, string expected)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        using var normalized = new NormalizedText(Normalizer.Nfc, new MarkedText(bytes, MarkedText.Marks(text, [begin..end], bytes.Length)));
        Assert.Equal(expected, string.Concat(normalized.Text.Typed.ToArray().Select(static mark => mark ? '1' : '0')));
    }

    [Theory]
    [InlineData(2, "a b", 1, 2, "a▁b", "01110")]
    [InlineData(3, "a b", 0, 1, "▁a▁b", "00010000")]
    [InlineData(3, "", 0, 0, "", "")]
    public void Spaces_AreMarks(int normalizer, string text, int begin, int end, string expected, string typed)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        using var normalized = new NormalizedText((Normalizer)normalizer, new MarkedText(bytes, MarkedText.Marks(text, [begin..end], bytes.Length)));
        Assert.Equal(expected, Encoding.UTF8.GetString(normalized.Text.Bytes));
        Assert.Equal(typed, string.Concat(normalized.Text.Typed.ToArray().Select(static mark => mark ? '1' : '0')));
    }

    private static string Compose(string text)
    {
        using var normalized = new NormalizedText(Normalizer.Nfc, new MarkedText(Encoding.UTF8.GetBytes(text)));
        return Encoding.UTF8.GetString(normalized.Text.Bytes);
    }

    private static GZipStream Open(string name) => new(File.OpenRead(Path.Combine(Folder, name)), CompressionMode.Decompress);
}
