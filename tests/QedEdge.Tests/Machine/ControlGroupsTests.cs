using QedEdge.Cli;
using QedEdge.Machine;
using QedEdge.Threading;

namespace QedEdge.Tests.Machine;

/// <summary>Limits of memory and processors at each level of a control group, in files as kernels of both versions write them.</summary>
public sealed class ControlGroupsTests : IDisposable
{
    private const string Version2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot";
    private const string Memory1 = "35 31 0:32 / /sys/fs/cgroup/memory rw,nosuid shared:14 - cgroup cgroup rw,memory";
    private const string Cpu1 = "36 31 0:33 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:15 - cgroup cgroup rw,cpu,cpuacct";
    private const long Unlimited1 = 0x7FFF_FFFF_FFFF_F000;

    private readonly string _root = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Version2_TheTightestLevelCounts_LessWhatIsInUseThere()
    {
        Write("/proc/self/cgroup", "0::/system.slice/qed-story.service\n");
        Write("/proc/self/mountinfo", Version2 + "\n");
        Assert.Null(new ControlGroups(_root).FreeMemory());
        Level2("/system.slice/qed-story.service", "max", 10_000_000, 0);
        Assert.Null(new ControlGroups(_root).FreeMemory());

        Level2("/system.slice/qed-story.service", "160000000", 10_000_000, 4_000_000);
        Assert.Equal(154_000_000, new ControlGroups(_root).FreeMemory());
        Write("/sys/fs/cgroup/system.slice/qed-story.service/memory.high", "1000\n"); // slow beyond it, but not ended
        Assert.Equal(154_000_000, new ControlGroups(_root).FreeMemory());
        Level2("/system.slice", "500000000", 480_000_000, 30_000_000);
        Assert.Equal(50_000_000, new ControlGroups(_root).FreeMemory());
        Level2("", "40000000", 60_000_000, 0); // a container that sees its own part as the root, and is beyond its limit
        Assert.Equal(0, new ControlGroups(_root).FreeMemory());
    }

    [Fact]
    public void Version1_TheTightestLevelCounts_AlsoOneThatIsNotSeen()
    {
        Write("/proc/self/cgroup", "9:name=systemd:/a\n4:memory:/job/step\n2:cpu,cpuacct:/job\n0::/\n");
        Write("/proc/self/mountinfo", $"{Version2.Replace("/sys/fs/cgroup ", "/sys/fs/cgroup/unified ")}\n{Memory1}\n{Cpu1}\n");
        Level1("/job/step", 90_000_000, 90_000_000, used: 20_000_000, files: 15_000_000);
        Level1("/job", Unlimited1, Unlimited1, used: 40_000_000, files: 0);
        Level1("", Unlimited1, Unlimited1, used: 900_000_000, files: 0);
        Assert.Equal(85_000_000, new ControlGroups(_root).FreeMemory());
        Level1("/job", 100_000_000, 100_000_000, used: 40_000_000, files: 5_000_000);
        Assert.Equal(65_000_000, new ControlGroups(_root).FreeMemory());
        Level1("/job/step", 90_000_000, 50_000_000, used: 20_000_000, files: 15_000_000);
        Assert.Equal(45_000_000, new ControlGroups(_root).FreeMemory());
    }

    [Theory]
    [InlineData("/docker/abc", "/docker/abc/worker", "/worker")] // the mount shows the container's part
    [InlineData("/docker/abc", "/docker/abc", "")]
    [InlineData("/", "/../../other", "")]                        // outside of the namespace
    [InlineData("/docker/abc", "/docker/abcdef", "")]            // a name that begins alike
    [InlineData("/a\\040b", "/a b/c", "/c")]
    public void AContainersMount_IsFound(string part, string group, string below)
    {
        Write("/proc/self/cgroup", $"0::{group}\n");
        Write("/proc/self/mountinfo", Version2.Replace(" / /sys/fs/cgroup ", $" {part} /cgroups\\040here ") + "\n");
        Write($"/cgroups here{below}/memory.max", "7000000\n");
        Assert.Equal(7_000_000, new ControlGroups(_root).FreeMemory());
    }

    [Fact]
    public void WithoutATableOfMounts_TheUsualPlaceIsLookedAt()
    {
        Write("/proc/self/cgroup", "0::/a\n");
        Level2("/a", "5000000", 1_000_000, 0);
        Assert.Equal(4_000_000, new ControlGroups(_root).FreeMemory());
        Assert.Null(new ControlGroups("/nowhere").FreeMemory());
        Assert.Null(new ControlGroups("/nowhere").Processors());
    }

    [Theory]
    [InlineData("max 100000", "max 100000", null)]
    [InlineData("150000 100000", "max 100000", 2)]
    [InlineData("max 100000", "200000 100000", 2)]
    [InlineData("400000 100000", "100000 50000", 2)]
    [InlineData("1000 100000", "200000 100000", 1)]
    public void Version2_QuotasOfEachLevel_Count(string own, string above, int? expected)
    {
        Write("/proc/self/cgroup", "0::/pod/container\n");
        Write("/proc/self/mountinfo", Version2 + "\n");
        Write("/sys/fs/cgroup/pod/container/cpu.max", own + "\n");
        Write("/sys/fs/cgroup/pod/cpu.max", above + "\n");
        Assert.Equal(expected, new ControlGroups(_root).Processors());
    }

    [Theory]
    [InlineData(-1, -1, null)]
    [InlineData(300_000, -1, 3)]
    [InlineData(-1, 110_000, 2)]
    public void Version1_QuotasOfEachLevel_Count(int own, int above, int? expected)
    {
        Write("/proc/self/cgroup", "2:cpuacct,cpu:/pod/container\n");
        Write("/proc/self/mountinfo", Cpu1 + "\n");
        Write("/sys/fs/cgroup/cpu,cpuacct/pod/container/cpu.cfs_quota_us", $"{own}\n");
        Write("/sys/fs/cgroup/cpu,cpuacct/pod/container/cpu.cfs_period_us", "100000\n");
        Write("/sys/fs/cgroup/cpu,cpuacct/pod/cpu.cfs_quota_us", $"{above}\n");
        Write("/sys/fs/cgroup/cpu,cpuacct/pod/cpu.cfs_period_us", "100000\n");
        Assert.Equal(expected, new ControlGroups(_root).Processors());
    }

    [Fact]
    public void FreeMemory_IsWhatTheMachineAndTheGroupBothHave()
    {
        Write("/proc/meminfo", "MemTotal: 900 kB\nMemAvailable:    200000 kB\n");
        Assert.Equal(204_800_000, FreeMemory.Bytes(_root));
        Write("/proc/self/cgroup", "0::/a\n");
        Write("/proc/self/mountinfo", Version2 + "\n");
        Level2("/a", "300000000", 1_000_000, 0);
        Assert.Equal(204_800_000, FreeMemory.Bytes(_root));
        Level2("/a", "100000000", 1_000_000, 0);
        Assert.Equal(99_000_000, FreeMemory.Bytes(_root));
    }

    [Theory]
    [InlineData("0-7", 8, 4)]
    [InlineData("0,4", 2, 1)]     // two hardware threads of one core
    [InlineData("0-3", 4, 4)]
    [InlineData("0-1,4-5,7", 5, 3)]
    [InlineData("0-7", 2, 2)]     // a quota
    [InlineData("9", 3, 3)]       // a processor that nothing is known of
    [InlineData("strange", 3, 3)]
    public void PhysicalCores_AreThoseOfTheAffinity(string list, int allowed, int expected)
    {
        Write("/proc/self/status", $"Name:\tqed\nCpus_allowed:\tff\nCpus_allowed_list:\t{list}\n");
        for (int cpu = 0; cpu < 8; cpu++)
            Write($"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list", $"{cpu % 4},{cpu % 4 + 4}\n");
        Assert.Equal(expected, ProcessorInfo.Cores(allowed, _root));
    }

    private void Level2(string group, string limit, long used, long files)
    {
        Write($"/sys/fs/cgroup{group}/memory.max", limit + "\n");
        Write($"/sys/fs/cgroup{group}/memory.current", $"{used}\n");
        Write($"/sys/fs/cgroup{group}/memory.stat", $"anon 1\nfile 2\ninactive_anon 3\ninactive_file {files / 4}\nactive_file {files - files / 4}\n");
    }

    private void Level1(string group, long limit, long hierarchical, long used, long files)
    {
        Write($"/sys/fs/cgroup/memory{group}/memory.limit_in_bytes", $"{limit}\n");
        Write($"/sys/fs/cgroup/memory{group}/memory.usage_in_bytes", $"{used}\n");
        Write($"/sys/fs/cgroup/memory{group}/memory.stat", $"cache 1\ninactive_file 2\nhierarchical_memory_limit {hierarchical}\ntotal_inactive_file {files / 4}\ntotal_active_file {files - files / 4}\n");
    }

    private void Write(string path, string text)
    {
        Directory.CreateDirectory(_root + Path.GetDirectoryName(path));
        File.WriteAllText(_root + path, text);
    }
}
