using QedEdge.Memory;

namespace QedEdge.Tests.Published;

/// <summary>Where outputs may lie and what they may be called, for every command that writes: places that are none, links in the way, long names, bytes that are no UTF-8, modes.</summary>
public sealed class OutputPlaceTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public OutputPlaceTests()
    {
        File.WriteAllText(In("text"), "Once upon a time there was a king.");
        File.WriteAllText(In("lines"), string.Concat(Enumerable.Repeat("{\"prompt\":\"Once upon\",\"max_tokens\":9}\n", 20)));
    }

    public void Dispose() => Tools.Run("rm", ["-rf", _folder]); // .NET cannot name all that is in it

    /// <summary>Commands of the shell that write OUT; $q and $c are the programs.</summary>
    private static readonly string[] Commands =
    [
        "$c $k -o OUT",
        "$c $k -o model --force --card OUT",
        "$q logits --tokens 1,2 -o OUT",
        "$q bake Once -o OUT",
        "$q batch -i lines --seed 1 -o OUT",
        "$q eval $e --limit 1 -o OUT",
        "$q score -f text --html OUT",
        "$q perplexity -f text --plot OUT",
    ];

    [Fact]
    public void WhatIsNoPlaceForAFile_IsNamedInOneLine()
    {
        const string prepare = "ln -s loop loop; mkfifo pipe; mkdir folder; ln -s /dev/null device; python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"socket\")'";
        Tools.Require("python3", "mkfifo");
        Assert.Equal(0, Shell(prepare).ExitCode);
        foreach (string command in Commands)
        {
            foreach ((string place, string words) in new[]
            {
                ("loop", "Symbolic link loop"), ("pipe", "is a named pipe"), ("folder", "is a folder"), ("device", "is a device"), ("socket", "is a socket"), ("/dev/full", "is a device"),
                ("missing/out", "does not exist"), ("text/out", ""), (new string('n', 256), "too long"), ("/proc/self/out", ""),
            })
            {
                ProgramResult result = Shell($"{command.Replace("OUT", place)} --force");
                Assert.True(result.ExitCode == 1, $"{command} {place}: {result.ExitCode} {result.Error}");
                Assert.Equal(1, result.Error.Split('\n').Count(line => line.StartsWith("error: ", StringComparison.Ordinal)));
                Assert.Contains(words, result.Error);
                Assert.Contains(place, result.Error);
                Assert.DoesNotContain("unexpected", result.Error);
            }
        }
    }

    [Fact]
    public void LinksWhereAnOutputIsPutTogether_AreNotFollowed()
    {
        foreach (string command in Commands)
        {
            foreach (string beside in new[] { OutputNames.Temporary(In("out")), OutputNames.Part(In("out")), OutputNames.Work(In("out")) })
            {
                if ((beside.EndsWith(".part", StringComparison.Ordinal) && !command.Contains("lines") && !command.Contains("eval")) || beside.EndsWith(".work", StringComparison.Ordinal))
                    continue;
                foreach (bool dangling in new[] { false, true })
                {
                    string precious = In("precious");
                    File.Delete(precious);
                    if (!dangling)
                        File.WriteAllText(precious, "precious");
                    File.CreateSymbolicLink(beside, precious);
                    ProgramResult result = Shell(command.Replace("OUT", "out"));
                    Assert.Contains("is a link, ", result.Error);
                    Assert.Contains("remove it", result.Error);
                    Assert.Equal(dangling ? null : "precious", File.Exists(precious) ? File.ReadAllText(precious) : null);
                    Assert.False(File.Exists(In("out")));
                    File.Delete(beside);
                }
            }
        }
        string work = OutputNames.Work(In("out"));
        File.CreateSymbolicLink(work, In("precious"));
        Assert.Contains("is a link, ", Shell("$c $k -o out --calibrate text").Error);
        Assert.False(File.Exists(In("precious")));
    }

    [Fact]
    public void Names_MayBeAsLongAsTheFileSystemHasThem()
    {
        foreach (string name in new[] { new string('n', 255), new string('é', 127) })
        {
            foreach (string command in (string[])[.. Commands, "$q generate Once -n 1 --seed 1 --prompt-cache OUT"])
            {
                ProgramResult result = Shell(command.Replace("OUT", name));
                Assert.True(result.ExitCode == 0, $"{command}: {result.Error}");
                Assert.True(File.Exists(In(name)));
                File.Delete(In(name));
            }
        }
        Assert.Equal(["lines", "model", "text"], Directory.EnumerateFileSystemEntries(_folder).Select(Path.GetFileName).Order());
    }

    [Theory]
    [InlineData("$q bake Once -o $'out\\377.gguf'", "'out\\xff.gguf' is no UTF-8")]
    [InlineData("$c $k -o $'out\\350.gguf'", "'out\\xe8.gguf' is no UTF-8")]
    [InlineData("$q inspect -m $'in\\377'", "'in\\xff' is no UTF-8")]
    [InlineData("$q generate $'\\303(' -n 1", "'\\xc3(' is no UTF-8")]
    [InlineData("mkdir $'\\377'; cd $'\\377'; $q bake Once -o out", "out: the name of the folder it is looked up in is no UTF-8")]
    [InlineData("mkdir $'\\376'; cd $'\\376'; $c $k -o out", "out: the name of the folder it is looked up in is no UTF-8")]
    public void WhatIsNoUtf8_IsRefused_AndNothingIsWritten(string command, string words)
    {
        ProgramResult result = Shell(command);
        OneLine.AssertError(2, result);
        Assert.Contains(words, result.Error);
        Assert.Equal(["lines", "text"], Directory.EnumerateFiles(_folder).Select(Path.GetFileName).Order());
    }

    /// <summary>The character that stands for such bytes can be typed as well; and where no file is named, the folder does not matter.</summary>
    [Theory]
    [InlineData("$q bake Once -o $'out\\357\\277\\275' && test -f $'out\\357\\277\\275'")]
    [InlineData("mkdir $'\\375'; cd $'\\375'; $q generate Once -n 1")]
    [InlineData("mkdir $'\\375'; cd $'\\375'; $q bake Once -o $OLDPWD/out")]
    public void WhatIsUtf8_IsNot(string command) => Assert.Equal((0, ""), (Shell(command) is var result ? result.ExitCode : 0, result.Error.StartsWith("error", StringComparison.Ordinal) ? result.Error : ""));

    [Fact]
    public void CachesAndSessions_BeginPrivate_AndWhatIsReplacedKeepsItsMode()
    {
        const string script = """
            umask 022
            mode() { stat -c %a "$1"; }
            $q generate Once -n 1 --prompt-cache cache > /dev/null; mode cache
            printf 'Hi\n/save session\n' | $q chat -n 1 > /dev/null 2>&1; mode session
            $q logits --tokens 1 -o logits > /dev/null; mode logits
            for mode in 600 440 755; do
                for command in "$c $k -o" "$q logits --tokens 1 -o" "$q bake Once -o" "$q batch -i lines --seed 1 -o" "$q eval $e --limit 1 -o" "$q score -f text --html" "$q perplexity -f text --plot"; do
                    echo old > out; chmod $mode out
                    $command out --force > /dev/null 2>&1 || echo failed: $command
                    test $(mode out) = $mode || echo $command: $(mode out)
                done
            done
            chmod 644 cache; $q generate Twice upon -n 1 --prompt-cache cache > /dev/null; mode cache
            """;
        ProgramResult result = Shell(script);
        Assert.Equal("600\n600\n644\n644\n", result.Output);
    }

    [Fact]
    public void AFileThatMayNotGrow_IsSaid()
    {
        foreach (string command in new[] { "$q batch -i lines --seed 1 -o out", "$q eval $e -o out" })
        {
            ProgramResult result = Shell($"(ulimit -f 1; exec {command})");
            OneLine.AssertError(1, result);
            Assert.Contains("out.part: cannot be written: the file system or 'ulimit -f' allows no file of this size; --resume goes on when there is room", result.Error);
            Assert.Equal(0, Shell($"{command} --resume").ExitCode);
            Assert.Equal(0, Shell($"mv out resumed; {command}; cmp out resumed; rm out resumed").ExitCode);
        }
    }

    /// <summary>A system without /dev: names of temporary files are not drawn at random.</summary>
    [Fact]
    public void NoDevices_AreNeeded()
    {
        const string script = """
            mkdir root; cp $q root/qed
            exec unshare --user --map-root-user chroot root /qed bake Once -o /out
            """;
        Tools.Require("unshare");
        ProgramResult result = Shell(script);
        Assert.SkipWhen(result.Error.StartsWith("unshare:", StringComparison.Ordinal), $"no root of its own can be had here: {result.Error}");
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.True(File.Exists(In("root/out")));
    }

    private string In(string name) => Path.Combine(_folder, name);

    private ProgramResult Shell(string script)
    {
        Tools.Require("bash");
        return Tools.Run("bash", ["-c", script], start =>
        {
            start.WorkingDirectory = _folder;
            start.Environment["q"] = PublishedPrograms.File("qed", "x64");
            start.Environment["c"] = PublishedPrograms.File("qed-convert", "x64");
            start.Environment["k"] = TestData.TinyQed;
            start.Environment["e"] = Path.Combine(TestData.Root, "samples", "eval");
        });
    }
}
