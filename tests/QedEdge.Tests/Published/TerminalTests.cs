using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;

namespace QedEdge.Tests.Published;

/// <summary>Signals, terminals and conversations, as somebody at a keyboard has them.</summary>
public sealed partial class TerminalTests : IDisposable
{
    private const string CtrlC = "\x03", CtrlD = "\x04";

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(2)]
    [InlineData(15)]
    public void Generate_StoppedByASignal_KeepsWhatWasPrinted_AndEndsWith130(int signal)
    {
        var start = new ProcessStartInfo("env", ["--default-signal", PublishedPrograms.File("qed", "x64"), "generate", "Once upon a time", "-n", "900", "--ignore-eos", "--seed", "1", "-t", "1", "--isa", "scalar"])
        { RedirectStandardOutput = true, RedirectStandardError = true, StandardOutputEncoding = Encoding.UTF8 };
        using Process process = Process.Start(start)!;
        var first = new char[40];
        Assert.Equal(40, process.StandardOutput.ReadBlock(first)); // it streams
        Assert.Equal(0, Kill(process.Id, signal));
        string rest = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.Equal((130, ""), (process.ExitCode, process.StandardError.ReadToEnd()));
        string whole = PublishedPrograms.Run("qed", "x64", "generate", "Once upon a time", "-n", "900", "--ignore-eos", "--seed", "1").Output, text = (new string(first) + rest).TrimEnd('\n');
        Assert.StartsWith(text, whole);
        Assert.True(text.Length < whole.Length / 2);
    }

    [Theory]
    [InlineData("-c 16 -n 100", "(the context of 16 tokens is full; --overflow slide goes on)")]
    [InlineData("-c 16 -n 3", "(cut after 3 tokens; -n allows more)")]
    [InlineData("-c 16 -n 40 --overflow slide", "(cut after 40 tokens; -n allows more)")]
    public void Generate_SaysOnATerminal_WhyTheTextEnds(string options, string note)
    {
        Tools.Require("script");
        string command = $"{PublishedPrograms.File("qed", "x64")} generate Once --ignore-eos --seed 1 {options}";
        Assert.EndsWith($"\n{note}\n", Tools.Run("script", ["-qec", command, "/dev/null"]).Output.Replace("\r\n", "\n"));
        Assert.DoesNotContain(note, Tools.Run("sh", ["-c", $"{command} 2>&1"]).Output); // a pipe gets the text alone
    }

    /// <summary>No number is broken into two lines.</summary>
    [Theory]
    [InlineData(80, "test     depth seqs threads  tokens/s")]
    [InlineData(60, "test pp2\n  depth 0\n  seqs 1\n")]
    public void Bench_IsATableWhereItFits(int columns, string expected)
    {
        Tools.Require("script");
        string command = $"stty cols {columns}; {PublishedPrograms.File("qed", "x64")} bench -p 2 -n 0 -r 1 -t 1";
        Assert.Contains(expected, Tools.Run("script", ["-qec", command, "/dev/null"]).Output.Replace("\r\n", "\n"));
    }

    [Theory]
    [InlineData(80, "type        tensors  values bits/value     size largest error mean error\n")]
    [InlineData(40, "type F32\n  tensors ")]
    public void Convert_PrintsATableWhereItFits(int columns, string expected)
    {
        Tools.Require("script");
        string command = $"stty cols {columns}; {PublishedPrograms.File("qed-convert", "x64")} {TestData.GoldenCases.First()} -o {Path.Combine(_folder, "model.gguf")}";
        ProgramResult result = Tools.Run("script", ["-qec", command, "/dev/null"]);
        Assert.Equal(0, result.ExitCode);
        Assert.Contains(expected, result.Output.Replace("\r\n", "\n"));
    }

    /// <summary>Names are bytes that .NET cannot say where they are no UTF-8: refused, and the conversation goes on.</summary>
    [Fact]
    public void Chat_AFileNameThatIsNoUtf8_IsRefused()
    {
        ProgramResult result = Tools.Run("bash", ["-c", $"printf 'Hi\n/save a\\xff\n/load a\\xff\n/save b\n' | {PublishedPrograms.File("qed", "x64")} chat -n 1 --greedy"], start => start.WorkingDirectory = _folder);
        Assert.Equal(0, result.ExitCode);
        foreach (string word in new[] { "/save", "/load" })
            Assert.Contains($"error: the file's name is no UTF-8; {word} takes another\n", result.Error);
        Assert.Equal(["b"], Directory.GetFileSystemEntries(_folder).Select(Path.GetFileName));
    }

    /// <summary>Whatever waits for its input ends at the first signal.</summary>
    [Theory]
    [InlineData("score", "-")]
    [InlineData("batch", "-i", "-")]
    [InlineData("eval", "--task", "mmlu=-")]
    [InlineData("choose", "-", "--choice", "a")]
    public void WaitingForInput_EndsAtTheFirstSignal(params string[] arguments)
    {
        var start = new ProcessStartInfo("env", ["--default-signal", PublishedPrograms.File("qed", "x64"), .. arguments]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Thread.Sleep(500);
        Assert.False(process.HasExited);
        Assert.Equal(0, Kill(process.Id, 15));
        Assert.True(process.WaitForExit(TimeSpan.FromSeconds(30)), "the program does not end");
    }

    /// <summary>A signal that comes while an answer ends must find what it cancels.</summary>
    [Fact]
    public async Task Chat_UnderManySignals_DoesNotCrash()
    {
        var start = new ProcessStartInfo("env", ["--default-signal", PublishedPrograms.File("qed", "x64"), "chat", "-n", "1", "--greedy", "-c", "64"]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        await process.StandardInput.WriteAsync("hi\n");
        Assert.Equal(1, process.StandardOutput.ReadBlock(new char[1])); // it listens to signals now
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task input = Task.Run(() =>
        {
            for (int i = 0; i < 3000; i++)
                process.StandardInput.Write("hi\n");
        });
        while (!input.IsCompleted && !process.HasExited)
        {
            _ = Kill(process.Id, 2);
            Thread.Sleep(1);
        }
        await input;
        process.StandardInput.Close(); // no signal comes when it has ceased to listen
        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
        Assert.DoesNotContain("xception", await error);
        await output;
    }

    [Fact]
    public void Progress_IsALineThatChangesOnATerminal_AndNothingShortInALog()
    {
        string text = Path.Combine(_folder, "text");
        File.WriteAllLines(text, File.ReadLines(Path.Combine(TestData.TinyQed, "heldout.txt")).Take(40));
        string shown = OnTerminal($"perplexity -f {text} --isa scalar -t 1 >/dev/null");
        Assert.Matches(@"\r *\d+%  \d+ tokens, [\d.]+/s, \d+:\d\d left", shown);
        Assert.EndsWith(" \rexit 0", shown); // and is wiped
        Assert.Equal("", PublishedPrograms.Run("qed", "x64", "perplexity", "-f", text).Error);
    }

    [Fact]
    public void Generate_FromALongPrompt_ShowsHowFarItIs_ThenTheTextAlone()
    {
        string text = Path.Combine(_folder, "text"), options = $"--overflow slide -n 5 --seed 1 -f {text}", slowly = "generate --isa scalar -t 1 " + options;
        File.WriteAllLines(text, File.ReadLines(Path.Combine(TestData.TinyQed, "heldout.txt")).Take(20));
        string plain = PublishedPrograms.Run("qed", "x64", ["generate", .. options.Split(' ')]).Output, shown = OnTerminal(slowly);
        Assert.Matches(@"\r *\d+%  \d+ tokens of the prompt, [\d.]+/s, \d+:\d\d left", shown);
        Assert.EndsWith($" \r{plain}(cut after 5 tokens; -n allows more)\nexit 0", shown);
        Assert.EndsWith(" \r\nexit 130", OnTerminal(slowly, ("tokens of the prompt", CtrlC)));
    }

    [Fact]
    public void Chat_OnATerminal_ShowsHowFarEachLongMessageIs()
    {
        string message = string.Concat(Enumerable.Repeat("the king and the queen ", 80));
        string shown = OnTerminal("chat --greedy -n 3 -t 1 --isa scalar", ("> ", message + "\n"), ("tokens of the prompt", ""), ("> ", message + "\n"), ("tokens of the prompt", ""), ("> ", CtrlD));
        Assert.EndsWith("exit 0", shown);
    }

    [Fact]
    public void Chat_OnATerminal_StopsAnAnswerAtCtrlC_AndEndsAtCtrlD()
    {
        string shown = OnTerminal("chat --seed 1 -n 100000 --ignore-eos -t 1 --isa scalar",
            ("> ", "Hello\n"), ("Hello\r\n", ""), (" ", CtrlC), ("> ", "\n"), ("> ", CtrlC), ("Ctrl-D ends)", "/help\n"), ("/exit", ""), ("> ", CtrlD));
        Assert.Contains("/help lists what can be typed", shown);
        Assert.Contains("(Ctrl-C again or Ctrl-D ends)", shown); // the second one: a line stood between
        Assert.Contains("/save FILE", shown);
        Assert.DoesNotContain("error", shown);
        Assert.EndsWith("\nexit 0", shown); // at the beginning of a line, where the shell's prompt goes
    }

    [Fact]
    public void Chat_ThroughAPipe_AnswersLineByLine_AndObeysSlashes()
    {
        string saved = Path.Combine(_folder, "saved");
        ProgramResult result = Chat($"Tell me about the king\n/save {saved}\nAnd the queen?\\\nor the princess\n/bogus\n/save\n/load {_folder}/nothing\n\"\"\"\nline one\nline two\n\"\"\"\n/system You are a king.\nHello\n/exit\nnever read\n", "-n", "12", "--verbose-prompt");
        Assert.Equal(0, result.ExitCode);
        string[] errors = [.. result.Error.Split('\n').Where(line => line.StartsWith("error: "))];
        Assert.Equal(3, errors.Length);
        Assert.Contains("unknown: /bogus", errors[0]);
        Assert.Contains("needs a file name", errors[1]);
        Assert.Contains($"{_folder}/nothing: there is no such file", errors[2]);
        Assert.DoesNotContain("never", result.Error);
        // Each turn feeds only what is new: the begin token comes first, and again after /system, which forgets all that was computed.
        Assert.Equal(2, result.Error.Split('\n').Count(line => line.EndsWith(" <bos>")));

        // What was saved goes on as the conversation did.
        Assert.True(File.Exists(saved));
        ProgramResult again = Chat("/save " + saved + "\n", "-n", "5"), loaded = Chat("Hm\n/save " + saved + "\n", "-n", "5", "--load-session", saved);
        Assert.DoesNotContain("unknown", Chat("\"\"\"\n/no command in a block\n\"\"\"\n", "-n", "2").Error);
        Assert.Contains("exists already", again.Error); // of another conversation
        Assert.DoesNotContain("--force", again.Error); // which /save does not have
        Assert.Contains("a file of that name is ./-", Chat("/save -\n", "-n", "2").Error);
        Assert.DoesNotContain("error", loaded.Error);
    }

    [Fact]
    public void Chat_TakesBackAndAnswersAgain()
    {
        string[] options = ["-n", "8", "--greedy"];
        ProgramResult plain = Chat("The king was old\nAnd then?\n", options);
        ProgramResult again = Chat("/undo\n/retry\nWhat?\n/undo\nThe king was old\n/retry\nAnd then?\n/status\n", options);
        string[] answers = plain.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries), retried = again.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal([answers[0], answers[0], answers[1]], retried[1..]); // behind the answer that was taken back
        Assert.Equal(2, again.Error.Split('\n').Count(line => line == "error: no message was answered yet"));
        Assert.Contains("taken back: What?", again.Error);
        Assert.Contains("4 messages, ", again.Error);
    }

    /// <summary>What was taken back is not saved: the tokens are those of before, and what the template puts behind an answer.</summary>
    [Fact]
    public void Chat_SavesNothingThatWasTakenBack()
    {
        string before = Path.Combine(_folder, "before"), after = Path.Combine(_folder, "after"), empty = Path.Combine(_folder, "empty");
        ProgramResult result = Chat($"The king was old\n/save {before}\nWhat did the queen say?\n/undo\n/save {after}\n/undo\n/save {empty}\n", "-n", "8", "--greedy");
        Assert.InRange(Tokens(after) - Tokens(before), 0, 2);
        Assert.Equal(0, Tokens(empty));

        int Tokens(string file) => int.Parse(result.Error.Split('\n').Single(line => line.StartsWith(file + ": ", StringComparison.Ordinal)).Split(' ')[1]);
    }

    [Fact]
    public void Chat_SavesTextForPeople()
    {
        string file = Path.Combine(_folder, "story.md");
        ProgramResult result = Chat($"The king was old\n/save {file}\n/save {file}\n", "-n", "8", "--greedy", "--system", "Be brief.");
        Assert.Equal($"**system**\n\nBe brief.\n\n**user**\n\nThe king was old\n\n**assistant**\n\n{result.Output.Trim()}\n\n", File.ReadAllText(file));
        Assert.Contains($"{file}: 2 messages\n", result.Error);
        Assert.Contains("error: " + file, result.Error); // a second time: it is not replaced
    }

    /// <summary>By the names of the options, with their values, and with their errors.</summary>
    [Fact]
    public void Chat_SetsWhatTheOptionsSay()
    {
        string expected = Chat("The king was old\n", "-n", "8", "--greedy").Output;
        ProgramResult set = Chat("/set temp x\n/set temp -1\n/set mood 1\n/set n 8\n/set --temp 0\n/set seed\n/set\nThe king was old\n", "-n", "3");
        Assert.Equal(expected, set.Output);
        string[] said = set.Error.Split('\n');
        Assert.Equal(["error: --temp: 'x' is not a number; it is written 0.8", "error: temperature must be finite and not below 0, got -1", "error: there is no setting mood; /set lists what there is", "seed               3"], said[..4]);
        Assert.Equal(["max-tokens         8", "temp               0"], said[4..6]);
        Assert.Contains("penalize-new       false", said);
        ProgramResult warm = Chat("/set temp 0.7\n/set temp\n/set penalize-new true\n/set penalize-new\n", "--greedy"); // the last one holds
        Assert.Equal("temp               0.7\npenalize-new       true\n", warm.Error);
        Assert.Equal("seed               random\n", PublishedPrograms.Run("qed", "x64", "chat", "--system", "a").Error + Tools.Run("bash", ["-c", $"echo /set seed | {PublishedPrograms.File("qed", "x64")} chat"]).Error);
    }

    [Fact]
    public void Chat_AnswersAgainOtherwise()
    {
        const string once = "The king was old\n", again = once + "/retry\n";
        string[] options = ["-n", "12", "--temp", "1"], greedy = ["-n", "12", "--greedy"];
        string answer = Chat(once, options).Output, both = Chat(again, options).Output;
        Assert.StartsWith(answer, both);
        Assert.NotEqual(answer, both[answer.Length..]);
        Assert.Equal(both, Chat(again, options).Output); // a seed gives all of it
        Assert.Equal(string.Concat(Enumerable.Repeat(Chat(once, greedy).Output, 2)), Chat(again, greedy).Output);
    }

    [Fact]
    public void Chat_IsTheSameAsFeedingTheWholeConversation()
    {
        string[] options = ["-n", "8", "--greedy"];
        string[] answers = Chat("The king was old\nAnd then?\n", options).Output.Split('\n');
        string first = PublishedPrograms.Run("qed", "x64", ["generate", "<|user|>\nThe king was old\n<|assistant|>\n", .. options]).Output.TrimEnd('\n');
        string second = PublishedPrograms.Run("qed", "x64", ["generate", $"<|user|>\nThe king was old\n<|assistant|>\n{first}\n<|user|>\nAnd then?\n<|assistant|>\n", .. options]).Output.TrimEnd('\n');
        Assert.Equal(first + "\n" + second + "\n", string.Join('\n', answers));
    }

    [Fact]
    public void Chat_BeyondTheContext_ForgetsOrSays()
    {
        string message = string.Concat(Enumerable.Repeat("the king and the queen ", 8));
        string messages = string.Concat(Enumerable.Repeat(message + "\n", 8));
        ProgramResult slides = Chat(messages, "-n", "10", "-c", "128"), stops = Chat(messages, "-n", "10", "-c", "128", "--overflow", "stop");
        Assert.DoesNotContain("error", slides.Error);
        Assert.Contains("does not fit into what is left of the context of 128", stops.Error);
        Assert.Equal((0, 0), (slides.ExitCode, stops.ExitCode));
    }

    private static ProgramResult Chat(string input, params string[] options)
    {
        using Process process = Process.Start(new ProcessStartInfo(PublishedPrograms.File("qed", "x64"), ["chat", "--seed", "3", .. options])
        { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, StandardOutputEncoding = Encoding.UTF8 })!;
        Task<string> error = process.StandardError.ReadToEndAsync(), output = process.StandardOutput.ReadToEndAsync();
        process.StandardInput.Write(input);
        process.StandardInput.Close();
        process.WaitForExit();
        return new ProgramResult(process.ExitCode, output.Result, error.Result);
    }

    /// <summary>What somebody sees on a terminal who types each time when something has appeared, and behind it "exit" and the exit code.</summary>
    internal static string OnTerminal(string arguments, params (string Shown, string Keys)[] steps)
    {
        Tools.Require("script");
        // In the shell's place: what a shell does with a Ctrl-C while it waits depends on which one it is.
        string command = $"exec env --default-signal TERM=xterm XDG_STATE_HOME=/proc/nowhere {PublishedPrograms.File("qed", "x64")} {arguments}";
        using Process process = Process.Start(new ProcessStartInfo("script", ["-qec", command, "/dev/null"]) { RedirectStandardInput = true, RedirectStandardOutput = true, StandardOutputEncoding = Encoding.UTF8 })!;
        using var limit = new Timer(_ => process.Kill(entireProcessTree: true), null, TimeSpan.FromMinutes(2), Timeout.InfiniteTimeSpan); // what is waited for may never come
        var shown = new StringBuilder();
        int seen = 0;
        foreach ((string expected, string keys) in steps)
        {
            int at;
            while ((at = shown.ToString(seen, shown.Length - seen).IndexOf(expected, StringComparison.Ordinal)) < 0)
                Assert.True(Read(), $"{expected} does not appear: {shown}");
            seen += at + expected.Length;
            process.StandardInput.Write(keys);
            process.StandardInput.Flush();
        }
        while (Read())
        {
        }
        process.WaitForExit();
        return $"{shown.Replace("\r\n", "\n")}exit {process.ExitCode}";

        bool Read()
        {
            int next = process.StandardOutput.Read();
            if (next >= 0)
                shown.Append((char)next);
            return next >= 0;
        }
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);
}
