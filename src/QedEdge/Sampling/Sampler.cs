using QedEdge.Kernels;

namespace QedEdge.Sampling;

/// <summary>Chooses tokens from logits. All memory is allocated at construction; every operation is correctly rounded, so all machines choose alike.</summary>
public sealed class Sampler
{
    // One object for all sorts: a lambda or a struct would be wrapped anew for each token.
    private static readonly IComparer<double> LargestFirst = Comparer<double>.Create(static (a, b) => b.CompareTo(a)), SmallestFirst = Comparer<double>.Default;

    private readonly SamplingOptions _options;
    private readonly KeyValuePair<int, float>[] _biases;
    private readonly float[] _logits;
    private readonly int[] _ids;         // candidates
    private readonly double[] _weights;  // their unnormalized probabilities
    private readonly double[] _distances; // from the entropy, for typical sampling
    private readonly float[] _heap;      // the k largest logits seen, smallest first
    private readonly int[] _counts;      // occurrences in the penalty window, by id
    private readonly int[] _window;      // the last tokens, a ring
    private int _accepted;
    private RandomSource _random;

    /// <summary>A sampler for a vocabulary.</summary>
    /// <param name="options">How tokens are chosen.</param>
    /// <param name="vocabSize">Logits of a position.</param>
    /// <exception cref="InvalidOptionException">An option is out of range.</exception>
    public Sampler(SamplingOptions options, int vocabSize) : this(options, vocabSize, int.MaxValue) { }

    /// <summary>A sampler that is told of a limited number of tokens.</summary>
    /// <param name="options">How tokens are chosen.</param>
    /// <param name="vocabSize">Logits of a position.</param>
    /// <param name="mostTokens">Tokens that there can be: the penalties keep no more.</param>
    /// <exception cref="InvalidOptionException">An option is out of range.</exception>
    internal Sampler(SamplingOptions options, int vocabSize, int mostTokens)
    {
        options.Validate();
        int forbidden = 0;
        foreach ((int id, float bias) in options.LogitBias ?? new Dictionary<int, float>())
        {
            if ((uint)id >= (uint)vocabSize)
                throw new InvalidOptionException($"a logit bias is for token id {id}, which is outside the vocabulary of {vocabSize} entries");
            forbidden += float.IsNegativeInfinity(bias) ? 1 : 0;
        }
        if (forbidden == vocabSize)
            throw NoneLeft();
        _options = options;
        _biases = [.. options.LogitBias ?? new Dictionary<int, float>()];
        _logits = new float[vocabSize];
        _ids = new int[vocabSize];
        _weights = new double[vocabSize];
        _distances = new double[options.TypicalP < 1f ? vocabSize : 0];
        _heap = new float[Math.Min(options.TopK, vocabSize)];
        _counts = new int[vocabSize];
        _window = new int[HasPenalties ? Math.Min(options.PenaltyWindow, mostTokens) : 0];
        _random = new RandomSource(options.Seed);
    }

    private bool HasPenalties => _options.RepeatPenalty != 1f || _options.PresencePenalty != 0f || _options.FrequencyPenalty != 0f;

    /// <summary>Adds a token that was fed or chosen to the penalties' window.</summary>
    /// <param name="id">A token of the prompt or one that was chosen.</param>
    public void Accept(int id)
    {
        if (_window.Length == 0)
            return;
        ref int slot = ref _window[_accepted % _window.Length];
        if (_accepted >= _window.Length)
            _counts[slot]--;
        slot = id;
        _counts[id]++;
        _accepted++;
    }

    /// <summary>Chooses a token; the logits [VocabSize] are not changed.</summary>
    /// <param name="logits">Logits of the last position [vocabulary]; they stay as they are. Negative infinity forbids a token, as a bias of it does.</param>
    /// <exception cref="InvalidOptionException">Logits and biases together forbid every token.</exception>
    public int Next(ReadOnlySpan<float> logits)
    {
        logits.CopyTo(_logits);
        foreach ((int id, float bias) in _biases)
            _logits[id] = IsForbidden(bias) || IsForbidden(_logits[id]) ? float.NegativeInfinity : Finite(_logits[id] + bias);
        Penalize();
        if (_options.Temperature == 0f)
            return ArgMax(_logits) is var best && !IsForbidden(_logits[best]) ? best : throw NoneLeft();

        int count = Candidates();
        if (count == 0)
            throw NoneLeft();
        float max = float.NegativeInfinity;
        for (int i = 0; i < count; i++)
            max = Math.Max(max, _logits[_ids[i]]);
        double total = 0;
        for (int i = 0; i < count; i++)
            total += _weights[i] = Weight(_ids[i], max);
        if (_options.TopP < 1f)
            count = Nucleus(count, ref total);
        if (_options.MinP > 0f)
            count = DropUnlikely(count, ref total);
        if (_options.TypicalP < 1f)
            count = Typical(count, max, ref total);
        return Draw(count, total);
    }

    /// <summary>The index of the largest value, the lowest among equals.</summary>
    /// <param name="values">At least one.</param>
    public static int ArgMax(ReadOnlySpan<float> values) => LogitScan.ArgMax(values);

    private void Penalize()
    {
        int seen = Math.Min(_accepted, _window.Length);
        for (int i = 0; i < seen; i++)
        {
            int id = _window[i], count = _counts[id];
            if (count == 0)
                continue; // already done: an id counts once
            float logit = _logits[id];
            _counts[id] = 0;
            if (IsForbidden(logit))
                continue;
            logit = Finite(logit > 0f ? logit / _options.RepeatPenalty : logit * _options.RepeatPenalty);
            _logits[id] = Finite(Finite(logit - _options.PresencePenalty) - Finite(count * _options.FrequencyPenalty));
        }
        for (int i = 0; i < seen; i++)
            _counts[_window[i]]++;
    }

    private static bool IsForbidden(float logit) => float.IsNegativeInfinity(logit);

    private static InvalidOptionException NoneLeft() => new("no token is left to draw: the logit biases forbid all of the vocabulary");

    /// <summary>The nearest finite value: the difference of two infinities would be no number.</summary>
    private static float Finite(float x) => Math.Clamp(x, -float.MaxValue, float.MaxValue);

    /// <summary>Ids whose logit is at least the k-th largest and that are not forbidden, in order of id.</summary>
    private int Candidates()
    {
        float threshold = float.NegativeInfinity;
        if (_heap.Length > 0 && _heap.Length < _logits.Length)
        {
            _logits.AsSpan(0, _heap.Length).CopyTo(_heap);
            for (int i = _heap.Length / 2 - 1; i >= 0; i--)
                SiftDown(i);
            for (int id = _heap.Length; (id = LogitScan.Next(_logits, id, MathF.BitIncrement(_heap[0]))) < _logits.Length; id++)
            {
                _heap[0] = _logits[id];
                SiftDown(0);
            }
            threshold = _heap[0];
        }
        threshold = Math.Max(threshold, -float.MaxValue); // what is below is forbidden
        int count = 0;
        for (int id = 0; (id = LogitScan.Next(_logits, id, threshold)) < _logits.Length; id++)
            _ids[count++] = id;
        return count;
    }

    private void SiftDown(int i)
    {
        while (true)
        {
            int child = 2 * i + 1;
            if (child >= _heap.Length)
                return;
            if (child + 1 < _heap.Length && _heap[child + 1] < _heap[child])
                child++;
            if (_heap[i] <= _heap[child])
                return;
            (_heap[i], _heap[child]) = (_heap[child], _heap[i]);
            i = child;
        }
    }

    /// <summary>The most likely candidates, the token that crosses top-p included; equals in order of id.</summary>
    private int Nucleus(int count, ref double total)
    {
        // Together, tokens less likely than this are half of what lies beyond top-p: the sum gets there before, and only the others need be sorted.
        double least = (1 - (double)_options.TopP) * total / count / 2;
        int likely = 0;
        for (int i = 0; i < count; i++)
        {
            if (_weights[i] < least)
                continue;
            _ids[likely] = _ids[i];
            _weights[likely++] = _weights[i];
        }
        count = likely;
        SortIds(_weights.AsSpan(0, count), LargestFirst);
        double limit = _options.TopP * total, sum = 0;
        int kept = 0;
        while (kept < count && sum < limit)
            sum += _weights[kept++];
        total = sum;
        return kept;
    }

    /// <summary>The candidates that are as surprising as the distribution is on average, the one that crosses the limit included.</summary>
    private int Typical(int count, float max, ref double total)
    {
        double entropy = 0;
        for (int i = 0; i < count; i++)
        {
            double p = _weights[i] / total;
            entropy -= p > 0 ? p * PortableMath.Log(p) : 0;
        }
        for (int i = 0; i < count; i++)
        {
            double p = _weights[i] / total;
            _distances[i] = p > 0 ? Math.Abs(-PortableMath.Log(p) - entropy) : double.PositiveInfinity;
        }
        SortIds(_distances.AsSpan(0, count), SmallestFirst);
        double limit = _options.TypicalP * total, sum = 0;
        int kept = 0;
        while (kept < count && sum < limit)
        {
            _weights[kept] = Weight(_ids[kept], max);
            sum += _weights[kept++];
        }
        total = sum;
        return kept;
    }

    /// <summary>The unnormalized probability of a token.</summary>
    private double Weight(int id, float max) => PortableMath.Exp(((double)_logits[id] - max) / _options.Temperature);

    /// <summary>Sorts candidates by keys, equals by id: the sort is not stable, and all machines must cut at the same place.</summary>
    private void SortIds(Span<double> keys, IComparer<double> order)
    {
        keys.Sort(_ids.AsSpan(0, keys.Length), order);
        for (int i = 0; i < keys.Length;)
        {
            int end = i + 1;
            while (end < keys.Length && keys[end] == keys[i])
                end++;
            _ids.AsSpan(i, end - i).Sort();
            i = end;
        }
    }

    private int DropUnlikely(int count, ref double total)
    {
        // The largest weight is exp(0) = 1, so the share is the limit itself.
        int kept = 0;
        double sum = 0;
        for (int i = 0; i < count; i++)
        {
            if (_weights[i] < _options.MinP)
                continue;
            _ids[kept] = _ids[i];
            sum += _weights[kept++] = _weights[i];
        }
        total = sum;
        return kept;
    }

    private int Draw(int count, double total)
    {
        double target = _random.NextDouble() * total, sum = 0;
        for (int i = 0; i < count; i++)
        {
            sum += _weights[i];
            if (target < sum)
                return _ids[i];
        }
        return _ids[count - 1];
    }
}
