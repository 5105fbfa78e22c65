using System.Globalization;
using QedEdge.CommandLine;
using QedEdge.Machine;

namespace QedEdge.Cli;

/// <summary>What Linux tells of the machine and of how fast it may run; null where it does not.</summary>
internal sealed class MachineState
{
    private const string Processors = "/sys/devices/system/cpu";

    private MachineState()
    {
    }

    /// <summary>The board, from its device tree.</summary>
    public string? Board { get; private init; }

    /// <summary>The processor's name; of an Arm processor that gives none, the numbers of maker and part.</summary>
    public string? Processor { get; private init; }

    /// <summary>The memory.</summary>
    public string? Memory { get; private init; }

    /// <summary>What decides the clock.</summary>
    public string? Governor { get; private init; }

    /// <summary>The cores' clocks, in MHz, each of them once.</summary>
    public string? Clock { get; private init; }

    /// <summary>The first sensor's temperature.</summary>
    public string? Temperature { get; private init; }

    /// <summary>A Raspberry Pi's flags: 0 where neither heat nor a weak supply has slowed it.</summary>
    public string? Throttled { get; private init; }

    /// <summary>The machine now.</summary>
    public static MachineState Now() => new()
    {
        Board = First("/proc/device-tree/model"),
        Processor = Entry("model name") ?? (Entry("CPU implementer") is { } maker ? $"implementer {maker}, part {Entry("CPU part")}" : null),
        Memory = KernelFile.Number("/proc/meminfo", "MemTotal:") is { } kilobytes ? ByteSize.Text(1024 * kilobytes) : null,
        Governor = First($"{Processors}/cpu0/cpufreq/scaling_governor"),
        Clock = Clocks(),
        Temperature = KernelFile.Number("/sys/class/thermal/thermal_zone0/temp") is { } thousandths ? string.Create(CultureInfo.InvariantCulture, $"{thousandths / 1e3:0.0} °C") : null,
        Throttled = First("/sys/devices/platform/soc/soc:firmware/get_throttled"),
    };

    private static string? First(string path) => KernelFile.Lines(path) is [var line, ..] ? line.Trim().TrimEnd('\0') : null;

    /// <summary>An entry of /proc/cpuinfo: of the first core that has it.</summary>
    private static string? Entry(string name)
    {
        foreach (string line in KernelFile.Lines("/proc/cpuinfo"))
        {
            if (line.StartsWith(name, StringComparison.Ordinal) && line.IndexOf(':') is > 0 and var colon && line[name.Length..colon].Trim().Length == 0)
                return line[(colon + 1)..].Trim();
        }
        return null;
    }

    private static string? Clocks()
    {
        var clocks = new SortedSet<long>();
        for (int core = 0; core < Environment.ProcessorCount; core++)
        {
            if (KernelFile.Number($"{Processors}/cpu{core}/cpufreq/scaling_cur_freq") is { } kilohertz)
                clocks.Add((kilohertz + 500) / 1000);
        }
        if (clocks.Count == 0 && Entry("cpu MHz") is { } megahertz)
            return megahertz + " MHz";
        return clocks.Count == 0 ? null : string.Join(", ", clocks) + " MHz";
    }
}
