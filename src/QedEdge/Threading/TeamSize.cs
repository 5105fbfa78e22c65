using System.Diagnostics;

namespace QedEdge.Threading;

/// <summary>
/// How many members of a team should share the next piece of work. If the caller sleeps at barriers for more than 1 / n of the
/// time of n threads, n − 1 without waiting would be faster: some thread is being preempted. One is dropped then, and tried again after a while.
/// </summary>
internal sealed class TeamSize
{
    private static readonly long Window = Stopwatch.Frequency / 200;       // 5 ms of work before a judgement
    private static readonly long ShortestPause = Stopwatch.Frequency / 10; // before a member is tried again
    private static readonly long LongestPause = Stopwatch.Frequency * 2;

    private readonly int _full;
    private int _size;
    private long _elapsed;
    private long _slept;
    private long _pause = ShortestPause;
    private long _tryAgain;
    private bool _trying; // a member came back and was not judged yet

    /// <summary>A team of <paramref name="full"/>, all of them at first.</summary>
    public TeamSize(int full) => _size = _full = full;

    /// <summary>Members for the next piece of work.</summary>
    public int Next(long now)
    {
        if (_size < _full && now >= _tryAgain && !_trying)
        {
            Start(_size + 1);
            _trying = true;
        }
        return _size;
    }

    /// <summary>What the piece that ended now took, and for how long the caller slept in it.</summary>
    public void Report(long now, long elapsed, long slept)
    {
        _elapsed += elapsed;
        _slept += slept;
        if (_elapsed < Window)
            return;
        _trying = false;
        if (_size > 1 && _slept * _size > _elapsed)
        {
            Start(_size - 1);
            _tryAgain = now + _pause;
            _pause = Math.Min(2 * _pause, LongestPause);
            return;
        }
        if (_size == _full)
            _pause = ShortestPause;
        Start(_size);
    }

    private void Start(int size)
    {
        _size = size;
        _elapsed = _slept = 0;
    }
}
