using System.Text;
using System.Text.Json;
using QedEdge.Conversion;
using QedEdge.Conversion.Checkpoints;
using QedEdge.Gguf;
using QedEdge.Text;

namespace QedEdge.Tests.Text;

/// <summary>The ids that Hugging Face's tokenizers give, on every stored case, by every way into the tokenizer.</summary>
public sealed class TokenizerCasesTests
{
    public static TheoryData<string> Folders => [.. TestData.Tokenizers.Append(TestData.TinyQed).Select(folder => Path.GetRelativePath(TestData.Root, folder))];

    [Theory]
    [MemberData(nameof(Folders))]
    public void Encode_EveryCase_GivesTheReferencesIds(string folder)
    {
        TokenizerData data = Read(folder);
        var tokenizer = new Tokenizer(data);
        Check(folder, text =>
        {
            var ids = new List<int>();
            tokenizer.Encode(text, ids);
            return ids;
        });
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void Package_EveryCase_AgreesAsSecondOpinion(string folder)
    {
        var check = new TokenizerCrossCheck(Read(folder));
        Check(folder, text => [.. check.PackageIds(text)]);
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void Encode_FromAFilesMetadata_GivesTheReferencesIds(string folder)
    {
        string directory = Directory.CreateTempSubdirectory("qed").FullName;
        try
        {
            foreach (FileLayout layout in Enum.GetValues<FileLayout>())
            {
                string path = Path.Combine(directory, $"{layout}.gguf");
                var writer = new GgufWriter();
                writer.Add(GgufKeys.Architecture, "qed");
                TokenizerConversion.Write(writer, Read(folder), layout);
                using (FileStream stream = File.Create(path))
                {
                    writer.Begin(stream);
                    writer.End();
                }
                using GgufFile file = GgufFile.Open(path);
                Tokenizer tokenizer = Tokenizer.Open(file)!;
                Check(folder, text =>
                {
                    var ids = new List<int>();
                    tokenizer.Encode(text, ids);
                    return ids;
                });
            }
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void StreamingDecoder_GivesWhatDecodingAtOnceGives(string folder)
    {
        var tokenizer = new Tokenizer(Read(folder));
        var decoder = new StreamingDecoder(tokenizer);
        var random = new Random(7);
        for (int round = 0; round < 2000; round++)
        {
            int[] ids = [.. Enumerable.Range(0, random.Next(1, 20)).Select(_ => random.Next(tokenizer.VocabSize))];
            var bytes = new List<byte>();
            var text = new StringBuilder();
            foreach (int id in ids)
            {
                if (!tokenizer.IsSpecial(id))
                    bytes.AddRange(tokenizer.Piece(id));
                string shown = decoder.Append(id).ToString();
                Assert.False(shown.Length > 0 && char.IsHighSurrogate(shown[^1]), "half a character was shown");
                text.Append(shown);
            }
            text.Append(decoder.Flush());
            Assert.Equal(Encoding.UTF8.GetString([.. bytes]), text.ToString());
            Assert.Equal(text.ToString(), tokenizer.Decode(ids));
        }
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void Encode_AWordOf100000Characters_EndsAndDecodesBack(string folder)
    {
        var tokenizer = new Tokenizer(Read(folder));
        string word = string.Concat(Enumerable.Range(0, 100_000).Select(i => (char)('a' + i * 7 % 26)));
        var ids = new List<int>();
        tokenizer.Encode(word, ids);
        Assert.Equal(word, tokenizer.Decode(ids.ToArray()));
    }

    private static TokenizerData Read(string folder)
    {
        string path = Path.Combine(TestData.Root, folder, "tokenizer.json");
        using JsonDocument document = CheckpointJson.ReadObject(path, CheckpointLimits.TokenizerBytes);
        return TokenizerJson.Read(document.RootElement, path, 0);
    }

    private static void Check(string folder, Func<string, List<int>> encode)
    {
        int count = 0;
        foreach ((string text, int[] ids) in Cases(Path.Combine(TestData.Root, folder)))
        {
            List<int> actual = encode(text);
            if (!actual.SequenceEqual(ids))
                Assert.Fail($"'{text}': [{string.Join(",", actual)}] instead of [{string.Join(",", ids)}]");
            count++;
        }
        Assert.True(count > 100, $"only {count} cases");
    }

    private static IEnumerable<(string Text, int[] Ids)> Cases(string folder)
    {
        string lines = Path.Combine(folder, "cases.jsonl");
        IEnumerable<string> objects = File.Exists(lines) ? File.ReadLines(lines)
            : JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "tokenizer-cases.json"))).RootElement.EnumerateArray().Select(e => e.GetRawText());
        foreach (string line in objects)
        {
            using JsonDocument document = JsonDocument.Parse(line);
            JsonElement root = document.RootElement;
            string text = root.TryGetProperty("utf16le_base64", out JsonElement raw)
                ? new string(System.Runtime.InteropServices.MemoryMarshal.Cast<byte, char>(raw.GetBytesFromBase64()))
                : root.GetProperty("text").GetString()!;
            yield return (text, [.. root.GetProperty("ids").EnumerateArray().Select(e => e.GetInt32())]);
        }
    }
}
