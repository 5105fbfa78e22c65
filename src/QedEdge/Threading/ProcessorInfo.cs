using System.Globalization;
using QedEdge.Machine;

namespace QedEdge.Threading;

/// <summary>What the machine offers to a team.</summary>
internal static class ProcessorInfo
{
    /// <summary>Hardware threads that this process may use: its affinity and the quotas of its control groups, at every level.</summary>
    public static int Allowed { get; } = OperatingSystem.IsLinux() ? Math.Min(Environment.ProcessorCount, new ControlGroups().Processors() ?? int.MaxValue) : Environment.ProcessorCount;

    /// <summary>Of these the physical cores: a second hardware thread on a core adds nothing to work bound by memory.</summary>
    public static int PhysicalCores { get; } = OperatingSystem.IsLinux() ? Cores(Allowed) : Allowed;

    /// <summary>The physical cores of the hardware threads that this process may run on.</summary>
    /// <param name="allowed">What is allowed at most, and where nothing is known of cores.</param>
    /// <param name="root">The folder that stands for <c>/</c>, for tests.</param>
    internal static int Cores(int allowed, string root = "")
    {
        if (allowed == 1)
            return 1;
        const string Word = "Cpus_allowed_list:";
        var cores = new HashSet<string>();
        foreach (string line in KernelFile.Lines($"{root}/proc/self/status"))
        {
            if (!line.StartsWith(Word, StringComparison.Ordinal))
                continue;
            foreach (string range in line[Word.Length..].Trim().Split(','))
            {
                string[] ends = range.Split('-');
                if (KernelFile.Parse(ends[0]) is not { } first || KernelFile.Parse(ends[^1]) is not { } last)
                    return allowed;
                for (long cpu = first; cpu <= last; cpu++)
                    cores.UnionWith(KernelFile.Lines($"{root}/sys/devices/system/cpu/cpu{cpu.ToString(CultureInfo.InvariantCulture)}/topology/thread_siblings_list"));
            }
        }
        return cores.Count == 0 ? allowed : Math.Min(allowed, cores.Count);
    }
}
