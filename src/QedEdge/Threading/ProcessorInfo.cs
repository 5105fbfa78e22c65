using System.Text;
using QedEdge.Memory;

namespace QedEdge.Threading;

/// <summary>What the machine offers to a team.</summary>
internal static class ProcessorInfo
{
    /// <summary>Physical cores of the machine: a second hardware thread on a core adds nothing to work bound by memory.</summary>
    public static int PhysicalCores { get; } = Count();

    private static int Count()
    {
        int allowed = Environment.ProcessorCount;
        if (!OperatingSystem.IsLinux() || allowed == 1)
            return allowed;
        try
        {
            var cores = new HashSet<string>();
            for (int cpu = 0; cpu < 1024; cpu++)
            {
                string path = $"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list";
                if (!File.Exists(path))
                    break;
                cores.Add(Encoding.ASCII.GetString(InputFile.ReadAllBytes(path)));
            }
            return cores.Count == 0 ? allowed : Math.Min(allowed, cores.Count);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return allowed;
        }
    }
}
