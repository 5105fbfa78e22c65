using System.Text;
using QedEdge.Evaluation;
using QedEdge.Tests.Conversion;
using QedEdge.Text;

namespace QedEdge.Tests.Evaluation;

/// <summary>How a text file becomes windows of tokens.</summary>
public sealed class TextWindowsTests : IDisposable
{
    private readonly CheckpointFolder _folder = new();

    private QedModel? _model; // whose tokenizer uses its file in place

    public void Dispose()
    {
        _model?.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Documents_EndAtMarks_AndAreCutIntoWindowsThatOverlapByOneToken()
    {
        Tokenizer tokenizer = TinyTokenizer();
        List<int> first = Ids("Once upon a time\nthere was a king"), second = Ids("a <|king|> in a line\n\n");
        int[][] windows = Read("\uFEFFOnce upon a time\r\nthere was a king\r\n<|story|>\r\na <|king|> in a line\n\n\n<|endoftext|>\n<|x|>\n", 5);
        int[][] expected = [.. Cut(first), .. Cut(second)];
        Assert.Equal(expected.Length, windows.Length);
        for (int i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], windows[i]);

        List<int> Ids(string text)
        {
            var ids = new List<int>();
            tokenizer.Encode(text, ids, EncodeOptions.AddBos | EncodeOptions.AddEos);
            return ids;
        }

        static IEnumerable<int[]> Cut(List<int> ids)
        {
            for (int begin = 0; begin + 1 < ids.Count; begin += 4)
                yield return [.. ids.Skip(begin).Take(5)];
        }

        int[][] Read(string text, int size)
        {
            File.WriteAllText(_folder["text"], text, new UTF8Encoding(false));
            return [.. TextWindows.Read(_folder["text"], tokenizer, size)];
        }
    }

    [Fact]
    public void ALongTextWithoutMarks_IsCutAtALineEnd()
    {
        Tokenizer tokenizer = TinyTokenizer();
        File.WriteAllText(_folder["long"], string.Concat(Enumerable.Repeat("Once upon a time there was a king.\n", 40_000)));
        int documents = TextWindows.Read(_folder["long"], tokenizer, 1 << 20).Count();
        Assert.Equal(2, documents);
    }

    [Fact]
    public void ALineWithoutEnd_IsRefusedAtItsLimit()
    {
        using (FileStream file = File.Create(_folder["line"]))
            file.SetLength(RequestLimits.TextBytes + 1L);
        string message = Assert.Throws<QedException>(() => TextWindows.Read(_folder["line"], TinyTokenizer(), 64).First()).Message;
        Assert.Contains($"has a line of more than {RequestLimits.TextBytes} characters", message);
    }

    private Tokenizer TinyTokenizer()
    {
        QedEdge.Conversion.CheckpointConverter.Convert(TestData.TinyQed, _folder["model"], new QedEdge.Conversion.ConversionOptions());
        _model = QedModel.Open(_folder["model"]);
        return _model.Tokenizer!;
    }
}
