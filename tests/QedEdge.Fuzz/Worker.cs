using System.IO.Hashing;

namespace QedEdge.Fuzz;

/// <summary>Runs targets, one after another.</summary>
/// <param name="options">What is asked for.</param>
/// <param name="folder">Where the state and the targets' files lie.</param>
internal sealed class Worker(RunOptions options, string folder)
{
    private const long Cap = 4L << 30; // address space that one process may take beyond its start
    private const int MostInputs = 4000; // that are kept for their coverage
    private const int ShownPerKind = 3;
    private const int MostPrinted = 4096;

    private readonly Coverage _coverage = new();
    private readonly SharedState _state = new(folder);
    private readonly Dictionary<string, int> _kinds = [];
    private Executor _executor = null!;

    /// <summary>Runs what the state says is still to be done; the exit code.</summary>
    public int Run()
    {
        _executor = new Executor(_coverage);
        SystemMemory.Cap(Cap);
        if (options.Replay != "")
            Replay();
        else
        {
            for (int i = _state.Now.Target; i < Target.All.Count; i++)
            {
                if (_state.Now.Target != i)
                    _state.Now.OfTarget = 0;
                _state.Now.Target = i;
                long count = CountOf(Target.All[i]);
                if (_state.Now.OfTarget < count)
                    Fuzz(Target.All[i], count);
            }
        }
        return 0;
    }

    private long CountOf(Target target) => options.Target == "all" ? options.Count * target.Share / Target.All.Sum(static one => one.Share)
        : options.Target.Split(',').Contains(target.Name) ? options.Count : 0;

    private void Fuzz(Target target, long count)
    {
        string own = Directory.CreateDirectory(Path.Combine(folder, $"{target.Name}-{Environment.ProcessId}")).FullName;
        long before = _state.Now.OfTarget;
        TimeSpan start = Environment.CpuUsage.TotalTime;
        _coverage.Reset();
        List<byte[]> inputs = [.. target.Seeds(own)];
        int seeds = inputs.Count;
        var outcomes = new Dictionary<string, (long Count, string Example)>();
        // A worker that takes another's place makes other inputs.
        var random = new Random(options.Seed + target.Name.Sum(static c => c) * 7919 + (int)(before % int.MaxValue));
        for (int i = 0; _state.Now.OfTarget < count; i++)
        {
            // Seeds stay as likely as all that came of them.
            byte[] parent = inputs[random.Next(random.Next(4) == 0 ? seeds : inputs.Count)];
            byte[] input = i < seeds ? inputs[i] : target.Mutate(random, parent, inputs[random.Next(inputs.Count)]);
            if (input.Length > SharedState.LongestInput)
                input = input[..SharedState.LongestInput];
            _state.Input = input;
            Outcome outcome = _executor.Run(target, input, out bool isNew);
            if (i < seeds && outcome.Refused && target.SeedsAreSound)
                outcome = outcome with { Fault = $"a sound input was refused: {outcome.Text}" };
            _state.Now.OfTarget++;
            _state.Now.Executions++;
            string kind = Judge.Kind(outcome.Text);
            outcomes[kind] = outcomes.TryGetValue(kind, out var known) ? (known.Count + 1, known.Example) : (1, outcome.Text);
            if (outcome.Fault is not null)
                Report(target, input, outcome);
            else if (isNew && i >= seeds && inputs.Count < MostInputs)
                inputs.Add(input);
        }
        double seconds = (Environment.CpuUsage.TotalTime - start).TotalSeconds; // the processor's: the machine may do something else
        long done = _state.Now.OfTarget - before;
        Console.WriteLine($"{target.Name,-12} {done,12:N0} executions, {done / seconds,9:N0} per second of the processor, {_coverage.Pairs,6:N0} pairs of branches, {inputs.Count,5:N0} inputs kept, {outcomes.Count,4} outcomes");
        if (options.Messages != "")
            File.AppendAllLines(options.Messages, outcomes.OrderByDescending(static one => one.Value.Count).Select(one => $"{target.Name}\t{one.Value.Count}\t{one.Value.Example.ReplaceLineEndings("\\n")}"));
        Directory.Delete(own, recursive: true);
    }

    /// <summary>Runs the inputs of a folder with a folder per target, or one that is named TARGET-….</summary>
    private void Replay()
    {
        string[] files = File.Exists(options.Replay) ? [options.Replay] : [.. Directory.EnumerateFiles(options.Replay, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];
        foreach (Target target in Target.All)
        {
            string[] own = [.. files.Where(file => options.Target == target.Name || Path.GetFileName(file).StartsWith(target.Name + "-", StringComparison.Ordinal) || Path.GetFileName(Path.GetDirectoryName(file)) == target.Name)];
            if (own.Length == 0)
                continue;
            _state.Now.Target = Target.All.ToList().IndexOf(target);
            _ = target.Seeds(Directory.CreateDirectory(Path.Combine(folder, target.Name)).FullName).Count(); // prepares it
            foreach (string file in own)
            {
                byte[] input = File.ReadAllBytes(file);
                _state.Input = input;
                Outcome outcome = _executor.Run(target, input, out _);
                _state.Now.Executions++;
                Console.WriteLine($"{target.Name} {Path.GetFileName(file)}: {outcome.Text}");
                if (outcome.Fault is not null)
                    Report(target, input, outcome);
            }
        }
    }

    private void Report(Target target, byte[] input, Outcome outcome)
    {
        string kind = $"{target.Name} {Judge.Kind(outcome.Fault!)} {outcome.Place}";
        _kinds[kind] = _kinds.GetValueOrDefault(kind) + 1;
        if (_kinds[kind] == 1)
            _state.Now.Faults++;
        if (_kinds[kind] > ShownPerKind)
            return;
        Console.WriteLine($"FAULT {target.Name}: {outcome.Fault!.ReplaceLineEndings(" ")} {outcome.Place}: {Save(options.Faults, target, "fault", input)}");
        if (input.Length <= MostPrinted) // the machine that found it may be gone
            Console.WriteLine(Convert.ToBase64String(input));
    }

    /// <summary>Keeps an input; the file.</summary>
    public static string Save(string folder, Target target, string kind, byte[] input)
    {
        string file = Path.Combine(Directory.CreateDirectory(folder).FullName, $"{target.Name}-{kind}-{XxHash3.HashToUInt64(input):x16}");
        File.WriteAllBytes(file, input);
        return file;
    }
}
