using System.Text;
using CsCheck;
using QedEdge.Cli.LineEditing;

namespace QedEdge.Tests.LineEditing;

/// <summary>What was typed before, in a session and in a file.</summary>
public sealed class HistoryTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;
    private readonly string _path;

    public HistoryTests() => _path = Path.Combine(_folder, "state", "qed", "chat-history");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void UpAndDown_GoThroughWhatWasTyped_AndComeBackToWhatIsBeing()
    {
        var history = new LineHistory(["one", "two"]);
        Assert.Equal(("two", "one", null), (history.Back("now"), history.Back("two"), history.Back("one")));
        Assert.Equal(("two", "now", null), (history.Forward(), history.Forward(), history.Forward()));
        Assert.True(history.Add("three"));
        Assert.False(history.Add("three"));
        Assert.False(history.Add(""));
        Assert.Equal("three", history.Back(""));
    }

    [Fact]
    public void AnyLines_AreReadAsTheyWereWritten() => Gen.OneOf(Gen.String, Gen.Char["\\n\nab"].Array[0, 8].Select(units => new string(units))).Array[0, 6].Sample(lines =>
    {
        string[] texts = [.. lines.Select(line => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(line)))]; // no lone surrogates: a terminal sends none
        string path = Path.Combine(_folder, Guid.NewGuid().ToString(), "history");
        foreach (string text in texts)
            new HistoryFile(path).Add(text);
        Assert.Equal(texts, new HistoryFile(path).Read());
    }, iter: 50);

    [Fact]
    public void TheFile_IsItsOwnersAlone()
    {
        new HistoryFile(_path).Add("secret");
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_path));
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(Path.GetDirectoryName(_path)!));
        }
        Assert.Equal(["chat-history"], Directory.EnumerateFiles(Path.GetDirectoryName(_path)!).Select(Path.GetFileName)); // nothing beside it
    }

    [Fact]
    public void TwoSessions_KeepBothTheirLines()
    {
        var first = new HistoryFile(_path);
        var second = new HistoryFile(_path);
        first.Add("a");
        second.Add("b");
        first.Add("c");
        Assert.Equal(["a", "b", "c"], second.Read());
    }

    [Theory]
    [Limit(typeof(RequestLimits), nameof(RequestLimits.HistoryBytes))]
    public void TheOldest_GoWhereItWouldBeTooLong(LimitTrial trial)
    {
        var history = new HistoryFile(_path);
        history.Add("first");
        string second = new('a', trial.Count - "first\n\n".Length);
        history.Add(second);
        Assert.Equal(trial.Length > trial.Most ? [second] : ["first", second], history.Read());
        Assert.InRange(new FileInfo(_path).Length, 1, trial.Most);
        history.Add(new string('c', (int)trial.Most)); // too long by its line end: nothing changes
        Assert.Equal(second, history.Read()[^1]);
    }

    [Fact]
    public void AFileThatIsNone_OrCannotBeWritten_IsNoError()
    {
        var nowhere = new HistoryFile("/proc/qed/chat-history");
        nowhere.Add("a");
        Assert.Empty(nowhere.Read());
        Directory.CreateDirectory(_path);
        var folder = new HistoryFile(_path);
        folder.Add("a");
        Assert.Empty(folder.Read());
        Directory.Delete(_path);
        File.WriteAllBytes(_path, [.. "good\n"u8, 0xFF, (byte)'\n', .. "cut off"u8]);
        Assert.Equal(["good", "\uFFFD"], folder.Read());
        File.WriteAllText(_path, new string('x', RequestLimits.HistoryBytes) + "\nlast\n");
        Assert.Equal(["last"], folder.Read());
    }
}
