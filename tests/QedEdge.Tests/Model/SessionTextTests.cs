using QedEdge.Conversion;
using QedEdge.Generation;

namespace QedEdge.Tests.Model;

/// <summary>A session's text for <c>await foreach</c>.</summary>
public sealed class SessionTextTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;
    private readonly QedModel _model;

    public SessionTextTests()
    {
        string path = Path.Combine(_folder, "tiny.gguf");
        CheckpointConverter.Convert(TestData.TinyQed, path, new ConversionOptions());
        _model = QedModel.Open(path);
    }

    public void Dispose()
    {
        _model.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task ItIsTheGeneratorsText()
    {
        GenerationOptions options = GenerationOptions.Of(_model) with { MaxTokens = 30 };
        options = options with { Sampling = options.Sampling with { Seed = 7 } };
        string expected = "";
        using (Session session = _model.CreateSession())
        {
            int[] prompt = _model.Tokenizer!.EncodePrompt("Once upon a time");
            var text = new GeneratedText(_model.Tokenizer, [], piece => expected += piece.ToString(), prompt);
            new Generator(session, options).Run(prompt, (id, _) => text.Append(id));
            text.End();
        }
        Assert.Equal(expected, await Text(options));
        string stop = expected.Split(' ')[5]; // a word of it
        Assert.Equal(expected[..expected.IndexOf(stop, StringComparison.Ordinal)], await Text(options with { Stops = [stop] }));
    }

    [Fact]
    public async Task WhoReadsNoFurther_EndsIt_AndTheSessionGoesOn()
    {
        const int most = 10_000_000; // an hour or so: it is read for a moment
        using Session session = _model.CreateSession(new SessionOptions { ContextLength = 64, Overflow = ContextOverflow.Slide });
        await foreach (string piece in session.GenerateAsync("Once", GenerationOptions.Of(_model) with { MaxTokens = most, IgnoreEos = true }, TestContext.Current.CancellationToken))
        {
            Assert.NotEqual("", piece);
            break;
        }
        Assert.InRange(session.Position, 1, most - 1);
        session.Rollback(0);
        session.Feed([1]); // nobody else uses it
    }

    [Fact]
    public async Task WhatGoesWrong_IsThrownWhereItIsRead()
    {
        using Session session = _model.CreateSession(new SessionOptions { ContextLength = 4 });
        await Assert.ThrowsAsync<ContextLengthException>(async () => await session.GenerateAsync("a text that does not fit into four tokens").ToListAsync());
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await session.GenerateAsync("a", cancellation: cancelled.Token).ToListAsync());
    }

    private async Task<string> Text(GenerationOptions options)
    {
        using Session session = _model.CreateSession();
        return string.Concat(await session.GenerateAsync("Once upon a time", options, TestContext.Current.CancellationToken).ToListAsync(TestContext.Current.CancellationToken));
    }
}
