using System.Diagnostics;

namespace QedEdge.Fuzz;

/// <summary>
/// Instruments a copy of the programs, runs a worker on it, and looks after it: a worker that dies (stack overflow, access violation, out of memory) or stands
/// still is a fault, its input is kept, and another one goes on.
/// </summary>
internal sealed class Supervisor(RunOptions options)
{
    private static readonly TimeSpan Hang = TimeSpan.FromSeconds(20); // of processor time without an execution's end
    private const int MostDeaths = 20;
    private int _deaths;

    /// <summary>Runs to the end; the exit code.</summary>
    public int Run()
    {
        // What is written for each execution lies in memory, which may be small.
        string name = $"qed-fuzz-{Environment.ProcessId}", copy = Path.Combine(Path.GetTempPath(), name);
        string folder = Directory.CreateDirectory(Path.Combine(Directory.Exists("/dev/shm") ? "/dev/shm" : copy, name)).FullName;
        try
        {
            string program = Instrument(Path.Combine(copy, "program"));
            using var state = new SharedState(folder);
            while (!RunWorker(program, folder, state))
            {
                Keep(state);
                if (++_deaths == MostDeaths)
                    break;
            }
            int faults = state.Now.Faults + _deaths;
            Console.WriteLine($"{state.Now.Executions:N0} executions, {faults} faults{(faults > 0 ? $", in {options.Faults}" : "")}");
            return faults > 0 ? 1 : 0;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
            Directory.Delete(copy, recursive: true);
        }
    }

    /// <summary>A copy of this program whose branches are counted; kernels are left as they are, since they run long and branch on sizes alone.</summary>
    private static string Instrument(string folder)
    {
        Directory.CreateDirectory(folder);
        foreach (string file in Directory.EnumerateFiles(AppContext.BaseDirectory))
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        string self = Path.Combine(folder, typeof(Program).Assembly.GetName().Name + ".dll");
        foreach (string file in Directory.EnumerateFiles(folder, "QedEdge*.dll"))
        {
            SharpFuzz.Fuzzer.Instrument(file, type => file == self ? type.Contains(".Cli", StringComparison.Ordinal) : !type.Contains(".Kernels", StringComparison.Ordinal),
                SharpFuzz.Options.Value);
        }
        return self;
    }

    /// <summary>Whether a worker came to its end.</summary>
    private bool RunWorker(string program, string folder, SharedState state)
    {
        string[] words = ["exec", program, "--worker", folder, .. options.Words];
        using Process worker = Process.Start(new ProcessStartInfo(Environment.ProcessPath is { } host && Path.GetFileNameWithoutExtension(host) == "dotnet" ? host : "dotnet", words)
        {
            RedirectStandardError = true,
            // What commands ask for beside their words is not a matter of this machine.
            Environment = { ["QED_MODEL"] = "", ["QED_ISA"] = "" },
        })!;
        worker.ErrorDataReceived += static (_, line) => Console.Error.WriteLine(line.Data);
        worker.BeginErrorReadLine();
        long executions = -1;
        TimeSpan since = default;
        while (!worker.WaitForExit(TimeSpan.FromSeconds(1)))
        {
            TimeSpan used = worker.TotalProcessorTime;
            if (state.Now.Executions != executions)
                (executions, since) = (state.Now.Executions, used);
            else if (used - since > Hang && executions > 0)
                worker.Kill();
        }
        return worker.ExitCode == 0;
    }

    /// <summary>Keeps the input that ended a worker.</summary>
    private void Keep(SharedState state)
    {
        Target target = Target.All[state.Now.Target];
        Console.WriteLine($"FAULT {target.Name}: the process died or stood still: {Worker.Save(options.Faults, target, "death", state.Input)}");
        state.Now.Executions++;
        state.Now.OfTarget++;
    }
}
