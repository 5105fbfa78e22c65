using QedEdge.Kernels;

namespace QedEdge.Evaluation;

/// <summary>Logits as log-probabilities, in double precision: the same on every machine.</summary>
public static class LogSoftmax
{
    /// <summary>log Σ exp(logit), which is to be taken off each logit, and the first largest logit's index.</summary>
    /// <param name="logits">Logits of one position [vocabulary].</param>
    public static (double LogSum, int Top) Of(ReadOnlySpan<float> logits)
    {
        int top = 0;
        for (int i = 1; i < logits.Length; i++)
        {
            if (logits[i] > logits[top])
                top = i;
        }
        double sum = 0;
        foreach (float logit in logits)
            sum += PortableMath.Exp((double)logit - logits[top]);
        return (logits[top] + PortableMath.Log(sum), top);
    }

    /// <summary>Finds the most likely tokens.</summary>
    /// <param name="logits">Logits [vocabulary].</param>
    /// <param name="ids">Receives the tokens, the most likely first, of equals the lowest id first; at most as many as there are logits.</param>
    public static void Top(ReadOnlySpan<float> logits, Span<int> ids)
    {
        int count = 0;
        for (int id = 0; id < logits.Length; id++)
        {
            if (count == ids.Length && (count == 0 || logits[id] <= logits[ids[count - 1]]))
                continue;
            int at = count == ids.Length ? count - 1 : count++;
            for (; at > 0 && logits[id] > logits[ids[at - 1]]; at--)
                ids[at] = ids[at - 1];
            ids[at] = id;
        }
    }
}
