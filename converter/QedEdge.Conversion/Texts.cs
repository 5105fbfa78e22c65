using QedEdge.Evaluation;

namespace QedEdge.Conversion;

/// <summary>Texts that a conversion runs models on.</summary>
internal static class Texts
{
    /// <summary>The longest window: attention's time grows with its square, and what flows into a matrix hardly changes any more.</summary>
    private const int LongestWindow = 2048;

    /// <summary>A text's beginning as windows of the model's context, or of 2,048 tokens where that is longer.</summary>
    /// <param name="model">The model, for its tokenizer and context.</param>
    /// <param name="path">The text.</param>
    /// <param name="mostTokens">Tokens that are taken at most.</param>
    /// <exception cref="QedException">There is no tokenizer, or the text cannot be read or is empty.</exception>
    public static int[][] Windows(QedModel model, string path, int mostTokens)
    {
        if (model.Tokenizer is not { } tokenizer)
            throw new QedException($"{path}: a text cannot be read, since the checkpoint has no tokenizer.json");
        int size = Math.Min(model.Config.ContextLength, LongestWindow);
        if (size < 2)
            throw new QedException($"{path}: a model with a context of one token predicts nothing from a text");
        var windows = new List<int[]>();
        foreach (int[] window in TextWindows.Read(path, tokenizer, size))
        {
            if (mostTokens < 2)
                break;
            windows.Add(window.Length <= mostTokens ? window : window[..mostTokens]);
            mostTokens -= windows[^1].Length;
        }
        return windows.Count > 0 ? [.. windows] : throw new QedException($"{path}: holds no text");
    }
}
