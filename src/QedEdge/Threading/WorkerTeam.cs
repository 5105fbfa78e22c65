using System.Diagnostics;

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
/// would be gone for that program's whole time slice (docs/performance.md).
/// <para>
/// Results do not depend on how many share the work, so a team whose members keep waiting for one that gets no processor goes on
/// with fewer for a while. Nothing is allocated after construction.
/// </para>
/// </summary>
internal sealed class WorkerTeam : IDisposable
{
    /// <summary>The largest team.</summary>
    public const int MaxSize = 256;

    // A spin is about 40 ns. Members reach a barrier microseconds apart; between tokens the caller samples and prints.
    private const int BarrierSpins = 1_000;
    private const int RoundSpins = 10_000;
    private const int RoundUnit = 2 * MaxSize;
    private const int RoundCount = int.MaxValue / RoundUnit; // then numbers begin again

    private readonly List<Thread> _threads;
    private readonly Lock _entry = new();
    private readonly object _door = new();
    private readonly object _bench = new();  // where members wait that are left out
    private readonly TeamSize _size;
    private readonly int _processors = ProcessorInfo.Allowed;
    private ITeamWork? _work;
    private volatile Exception? _fault;
    private volatile int _round;      // pieces of work so far · RoundUnit + members that take part; a change starts them
    private volatile int _phase;      // counts barriers passed
    private volatile int _sleeping;
    private volatile bool _stop;
    private volatile int _running;    // members still at work
    private int _arrived;
    private long _slept;              // ticks that the caller slept during this piece of work

    /// <summary>A team of <paramref name="size"/> including the caller: size − 1 threads are started, or as many as the system allows.</summary>
    public WorkerTeam(int size)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(size, MaxSize);
        _round = size;
        Prepare(_door);
        Prepare(_bench);
        _threads = new List<Thread>(size - 1);
        try
        {
            while (_threads.Count < size - 1)
            {
                int worker = _threads.Count + 1;
                var thread = new Thread(() => Serve(worker, size), 256 * 1024) { IsBackground = true, Name = $"qed worker {worker}" };
                thread.Start();
                _threads.Add(thread);
            }
        }
        catch (Exception e) when (e is OutOfMemoryException or ThreadStartException)
        {
            // The system allows no more threads, or has no memory for their stacks.
        }
        Size = Active = _threads.Count + 1;
        _size = new TeamSize(Size);
    }

    /// <summary>Members, the caller included: those that were asked for, or fewer.</summary>
    public int Size { get; }

    /// <summary>Members that take part in the present piece of work.</summary>
    public int Active { get; private set; }

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
            int before = Active;
            long begin = Stopwatch.GetTimestamp();
            Active = _size.Next(begin);
            _work = work;
            _fault = null;
            _arrived = 0;
            _running = Active;
            _slept = 0;
            StartRound();
            if (Active > before)
                CallFromBench();
            Execute(work, 0);
            WaitWhile(0, static (team, _) => team._running != 0, 0, BarrierSpins);
            long end = Stopwatch.GetTimestamp();
            _size.Report(end, end - begin, _slept);
            if (_fault is { } fault)
                throw new QedException($"a worker failed: {fault.Message}", fault);
        }
    }

    /// <summary>Waits until every member that takes part has come here.</summary>
    public void Barrier(int worker)
    {
        if (Active == 1)
            return;
        int phase = _phase;
        if (Interlocked.Increment(ref _arrived) == Active)
        {
            _arrived = 0;
            _phase = phase + 1;
            Wake();
            return;
        }
        WaitWhile(worker, static (team, seen) => team._phase == seen && team._fault is null, phase, BarrierSpins);
        if (_phase == phase) // a member that failed will never come
            throw new OperationCanceledException("another worker failed");
    }

    /// <summary>The part of 0..count that belongs to a worker.</summary>
    public (int Begin, int End) Share(int worker, int count) =>
        ((int)((long)count * worker / Active), (int)((long)count * (worker + 1) / Active));

    /// <summary>Ends the threads.</summary>
    public void Dispose()
    {
        lock (_entry)
        {
            _stop = true;
            Active = Size;
            StartRound();
            CallFromBench();
        }
        foreach (Thread thread in _threads)
            thread.Join();
    }

    /// <summary>Waits for nothing: .NET makes what it waits with at the first time, and an error for want of memory can be caught here, but not in a member.</summary>
    private static void Prepare(object gate)
    {
        lock (gate)
            Monitor.Wait(gate, 0);
    }

    private void Serve(int worker, int round)
    {
        while (true)
        {
            WaitWhile(worker, static (team, seen) => team._round == seen, round, RoundSpins);
            if (_round % RoundUnit <= worker)
                SitOut(worker);
            round = _round; // it takes part, so no other round can begin before it is done
            if (_stop)
                return;
            Execute(_work!, worker);
        }
    }

    private void SitOut(int worker)
    {
        lock (_bench)
        {
            while (_round % RoundUnit <= worker)
                Wait(_bench);
        }
    }

    private void StartRound()
    {
        _round = ((_round / RoundUnit + 1) % RoundCount * RoundUnit) + Active;
        Wake();
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

    private void WaitWhile(int worker, Func<WorkerTeam, int, bool> unchanged, int seen, int spins)
    {
        // With more members than processors, whoever spins keeps another from working.
        for (int i = Active > _processors ? spins : 0; i < spins; i++)
        {
            if (!unchanged(this, seen))
                return;
            Thread.SpinWait(1);
        }
        long begin = Stopwatch.GetTimestamp();
        lock (_door)
        {
            // Announced before the condition is looked at again, so that Wake cannot slip in between.
            Interlocked.Increment(ref _sleeping);
            while (unchanged(this, seen))
                Wait(_door);
            Interlocked.Decrement(ref _sleeping);
        }
        if (worker == 0)
            _slept += Stopwatch.GetTimestamp() - begin;
    }

    /// <summary>Waits for a pulse, or for a moment: the condition is looked at again.</summary>
    private static void Wait(object gate)
    {
        try
        {
            Monitor.Wait(gate);
        }
        catch (OutOfMemoryException)
        {
            // .NET makes what a thread waits with at its first wait, in that thread, where nobody else could catch it.
            Monitor.Exit(gate);
            Thread.Sleep(1);
            Monitor.Enter(gate);
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

    private void CallFromBench()
    {
        lock (_bench)
            Monitor.PulseAll(_bench);
    }
}
