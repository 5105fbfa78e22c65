using System.Diagnostics;
using System.Runtime.InteropServices;
using QedEdge.Conversion;
using QedEdge.Quantization;

namespace QedEdge.Tests.Published;

/// <summary>
/// Every command that writes, ended at random moments by kill -9, SIGTERM, SIGHUP and Ctrl-C: an output is whole or not there, and the next run leaves nothing but its output.
/// </summary>
public sealed partial class KilledRunTests : IDisposable
{
    private const int Hangup = 1, Interrupt = 2, Kill = 9, Terminate = 15;
    private const int Kills = 6; // of each command; besides two of each other signal

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;
    private readonly string _output;
    private readonly Random _random = new(19);

    public KilledRunTests() => _output = Directory.CreateDirectory(Path.Combine(_folder, "output")).FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Command lines of the shell: $q and $c are the programs, $m a model, $t a text, $l lines, $k a checkpoint; what may be left of a run that was ended.</summary>
    public static TheoryData<string, string> Commands => new()
    {
        { "$c $k -o out --type q4_0 --force -t 1", "" },
        { "$c $k -o out --type q4_0 --force --measure $t --card out.md", "out.md" },
        { "$c $k -o out --type q4_0 --force --calibrate $t", ".out.work" },
        { "$c repack $m -o out --layout plain --force", "" },
        { "$c random $k/config.json -o . --force", "" },
        { "$q logits -m $m --tokens $(seq -s, 1 200) -o out --force", "" },
        { "$q bake -m $m -f $t -o out --force", "" },
        { "$q bundle -m $m -o out --force", "" },
        { "$q bundle --extract $b -o . --force", "" },
        { "$q batch -m $m -i $l -o out --seed 1 --force", "out.part" },
        { "$q eval -m $m $e --limit 2 -o out --force", "out.part" },
        { "$q generate -m $m -f $t --prompt-cache out -n 2 --seed 1", "" },
        { "$q score -m $m -f $t --html out --force", "" },
        { "$q perplexity -m $m -f $t --plot out --ctx-size 32 --force", "" },
        { "$q chat -m $m -n 5 --seed 1 --load-session $s < <(printf 'Hello\\n/save out\\n')", "" },
    };

    [Theory]
    [MemberData(nameof(Commands))]
    public void NothingIsLeft_ThatTheNextRunDoesNotTakeOver(string command, string mayBeLeft)
    {
        Tools.Require("bash", "env");
        var clock = Stopwatch.StartNew();
        Assert.Equal(0, Run(command));
        TimeSpan whole = clock.Elapsed;
        Dictionary<string, byte[]> expected = Files();

        foreach (int signal in new[] { Interrupt, Terminate, Hangup, Interrupt, Terminate, Hangup })
        {
            Empty();
            int code = Run(command, signal, whole * _random.NextDouble());
            Assert.True(code is 0 or 130 || code == 128 + signal, $"{code} after signal {signal}");
            AssertWhole(expected);
            if (code != 128 + signal) // else it came when nobody listened yet, or no more
                Assert.DoesNotContain(Files().Keys, file => !expected.ContainsKey(file) && file != mayBeLeft);
        }
        Empty();
        for (int i = 0; i < Kills; i++)
        {
            Run(command, Kill, whole * _random.NextDouble());
            AssertWhole(expected);
        }
        if (command.Contains("chat"))
            File.Delete(Path.Combine(_output, "out")); // another conversation's is not replaced
        Assert.Equal(0, Run(command));
        Assert.Equal(expected.Keys.Order(), Files().Keys.Order());
        AssertWhole(expected);
    }

    /// <summary>Runs a command line in the output's folder; a signal ends it after a while.</summary>
    private int Run(string command, int signal = 0, TimeSpan after = default)
    {
        var start = new ProcessStartInfo("env", ["--default-signal", "bash", "-c", $"exec {command}"]) { WorkingDirectory = _output, RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        foreach ((string name, string value) in Variables())
            start.Environment[name] = value;
        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        if (signal != 0)
        {
            Thread.Sleep(after);
            _ = SendSignal(process.Id, signal);
        }
        Assert.True(process.WaitForExit(TimeSpan.FromMinutes(2)), $"{command} does not end");
        Assert.DoesNotContain("unexpected", error.Result);
        Assert.True(signal != 0 || process.ExitCode == 0, output.Result + error.Result);
        return process.ExitCode;
    }

    private Dictionary<string, string> Variables()
    {
        string In(string name) => Path.Combine(_folder, name);
        var variables = new Dictionary<string, string>
        {
            ["q"] = PublishedPrograms.File("qed", "x64"),
            ["c"] = PublishedPrograms.File("qed-convert", "x64"),
            ["k"] = TestData.TinyQed,
            ["e"] = Path.Combine(TestData.Root, "samples", "eval"),
            ["m"] = In("model"),
            ["t"] = In("text"),
            ["l"] = In("lines"),
            ["b"] = In("bundle"),
            ["s"] = In("session"),
        };
        if (File.Exists(variables["m"]))
            return variables;
        CheckpointConverter.Convert(TestData.TinyQed, variables["m"], new ConversionOptions { Type = BlockFormat.Q4_0 });
        File.WriteAllLines(variables["t"], File.ReadLines(Path.Combine(TestData.TinyQed, "calibration.txt")).Take(1));
        File.WriteAllLines(variables["l"], Enumerable.Range(0, 40).Select(i => $$"""{"id":{{i}},"prompt":"Once upon a time","max_tokens":20}"""));
        Assert.Equal(0, Tools.Run(variables["q"], ["bundle", "-m", variables["m"], "-o", variables["b"]]).ExitCode);
        Assert.Equal(0, Tools.Run("bash", ["-c", "printf 'Hello\\n/save session\\n' | $q chat -m $m -n 5 --seed 1"], start =>
        {
            start.WorkingDirectory = _folder;
            (start.Environment["q"], start.Environment["m"]) = (variables["q"], variables["m"]);
        }).ExitCode);
        return variables;
    }

    private void AssertWhole(Dictionary<string, byte[]> expected)
    {
        foreach ((string name, byte[] content) in Files())
        {
            if (expected.TryGetValue(name, out byte[]? whole))
                Assert.True(whole.AsSpan().SequenceEqual(content), name);
        }
    }

    private Dictionary<string, byte[]> Files() => new DirectoryInfo(_output).EnumerateFiles("*", new EnumerationOptions { AttributesToSkip = default })
        .ToDictionary(file => file.Name, file => File.ReadAllBytes(file.FullName));

    private void Empty()
    {
        foreach (string name in Files().Keys)
            File.Delete(Path.Combine(_output, name));
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int SendSignal(int process, int signal);
}
