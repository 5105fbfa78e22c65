using System.Numerics;
using QedEdge.Kernels;

namespace QedEdge.Evaluation;

/// <summary>How well a model predicts a text, token by token, in constant memory. Sums are in order: the same on every machine.</summary>
public sealed class PerplexityStatistics
{
    private const int StepsPerOctave = 4;
    private readonly List<Bucket> _positions = [];
    private double _sum, _sumOfSquares;

    /// <summary>Tokens scored.</summary>
    public long Count { get; private set; }

    /// <summary>Bytes of text of the tokens scored; special tokens have none, the unknown one stands for one.</summary>
    public long Bytes { get; private set; }

    /// <summary>Windows they were in.</summary>
    public long Windows { get; internal set; }

    /// <summary>Mean −log p, in nats.</summary>
    public double Mean => _sum / Count;

    /// <summary>The standard error of <see cref="Mean"/>, the tokens taken as independent.</summary>
    public double MeanError => Count < 2 ? double.NaN : Math.Sqrt(Math.Max(0, (_sumOfSquares - _sum * _sum / Count) / (Count - 1)) / Count);

    /// <summary>e to the <see cref="Mean"/>.</summary>
    public double Perplexity => PortableMath.Exp(Mean);

    /// <summary>The standard error of <see cref="Perplexity"/>, to first order.</summary>
    public double PerplexityError => Perplexity * MeanError;

    /// <summary>Bits for each byte of text: what models with different tokenizers can be compared by.</summary>
    public double BitsPerByte => _sum / PortableMath.Log(2) / Bytes;

    /// <summary>The mean by position in the window, four steps an octave, those without tokens left out.</summary>
    public IEnumerable<PositionLoss> ByPosition => _positions.Where(bucket => bucket.Count > 0).Select(bucket => bucket.Loss);

    /// <summary>Adds a token.</summary>
    /// <param name="position">Its position in the window, at least 1: as many tokens were before it.</param>
    /// <param name="logProbability">log p, in nats.</param>
    /// <param name="bytes">Bytes of its text.</param>
    public void Add(int position, double logProbability, int bytes)
    {
        Count++;
        Bytes += bytes;
        _sum -= logProbability;
        _sumOfSquares += logProbability * logProbability;
        int octave = BitOperations.Log2((uint)position), step = (int)((long)(position - (1 << octave)) * StepsPerOctave >> octave);
        int index = octave * StepsPerOctave + step;
        while (_positions.Count <= index)
            _positions.Add(new Bucket());
        _positions[index].Add(position, -logProbability);
    }

    private sealed class Bucket
    {
        private int _first, _last;
        private double _sum, _sumOfSquares;

        public long Count { get; private set; }

        public PositionLoss Loss => new(_first, _last, Count, _sum / Count, Count < 2 ? double.NaN : Math.Sqrt(Math.Max(0, (_sumOfSquares - _sum * _sum / Count) / (Count - 1)) / Count));

        public void Add(int position, double loss)
        {
            _first = Count == 0 ? position : Math.Min(_first, position);
            _last = Math.Max(_last, position);
            Count++;
            _sum += loss;
            _sumOfSquares += loss * loss;
        }
    }
}

/// <summary>The loss of tokens at some positions.</summary>
/// <param name="First">The lowest position.</param>
/// <param name="Last">The highest.</param>
/// <param name="Count">Tokens.</param>
/// <param name="Mean">Mean −log p, in nats.</param>
/// <param name="Error">Its standard error; not a number for one token.</param>
public readonly record struct PositionLoss(int First, int Last, long Count, double Mean, double Error);
