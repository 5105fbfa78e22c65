namespace QedEdge.Tests.Published;

/// <summary>samples/systemd, started by systemd itself: in a container made of this machine's own files, below a layer that takes what is written.</summary>
public sealed class SystemdSampleTests : IDisposable
{
    /// <summary>Starts systemd as a container's first process; it runs try.service and nothing else. $0: a folder of this test; $1: qed; $2: samples/systemd.</summary>
    private const string Container = """
        mount --make-rprivate / && mount --bind / "$0/root" || exit 99
        exec timeout --kill-after=5 120 systemd-nspawn --quiet --directory="$0/root" --volatile=overlay --boot --keep-unit --register=no --console=pipe --link-journal=no \
            --bind="$0/out:/out" --bind-ro="$1:/usr/bin/qed" --bind-ro="$2:/sample" --bind-ro="$0/try.service:/etc/systemd/system/try.service" -- systemd.unit=try.service
        """;

    /// <summary>The commands of docs/raspberry-pi.md, then the service twice: the first time its folder is not there yet.</summary>
    private const string Script = """
        [Unit]
        DefaultDependencies=no
        [Service]
        Type=oneshot
        WorkingDirectory=/out
        StandardError=file:/out/errors
        ExecStart=-/bin/sh -e /out/script
        ExecStart=systemctl --force poweroff
        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;
    private readonly string _sample = Path.Combine(TestData.Root, "samples", "systemd");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void TheService_TellsItsStory_AndTheTimerWaits()
    {
        Tools.Require("systemd-nspawn", "unshare", "timeout");
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "containers are the superuser's");
        string document = File.ReadAllText(Path.Combine(TestData.Root, "docs", "raspberry-pi.md"));
        string[] commands = [.. document.Split('\n').Where(line => line.StartsWith("sudo ", StringComparison.Ordinal) && line.Contains("qed-story"))];
        Assert.Equal(2, commands.Length);
        string output = Directory.CreateDirectory(Path.Combine(_folder, "out")).FullName;
        Directory.CreateDirectory(Path.Combine(_folder, "root"));
        File.WriteAllText(Path.Combine(_folder, "try.service"), Script);
        File.WriteAllText(Path.Combine(output, "script"), string.Join('\n', [
            .. commands.Select(command => command["sudo ".Length..].Replace("samples/systemd", "/sample")),
            "systemctl is-active qed-story.timer > timer",
            "systemctl start qed-story || journalctl --no-pager -u qed-story >&2",
            "cp /var/lib/qed/story.txt first",
            "echo spoiled > /var/lib/qed/story.txt",
            "systemctl start qed-story",
            "cp /var/lib/qed/story.txt second",
            "stat --format=%U /var/lib/private/qed/story.txt > owner\n",
        ]));

        ProgramResult result = Tools.Run("unshare", ["--mount", "sh", "-c", Container, _folder, PublishedPrograms.File("qed", "x64"), _sample]);

        Assert.SkipWhen(result.ExitCode == 99 || result.Error.StartsWith("unshare:", StringComparison.Ordinal), $"nothing can be mounted here: {result.Error}");
        string Read(string name) => File.Exists(Path.Combine(output, name)) ? File.ReadAllText(Path.Combine(output, name)) : $"no file '{name}': {result.Output}{result.Error}";
        Assert.Equal("Created symlink /etc/systemd/system/timers.target.wants/qed-story.timer → /etc/systemd/system/qed-story.timer.\n", Read("errors"));
        Assert.Equal("active\n", Read("timer"));
        string expected = PublishedPrograms.Run("qed", "x64", "generate", "Once upon a time", "-n", "200", "--ctx-size", "512").Output;
        Assert.InRange(Read("first").Length, expected.Length / 4, expected.Length * 4); // another seed, so another story
        Assert.InRange(Read("second").Length, expected.Length / 4, expected.Length * 4);
        Assert.DoesNotContain("spoiled", Read("second"));
        Assert.NotEqual("root\n", Read("owner"));
    }

    [Fact]
    public void TheUnits_AreWithoutFault()
    {
        Tools.Require("systemd-analyze");
        ProgramResult result = Tools.Run("systemd-analyze", ["verify", "--man=no", Path.Combine(_sample, "qed-story.service"), Path.Combine(_sample, "qed-story.timer")]);
        Assert.Equal((0, "", ""), (result.ExitCode, result.Output, result.Error));
    }
}
