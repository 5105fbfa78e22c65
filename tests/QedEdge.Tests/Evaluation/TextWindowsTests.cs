using System.Text;
using QedEdge.Evaluation;
using QedEdge.Tests.Conversion;
using QedEdge.Tests.Text;
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

    /// <summary>What stands around a document is what the model's files say: QED's ends, Llama's begins alone.</summary>
    [Theory]
    [InlineData("qed", true, true)]
    [InlineData("llama", true, false)]
    [InlineData("llama", false, false)]
    public void Documents_HaveTheTokensAroundThem_ThatTheModelWants(string architecture, bool begins, bool ends)
    {
        using TokenizerFile file = TokenizerFile.Write(RealTokenizers.Data("stories260K") with { BosId = 1, EosId = 2, AddBos = begins }, QedEdge.Conversion.FileLayout.Plain, architecture);
        File.WriteAllText(_folder["text"], "Once upon a time\n");
        int[] ids = TextWindows.Read(_folder["text"], Tokenizer.Open(file.File)!, 64).Single();
        Assert.Equal((begins, ends), (ids[0] == 1, ids[^1] == 2));
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
