namespace QedEdge.Tests;

public sealed class QedExceptionTests
{
    [Fact]
    public void Message_OfWhateverItQuotes_IsOneLine() =>
        Assert.Equal(@"a b\u001b[2J\u0000 c 😀", new QedException("a\r\nb\u001b[2J\u0000 c 😀").Message);

    [Fact]
    public void Message_ThatIsTooLong_KeepsPlaceAndRemedy()
    {
        string message = new QedException($"file.json: {new string('x', 100_000)}; convert it again").Message;
        Assert.Equal(1000, message.Length);
        Assert.StartsWith("file.json: x", message, StringComparison.Ordinal);
        Assert.EndsWith("x; convert it again", message, StringComparison.Ordinal);
    }
}
