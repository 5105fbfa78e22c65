using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using QedEdge.Conversion;

namespace QedEdge.Tests.Published;

/// <summary>Signals that come while a file is being written: nothing of it stays.</summary>
public sealed partial class InterruptTests : IDisposable
{
    private const int HangUp = 1, Interrupt = 2, Terminate = 15;

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;
    private readonly string _output;

    public InterruptTests() => _output = Directory.CreateDirectory(Path.Combine(_folder, "output")).FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(HangUp)]
    [InlineData(Interrupt)]
    [InlineData(Terminate)]
    public void Convert_LeavesNoFile_AndEndsWith130(int signal)
    {
        string checkpoint = Path.Combine(_folder, "checkpoint");
        RandomCheckpoint.Write(LargeShape(), checkpoint, 0, CheckpointType.BF16, overwrite: false);
        ProgramResult result = RunUntilWriting(signal, "qed-convert", checkpoint, "-o", Path.Combine(_output, "model.gguf"), "--type", "q4_0", "-t", "1");
        AssertInterrupted(result);
    }

    [Fact]
    public void Random_LeavesNoFile_AndEndsWith130() =>
        AssertInterrupted(RunUntilWriting(Interrupt, "qed-convert", "random", LargeShape(), "-o", _output));

    [Fact]
    public void Logits_LeaveNoFile_AndEndWith130()
    {
        string tokens = string.Join(',', Enumerable.Range(1, 1000));
        ProgramResult result = RunUntilWriting(Interrupt, "qed", "logits", "--tokens", tokens, "-o", Path.Combine(_output, "logits"), "-t", "1", "--isa", "scalar");
        Assert.Equal((130, "", ""), (result.ExitCode, result.Output, result.Error));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_output));
    }

    /// <summary>A prompt that never comes: nothing has begun that should end in order.</summary>
    [Theory]
    [InlineData(HangUp)]
    [InlineData(Interrupt)]
    [InlineData(Terminate)]
    public void Generate_WaitingForItsPrompt_Ends(int signal)
    {
        var start = new ProcessStartInfo("env", ["--default-signal", PublishedPrograms.File("qed", "x64"), "generate", "-"]) { RedirectStandardInput = true, RedirectStandardOutput = true };
        using Process process = Process.Start(start)!;
        Thread.Sleep(300);
        Assert.False(process.HasExited);
        Assert.Equal(0, Kill(process.Id, signal));
        Assert.True(process.WaitForExit(TimeSpan.FromMinutes(1)), "the program does not end");
        Assert.Equal(128 + signal, process.ExitCode);
    }

    /// <summary>A named pipe that nobody writes to, in place of any input: it is waited for, and the first signal ends that.</summary>
    [Theory]
    [InlineData("qed", "generate", "-f", "PIPE")]
    [InlineData("qed", "perplexity", "-f", "PIPE", "-c", "64")]
    [InlineData("qed", "tokenize", "--jsonl", "PIPE")]
    [InlineData("qed-convert", "random", "PIPE", "-o", "MODEL")]
    public void WaitingForANamedPipe_Ends(string program, params string[] arguments)
    {
        string pipe = Path.Combine(_folder, "pipe");
        Assert.Equal(0, Tools.Run("mkfifo", [pipe]).ExitCode);
        string[] given = [.. arguments.Select(argument => argument == "PIPE" ? pipe : argument == "MODEL" ? _output : argument)];
        using Process process = Process.Start(new ProcessStartInfo("env", ["--default-signal", PublishedPrograms.File(program, "x64"), .. given]) { RedirectStandardError = true })!;
        Thread.Sleep(300);
        if (!process.HasExited) // a program may also refuse the pipe at once
        {
            Assert.Equal(0, Kill(process.Id, Terminate));
            Assert.True(process.WaitForExit(TimeSpan.FromMinutes(1)), "the program does not end");
            Assert.Equal(128 + Terminate, process.ExitCode);
        }
        Assert.Empty(Directory.EnumerateFileSystemEntries(_output));
    }

    /// <summary>A line that never ends, of a device that never waits.</summary>
    [Fact]
    public void Batch_ReadingALineWithoutEnd_Ends()
    {
        using Process process = Process.Start(new ProcessStartInfo("env", ["--default-signal", PublishedPrograms.File("qed", "x64"), "batch", "-i", "/dev/zero"]))!;
        Thread.Sleep(300);
        Assert.Equal(0, Kill(process.Id, Terminate));
        bool ends = process.WaitForExit(TimeSpan.FromSeconds(20));
        if (!ends)
            process.Kill();
        Assert.True(ends, "the program does not end");
        Assert.Equal(130, process.ExitCode);
    }

    private void AssertInterrupted(ProgramResult result)
    {
        OneLine.AssertError(130, result);
        Assert.Contains("interrupted", result.Error);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_output));
    }

    /// <summary>Starts a program and sends it a signal as soon as something appears in the output's folder.</summary>
    private ProgramResult RunUntilWriting(int signal, string program, params string[] arguments)
    {
        // Where this test's own starter ignored the interrupt (a shell's background job), its children would, too.
        var start = new ProcessStartInfo("env", ["--default-signal", PublishedPrograms.File(program, "x64"), .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        while (!Directory.EnumerateFileSystemEntries(_output).Any() && !process.HasExited)
            Thread.Sleep(1);
        Assert.Equal(0, Kill(process.Id, signal));
        Assert.True(process.WaitForExit(TimeSpan.FromMinutes(1)), $"{program} does not end");
        return new ProgramResult(process.ExitCode, output.Result, error.Result);
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);

    /// <summary>A configuration whose weights take about a second to convert.</summary>
    private string LargeShape()
    {
        string config = Path.Combine(_folder, "config.json");
        JsonNode shape = JsonNode.Parse(File.ReadAllText(Path.Combine(TestData.TinyQed, "config.json")))!;
        (shape["vocab_size"], shape["d_model"], shape["n_heads"], shape["ffn_hidden_dim"]) = (32000, 768, 12, 2048);
        File.WriteAllText(config, shape.ToJsonString());
        return config;
    }
}
