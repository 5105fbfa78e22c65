using QedEdge.Memory;

namespace QedEdge.Machine;

/// <summary>
/// The limits of the control groups that this process is in (Linux): a service, a container, a job. Each level above its own group may have limits of its own, and the tightest
/// counts. Both versions are read; where both are mounted, each controller is in one of them.
/// </summary>
/// <param name="root">The folder that stands for <c>/</c>, for tests.</param>
internal sealed class ControlGroups(string root = "")
{
    private const string Version2 = ""; // has one hierarchy for all controllers

    private readonly string[] _groups = KernelFile.Lines($"{root}/proc/self/cgroup");
    private readonly string[] _mounts = KernelFile.Lines($"{root}/proc/self/mountinfo");

    /// <summary>Bytes that can be taken before the kernel ends a process of the group: the limit of each level less what is in use there, pages of files not counted. Null without a limit.</summary>
    public long? FreeMemory()
    {
        long? least = null;
        foreach (string folder in Levels(Version2))
            Take(KernelFile.Number($"{folder}/memory.max"), $"{folder}/memory.current", $"{folder}/memory.stat", "");
        foreach (string folder in Levels("memory"))
        {
            string stat = $"{folder}/memory.stat";
            long? own = KernelFile.Number($"{folder}/memory.limit_in_bytes");
            // Also counts the levels that a container does not see.
            Take(Least(own, KernelFile.Number(stat, "hierarchical_memory_limit ")), $"{folder}/memory.usage_in_bytes", stat, "total_");
        }
        return least;

        void Take(long? limit, string usage, string stat, string prefix)
        {
            if (limit is null)
                return;
            long files = (KernelFile.Number(stat, $"{prefix}inactive_file ") ?? 0) + (KernelFile.Number(stat, $"{prefix}active_file ") ?? 0);
            long used = Math.Max(0, (KernelFile.Number(usage) ?? 0) - files);
            least = Least(least, Math.Max(0, limit.Value - used));
        }
    }

    /// <summary>Processors whose time the group may take, rounded up; null without a quota.</summary>
    public int? Processors()
    {
        long? least = null;
        foreach (string folder in Levels(Version2))
        {
            if (KernelFile.Lines($"{folder}/cpu.max") is [{ } line, ..] && line.Split(' ') is [{ } quota, { } period])
                Take(KernelFile.Parse(quota), KernelFile.Parse(period));
        }
        foreach (string folder in Levels("cpu"))
            Take(KernelFile.Number($"{folder}/cpu.cfs_quota_us"), KernelFile.Number($"{folder}/cpu.cfs_period_us"));
        return (int?)least;

        void Take(long? quota, long? period)
        {
            if (quota > 0 && period > 0)
                least = Least(least, Math.Clamp((quota.Value + period.Value - 1) / period.Value, 1, int.MaxValue));
        }
    }

    private static long? Least(long? a, long? b) => a is null || b < a ? b : a;

    /// <summary>The folders of this process's group in a controller's hierarchy, and of those above it, as far as they are mounted.</summary>
    private IEnumerable<string> Levels(string controller)
    {
        if (Group(controller) is not { } group)
            yield break;
        (string point, string below) = Mount(controller, group);
        while (true)
        {
            yield return $"{root}{point}{below}";
            if (below.Length == 0)
                yield break;
            below = below[..below.LastIndexOf('/')];
        }
    }

    /// <summary>"/system.slice/story.service", from lines such as 4:memory:/PATH and 0::/PATH.</summary>
    private string? Group(string controller)
    {
        foreach (string line in _groups)
        {
            if (line.Split(':', 3) is [_, { } controllers, { } path] && controllers.Split(',').Contains(controller))
                return path;
        }
        return null;
    }

    /// <summary>Where a hierarchy is mounted, and the group's path from there: of a mount that shows a part of the hierarchy, as containers have it, the part's own.</summary>
    private (string Point, string Below) Mount(string controller, string group)
    {
        foreach (string line in _mounts)
        {
            // 35 31 0:32 ROOT POINT options … - cgroup cgroup rw,memory
            if (line.Split(" - ") is not [{ } mount, { } system] || mount.Split(' ') is not [_, _, _, { } part, { } point, ..] || system.Split(' ') is not [{ } type, _, { } options, ..])
                continue;
            if (controller == Version2 ? type != "cgroup2" : type != "cgroup" || !options.Split(',').Contains(controller))
                continue;
            (part, point) = (Plain(part).TrimEnd('/'), Plain(point));
            bool isPart = group.StartsWith(part, StringComparison.Ordinal) && (group.Length == part.Length || group[part.Length] == '/') && !group.StartsWith("/..", StringComparison.Ordinal);
            string below = isPart ? group[part.Length..].TrimEnd('/') : ""; // else the group lies outside of what is seen
            if (FileStatus.IsFolder($"{root}{point}{below}"))
                return (point, below);
        }
        return ($"/sys/fs/cgroup/{controller}".TrimEnd('/'), group.TrimEnd('/')); // the table cannot be read, or what it says is covered by something else
    }

    /// <summary>A path as the kernel writes it into a table: a space is \040.</summary>
    private static string Plain(string path)
    {
        for (int at; (at = path.IndexOf('\\')) >= 0 && at + 4 <= path.Length;)
            path = path[..at] + (char)Convert.ToInt32(path.Substring(at + 1, 3), 8) + path[(at + 4)..];
        return path;
    }
}
