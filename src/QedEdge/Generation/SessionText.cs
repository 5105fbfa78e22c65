using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace QedEdge.Generation;

/// <summary>Text from a session, for programs that want nothing else.</summary>
public static class SessionText
{
    /// <summary>Continues a text.</summary>
    /// <param name="session">The session, which nobody else uses meanwhile; what it holds stays before the prompt.</param>
    /// <param name="prompt">The text; special tokens in it count.</param>
    /// <param name="options">How tokens are chosen, and what ends the text; null is what the model's file asks for.</param>
    /// <param name="cancellation">Ends the work between two tokens.</param>
    /// <returns>What follows, piece by piece as it is generated, no half characters and nothing of a stop text. Who reads no further ends the work.</returns>
    /// <exception cref="QedException">The model has no tokenizer.</exception>
    /// <exception cref="ContextLengthException">The prompt does not fit.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static async IAsyncEnumerable<string> GenerateAsync(this Session session, string prompt, GenerationOptions? options = null, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        QedModel model = session.Model;
        if (model.Tokenizer is not { } tokenizer)
            throw model.TokenizerProblem ?? new QedException($"{model.File.Name} has no tokenizer: feed token ids to a {nameof(Generator)}");
        GenerationOptions chosen = options ?? GenerationOptions.Of(model);
        int[] ids = tokenizer.EncodePrompt(prompt);
        var pieces = Channel.CreateUnbounded<string>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        Task work = Task.Run(Generate, CancellationToken.None);
        try
        {
            await foreach (string piece in pieces.Reader.ReadAllAsync(CancellationToken.None).ConfigureAwait(false))
                yield return piece;
        }
        finally
        {
            await ended.CancelAsync().ConfigureAwait(false);
            await work.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        await work.ConfigureAwait(false);
        cancellation.ThrowIfCancellationRequested();

        void Generate()
        {
            try
            {
                var text = new GeneratedText(tokenizer, chosen.Stops, Show, ids);
                new Generator(session, chosen).Run(ids, (id, _) => text.Append(id), ended.Token);
                text.End();
            }
            finally
            {
                pieces.Writer.Complete();
            }
        }

        void Show(ReadOnlySpan<char> piece)
        {
            if (!piece.IsEmpty)
                pieces.Writer.TryWrite(piece.ToString());
        }
    }
}
