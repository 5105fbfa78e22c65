using QedEdge.Conversion;

namespace QedEdge.Tests.Published;

/// <summary>docs/raspberry-pi.md: small and locked-down systems, and the Debian package.</summary>
public sealed class SmallSystemTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void AReadOnlyRoot_AndNoHome_AreEnough()
    {
        // The whole tree read-only, in a namespace of its own.
        const string script = """
            mount --make-rprivate / && mount -o remount,ro,bind / || exit 99
            touch "$1/file" 2>/dev/null && exit 98
            exec env -i "$0" generate "Once upon a time" -n 5 --seed 1
            """;
        Tools.Require("unshare", "mount");
        string program = PublishedPrograms.File("qed", "x64"), place = Directory.CreateDirectory(Path.Combine(TestData.Root, "artifacts", "read-only")).FullName;
        ProgramResult result = Tools.Run("unshare", ["--mount", "sh", "-c", script, program, place]);
        if (result.ExitCode == 1 && result.Error.StartsWith("unshare:", StringComparison.Ordinal)) // not root
            result = Tools.Run("unshare", ["--mount", "--user", "--map-root-user", "sh", "-c", script, program, place]);
        Assert.SkipWhen(result.ExitCode == 99 || result.Error.StartsWith("unshare:", StringComparison.Ordinal), $"nothing can be mounted here: {result.Error}");
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.Equal(PublishedPrograms.Run("qed", "x64", "generate", "Once upon a time", "-n", "5", "--seed", "1").Output, result.Output);
    }

    [Fact]
    public void AHundredAndSixtyMegabytesOfAddressSpace_BesideTheFile_AreEnough()
    {
        Tools.Require("prlimit");
        string model = Path.Combine(_folder, "qed.gguf"), document = File.ReadAllText(Path.Combine(TestData.Root, "docs", "raspberry-pi.md"));
        CheckpointConverter.Convert(TestData.TinyQed, model, new ConversionOptions());
        string command = document.Split('\n').Single(line => line.Contains("prlimit"));
        for (int i = 0; i < 5; i++) // it depended on chance without the variable
        {
            ProgramResult result = Tools.Run("bash", ["-c", command], start =>
            {
                start.WorkingDirectory = _folder;
                start.Environment["PATH"] = $"{Path.GetDirectoryName(PublishedPrograms.File("qed", "x64"))}:{start.Environment["PATH"]}";
            });
            Assert.Equal((0, ""), (result.ExitCode, result.Error));
        }
    }

    [Fact]
    public void TheDebianPackage_HoldsWhatItSays_AndIsTheSameTwice()
    {
        Tools.Require("dpkg-deb", "xz");
        string program = PublishedPrograms.File("qed", "x64"), package = Path.Combine(_folder, "qed.deb"), again = Path.Combine(_folder, "again.deb"), files = Path.Combine(_folder, "files");
        foreach (string output in new[] { package, again })
        {
            ProgramResult built = Tools.Run(Path.Combine(TestData.Root, "build", "deb.sh"), ["amd64", program, output]);
            Assert.True(built.ExitCode == 0, built.Error);
        }
        Assert.Equal(File.ReadAllBytes(package), File.ReadAllBytes(again));
        Assert.Equal(0, Tools.Run("dpkg-deb", ["-x", package, files]).ExitCode);
        Assert.Equal(File.ReadAllBytes(program), File.ReadAllBytes(Path.Combine(files, "usr/bin/qed")));
        Assert.Equal(PublishedPrograms.Run("qed", "x64", "completion", "bash").Output, File.ReadAllText(Path.Combine(files, "usr/share/bash-completion/completions/qed")));
        Assert.True(File.Exists(Path.Combine(files, "usr/share/man/man1/qed.1.gz")));
        Assert.Equal(0, Tools.Run(Path.Combine(files, "usr/bin/qed"), ["info"]).ExitCode);
    }

    /// <summary>Calibrating is linear algebra in double precision: its bytes must not depend on the processor or the number of threads either.</summary>
    [Fact]
    public void ACalibratedFile_HasTheSameBytesEverywhere()
    {
        string text = Path.Combine(_folder, "text");
        File.WriteAllLines(text, File.ReadLines(Path.Combine(TestData.TinyQed, "calibration.txt")).Take(3));
        byte[][] files = [.. new[] { ("x64", "1"), ("x64", "3"), ("cortex-a72", "2") }.Select(run =>
        {
            string file = Path.Combine(_folder, $"{run.Item1}-{run.Item2}.gguf");
            ProgramResult result = PublishedPrograms.Run("qed-convert", run.Item1, TestData.TinyQed, "-o", file, "--type", "iq4_nl", "--calibrate", text, "--threads", run.Item2);
            Assert.True(result.ExitCode == 0, result.Error);
            return File.ReadAllBytes(file);
        })];
        Assert.Equal(files[0], files[1]);
        Assert.Equal(files[0], files[2]);
    }
}
