using System.Globalization;
using QedEdge.Conversion;

namespace QedEdge.Tests.Published;

/// <summary>Systems that refuse what every program takes for granted: descriptors, threads, devices. The programs work, or say in one line what is missing.</summary>
public sealed class StartTests : IDisposable
{
    private const string Program = "qed", Converter = "qed-convert";

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public StartTests() => OpenToAll(_folder);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Everybody may open /dev/null, and so lock it.</summary>
    [Theory]
    [InlineData(Program, "--version")]
    [InlineData(Program, "generate", "Once", "-n", "1")]
    [InlineData(Converter, "--version")]
    public void AnothersLockOnNull_IsNothingToUs(string program, params string[] arguments) =>
        AssertWorks(WithNull("666", "exec flock /dev/null \"$0\" \"$@\"", program, arguments));

    /// <summary>And we hold none that would keep others out.</summary>
    [Fact]
    public void WeLockNeitherNullNorAModel()
    {
        Tools.Require("flock");
        const string script = """
            (sleep 2; echo Once) | "$0" generate -m "$1" - -n 1 <&0 >/dev/null &
            sleep 1
            flock -n /dev/null true && flock -n "$1" true || echo locked
            wait
            """;
        string model = Model();
        ProgramResult result = WithNull("666", script, Program, model); // one of its own: on a busy machine others lock theirs
        Assert.Equal((0, "", ""), (result.ExitCode, result.Output, result.Error));
        AssertWorks(Tools.Run("flock", [model, PublishedPrograms.File(Program, "x64"), "generate", "-m", model, "Once", "-n", "1"]));
    }

    [Theory]
    [InlineData(Program)]
    [InlineData(Converter)]
    public void ANullThatCannotBeRead_IsDoneWithout(string program) =>
        AssertWorks(WithNull("600", "exec setpriv --reuid 65534 --regid 65534 --clear-groups \"$0\" \"$@\" 2>&-", program, "--version"));

    [Theory]
    [InlineData(Program)]
    [InlineData(Converter)]
    public void ARootWithNothingElse_IsEnough(string program)
    {
        Tools.Require("unshare");
        string root = Path.Combine(_folder, "root");
        const string script = """
            mkdir "$1" && cp "$0" "$1/program" && exec unshare --map-root-user --root "$1" /program --version
            """;
        AssertWorks(Tools.Run("bash", ["-c", script, PublishedPrograms.File(program, "x64"), root]));
        if (program == Converter)
            return;
        ProgramResult text = Tools.Run("unshare", ["--map-root-user", "--root", root, "/program", "generate", "Once", "-n", "3", "--seed", "1"]);
        Assert.Equal(PublishedPrograms.Run(program, "x64", "generate", "Once", "-n", "3", "--seed", "1"), text);
    }

    [Theory]
    [InlineData(Program, "--version")]
    [InlineData(Program, "generate", "Once", "-n", "1")]
    [InlineData(Program, "inspect")]
    [InlineData(Converter, "--version")]
    [InlineData(Converter, "CHECKPOINT", "-o", "OUTPUT", "--force")]
    public void FewDescriptors_AreEnough_OrNamed(string program, params string[] arguments)
    {
        const int Needed = 12;
        string[] given = [.. arguments.Select(argument => argument == "CHECKPOINT" ? TestData.GoldenCases.First() : argument == "OUTPUT" ? Path.Combine(_folder, "output") : argument)];
        for (int most = 4; most <= Needed; most++) // the standard ones and one more
        {
            ProgramResult result = Tools.Run("bash", ["-c", $"ulimit -n {most}; exec \"$0\" \"$@\"", PublishedPrograms.File(program, "x64"), .. given]);
            if (result.ExitCode != 0 && most < Needed)
                OneLine.AssertError(result.ExitCode == 3 ? 3 : 1, result);
            else
                Assert.True(result.ExitCode == 0, result.Error);
        }
    }

    /// <summary>As docker's --pids-limit and systemd's TasksMax: results do not depend on the threads, so those that start are enough.</summary>
    [Fact]
    public void FewerThreadsThanAskedFor_AreEnough()
    {
        string qed = Copy(Program), converter = Copy(Converter), checkpoint = TestData.GoldenCases.First(), expected = Path.Combine(_folder, "expected"), output = Path.Combine(_folder, "output");
        foreach (string file in Directory.EnumerateFiles(checkpoint))
            File.Copy(file, Path.Combine(Directory.CreateDirectory(Path.Combine(_folder, "checkpoint")).FullName, Path.GetFileName(file)));
        CheckpointConverter.Convert(checkpoint, expected, new ConversionOptions());
        string text = PublishedPrograms.Run(Program, "x64", "generate", "Once", "-n", "3", "--seed", "1").Output;
        OpenToAll(Directory.CreateDirectory(Path.Combine(_folder, "output")).FullName, everything: true);
        for (int most = 2; most <= 6; most++)
        {
            Assert.Equal(new ProgramResult(0, text, ""), WithProcesses(most, qed, "generate", "Once", "-n", "3", "--seed", "1", "-t", "8"));
            string file = Path.Combine(output, most.ToString(CultureInfo.InvariantCulture));
            ProgramResult converted = WithProcesses(most, converter, Path.Combine(_folder, "checkpoint"), "-o", file, "-t", "8");
            Assert.True(converted.ExitCode == 0, converted.Error);
            Assert.Equal(File.ReadAllBytes(expected), File.ReadAllBytes(file));
        }
    }

    /// <summary>A signal that comes when no thread can be started for it: work ends in order, waiting at once.</summary>
    [Theory]
    [InlineData(2, 130, "", Program, "generate", "-m", "MODEL", "Once", "-n", "100000000", "--overflow", "slide", "--ignore-eos", "-t", "8")]
    [InlineData(1, 130, "", Program, "generate", "-m", "MODEL", "Once", "-n", "100000000", "--overflow", "slide", "--ignore-eos", "-t", "8")]
    [InlineData(15, 143, "", Program, "batch", "-m", "MODEL", "-i", "PIPE")]
    [InlineData(15, 130, "error: interrupted; nothing was written\n", Converter, "random", "CONFIG", "-o", "OUTPUT")]
    public void ASignalWithoutAThreadToSpare_EndsTheProgram(int signal, int exitCode, string error, string program, params string[] arguments)
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "only the superuser can become another");
        Tools.Require("setpriv");
        string pipe = Path.Combine(_folder, "pipe"), config = Path.Combine(_folder, "config.json"), output = Path.Combine(_folder, "output");
        Assert.Equal(0, Tools.Run("mkfifo", ["-m", "666", pipe]).ExitCode);
        OpenToAll(Directory.CreateDirectory(output).FullName, everything: true);
        File.WriteAllText(config, File.ReadAllText(Path.Combine(TestData.TinyQed, "config.json")).Replace("\"n_layers\": 8", "\"n_layers\": 800").Replace("\"d_model\": 128", "\"d_model\": 1024"));
        string[] given = [.. arguments.Select(argument => argument switch { "MODEL" => Model(), "PIPE" => pipe, "CONFIG" => config, "OUTPUT" => output, _ => argument })];
        const string script = """
            env --default-signal setpriv --reuid 64318 --regid 64318 --clear-groups bash -c 'ulimit -u 3; exec "$0" "$@"' "${@:2}" &
            until grep -qs 'Threads:.*3' /proc/$!/status; do sleep 0.05; done
            sleep 0.3
            kill -$1 $!
            wait $!
            """;
        ProgramResult result = Tools.Run("bash", ["-c", script, "bash", $"{signal}", Copy(program), .. given]);
        Assert.Equal((exitCode, error), (result.ExitCode, result.Error));
        Assert.Empty(Directory.EnumerateFileSystemEntries(output));
    }

    private static void AssertWorks(ProgramResult result) => Assert.Equal((0, ""), (result.ExitCode, result.Error));

    /// <summary>Runs a script in which /dev/null is another one, of this mode.</summary>
    private ProgramResult WithNull(string mode, string script, string program, params string[] arguments)
    {
        Tools.Require("unshare", "setpriv", "flock");
        string device = Path.Combine(_folder, "null");
        Assert.SkipUnless(Tools.Run("mknod", ["-m", mode, device, "c", "1", "3"]).ExitCode == 0, "devices cannot be made here");
        ProgramResult result = Tools.Run("unshare", ["--mount", "bash", "-c", $"mount --bind {device} /dev/null || exit 99; {script}", Copy(program), .. arguments]);
        Assert.SkipWhen(result.ExitCode == 99, $"nothing can be mounted here: {result.Error}");
        return result;
    }

    /// <summary>Runs a program as a user of its own who may have so many processes and threads.</summary>
    private static ProgramResult WithProcesses(int most, string program, params string[] arguments)
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "only the superuser can become another");
        Tools.Require("setpriv");
        return Tools.Run("setpriv", ["--reuid", "64317", "--regid", "64317", "--clear-groups", "bash", "-c", $"ulimit -u {most}; exec \"$0\" \"$@\"", program, .. arguments]);
    }

    private string Model()
    {
        string model = Path.Combine(_folder, "model.gguf");
        CheckpointConverter.Convert(TestData.TinyQed, model, new ConversionOptions());
        return model;
    }

    /// <summary>An executable where every user finds it.</summary>
    private string Copy(string program)
    {
        string copy = Path.Combine(_folder, program);
        File.Copy(PublishedPrograms.File(program, "x64"), copy, overwrite: true);
        return copy;
    }

    private static void OpenToAll(string folder, bool everything = false)
    {
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(folder, (UnixFileMode)(everything ? 0x1FF : 0x1ED)); // 0777, 0755
    }
}
