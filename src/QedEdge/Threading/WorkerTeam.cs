namespace QedEdge.Threading;

/// <summary>Work that all members of a team carry out together, meeting at <see cref="WorkerTeam.Barrier"/>.</summary>
internal interface ITeamWork
{
    /// <summary>One member's share. Every member must reach the same barriers.</summary>
    /// <param name="worker">0 .. team size − 1; 0 is the caller's thread.</param>
    void Execute(int worker);
}

/// <summary>
/// A fixed team of threads that run one piece of work at a time together with the caller. Between pieces and at barriers a
/// thread first spins, since the next step is mostly microseconds away, then sleeps: so an idle session costs nothing, and on a
/// busy machine the processor goes to whoever is waited for. It never merely yields: a processor shared with another program
/// would be gone for that program's whole time slice (docs/performance.md). Nothing is allocated after construction.
/// </summary>
internal sealed class WorkerTeam : IDisposable
{
    // A spin is about 40 ns. Members reach a barrier microseconds apart; between tokens the caller samples and prints.
    private const int BarrierSpins = 1_000;
    private const int RoundSpins = 10_000;

    private readonly Thread[] _threads;
    private readonly Lock _entry = new();
    private readonly object _door = new();
    private readonly bool _crowded; // more members than processors: whoever spins keeps another from working
    private ITeamWork? _work;
    private volatile Exception? _fault;
    private volatile int _round;      // counts pieces of work; a change starts the members
    private volatile int _phase;      // counts barriers passed
    private volatile int _sleeping;
    private volatile bool _stop;
    private volatile int _running;    // members still at work
    private int _arrived;

    /// <summary>A team of <paramref name="size"/> including the caller: size − 1 threads are started.</summary>
    public WorkerTeam(int size)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        Size = size;
        _crowded = size > Environment.ProcessorCount;
        _threads = new Thread[size - 1];
        for (int i = 0; i < _threads.Length; i++)
        {
            int worker = i + 1;
            _threads[i] = new Thread(() => Serve(worker), 256 * 1024) { IsBackground = true, Name = $"qed worker {worker}" };
            _threads[i].Start();
        }
    }

    /// <summary>Members, the caller included.</summary>
    public int Size { get; }

    /// <summary>Runs a piece of work on all members and returns when all are done; an error of any member is thrown here.</summary>
    public void Run(ITeamWork work)
    {
        lock (_entry)
        {
            if (Size == 1)
            {
                work.Execute(0);
                return;
            }
            _work = work;
            _fault = null;
            _arrived = 0;
            _running = Size;
            _round++;
            Wake();
            Execute(work, 0);
            WaitWhile(static (team, _) => team._running != 0, 0, BarrierSpins);
            if (_fault is { } fault)
                throw new QedException($"a worker failed: {fault.Message}", fault);
        }
    }

    /// <summary>Waits until every member has come here.</summary>
    public void Barrier()
    {
        if (Size == 1)
            return;
        int phase = _phase;
        if (Interlocked.Increment(ref _arrived) == Size)
        {
            _arrived = 0;
            _phase = phase + 1;
            Wake();
            return;
        }
        WaitWhile(static (team, seen) => team._phase == seen && team._fault is null, phase, BarrierSpins);
        if (_phase == phase) // a member that failed will never come
            throw new OperationCanceledException("another worker failed");
    }

    /// <summary>The part of 0..count that belongs to a worker, in multiples of <paramref name="unit"/>.</summary>
    public (int Begin, int End) Share(int worker, int count, int unit = 1)
    {
        long units = (count + (long)unit - 1) / unit;
        int begin = (int)(units * worker / Size) * unit;
        int end = (int)(units * (worker + 1) / Size) * unit;
        return (Math.Min(begin, count), Math.Min(end, count));
    }

    /// <summary>Ends the threads.</summary>
    public void Dispose()
    {
        lock (_entry)
        {
            _stop = true;
            _round++;
            Wake();
        }
        foreach (Thread thread in _threads)
            thread.Join();
    }

    private void Serve(int worker)
    {
        int round = 0;
        while (true)
        {
            WaitWhile(static (team, seen) => team._round == seen, round, RoundSpins);
            round = _round;
            if (_stop)
                return;
            Execute(_work!, worker);
        }
    }

    private void Execute(ITeamWork work, int worker)
    {
        try
        {
            work.Execute(worker);
        }
        catch (Exception e)
        {
            Interlocked.CompareExchange(ref _fault, e, null);
            Wake();
        }
        if (Interlocked.Decrement(ref _running) == 0)
            Wake();
    }

    private void WaitWhile(Func<WorkerTeam, int, bool> unchanged, int seen, int spins)
    {
        for (int i = _crowded ? spins : 0; i < spins; i++)
        {
            if (!unchanged(this, seen))
                return;
            Thread.SpinWait(1);
        }
        lock (_door)
        {
            // Announced before the condition is looked at again, so that Wake cannot slip in between.
            Interlocked.Increment(ref _sleeping);
            while (unchanged(this, seen))
                Monitor.Wait(_door);
            Interlocked.Decrement(ref _sleeping);
        }
    }

    private void Wake()
    {
        Interlocked.MemoryBarrier(); // the change before, the look at the sleepers after
        if (_sleeping == 0)
            return;
        lock (_door)
            Monitor.PulseAll(_door);
    }
}
