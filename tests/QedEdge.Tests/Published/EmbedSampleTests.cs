using QedEdge.Conversion;

namespace QedEdge.Tests.Published;

/// <summary>samples/embed-c and samples/embed-python: their READMEs' commands as printed, with what the first of them make.</summary>
public sealed class EmbedSampleTests : IDisposable
{
    private const string Prompt = "Once upon a time";

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("gcc")]
    [InlineData("clang")]
    public void EmbedC_TellsTheStoryOfTheCommandLine(string compiler)
    {
        Tools.Require(compiler);
        string[] commands = Prepare("embed-c");
        Assert.Equal(4, commands.Length);
        string expected = Expected("embed-c");
        Assert.Equal(expected, Run(commands[1].Replace("cc ", compiler + " ", StringComparison.Ordinal)));
        Assert.Equal(expected, Run(commands[2].Split('\n', 2)[1].Replace("cc ", compiler + " ", StringComparison.Ordinal)));
    }

    [Fact]
    public void EmbedC_OnArm64_TellsTheSameStory()
    {
        Tools.Require("aarch64-linux-gnu-gcc", "qemu-aarch64-static");
        string command = Prepare("embed-c")[3].Split('\n', 2)[1];
        Install("libqed.so", "arm64", "dist-arm64");
        Assert.Equal(Expected("embed-c"), Run(command));
    }

    [Fact]
    public void EmbedPython_TellsTheStoryOfTheCommandLine()
    {
        Tools.Require("python3");
        string[] commands = Prepare("embed-python");
        Assert.Equal(2, commands.Length);
        Assert.Equal(Expected("embed-python"), Run(commands[1]));
        ProgramResult failed = Tools.Run("python3", ["samples/embed-python/story.py", "none.gguf"], start => start.WorkingDirectory = _folder);
        Assert.NotEqual(0, failed.ExitCode);
        Assert.Contains("none.gguf: there is no such file", failed.Error);
    }

    /// <summary>Puts there what the commands that build would; they are those that the published libraries were built with, and the README's of the repository.</summary>
    private string[] Prepare(string sample)
    {
        Install("libqed.so", "x64", "dist");
        Install("libqed.a", "x64", "dist-static");
        string source = Path.Combine(TestData.Root, "samples", sample), target = Path.Combine(_folder, "samples", sample);
        Directory.CreateDirectory(target);
        foreach (string file in Directory.EnumerateFiles(source))
            File.Copy(file, Path.Combine(target, Path.GetFileName(file)));
        CheckpointConverter.Convert(TestData.TinyQed, Path.Combine(_folder, $"{sample}.gguf"), new ConversionOptions());
        string[] commands = [.. File.ReadAllText(Path.Combine(source, "README.md")).Split("```sh\n")[1..].Select(block => block.Split("\n```")[0])];
        Assert.StartsWith("dotnet publish src/QedEdge.Native -c Release -r linux-x64 -o dist\n", commands[0]);
        return commands;
    }

    private void Install(string library, string architecture, string folder)
    {
        string file = PublishedPrograms.File(library, architecture), target = Path.Combine(_folder, folder);
        Directory.CreateDirectory(target);
        foreach (string name in new[] { library, "qed.h" })
            File.Copy(Path.Combine(Path.GetDirectoryName(file)!, name), Path.Combine(target, name));
    }

    private string Expected(string sample)
    {
        ProgramResult result = PublishedPrograms.Run("qed", "x64", "generate", "-m", Path.Combine(_folder, $"{sample}.gguf"), Prompt, "-n", "50", "--seed", "7");
        Assert.True(result.ExitCode == 0, result.Error);
        return result.Output;
    }

    private string Run(string command)
    {
        ProgramResult result = Tools.Run("bash", ["-c", "set -e; " + command], start => start.WorkingDirectory = _folder);
        Assert.True(result.ExitCode == 0 && result.Error == "", command + "\n" + result.Output + result.Error);
        return result.Output;
    }
}
