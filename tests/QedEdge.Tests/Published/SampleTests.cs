using QedEdge.Conversion;

namespace QedEdge.Tests.Published;

/// <summary>samples/embed-csharp, chat-client, gravity and stories: the commands of their READMEs as printed.</summary>
public sealed class SampleTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void EmbedCSharp_TellsTheStoryOfTheCommandLine()
    {
        string[] lines = RunFromTheRoot("embed-csharp").TrimEnd('\n').Split('\n');
        string expected = PublishedPrograms.Run("qed", "x64", "generate", "-m", Model("embed-csharp"), "Once upon a time", "-n", "50", "--seed", "7").Output;
        Assert.Equal(expected, string.Join('\n', lines[..^1]) + "\n");
        Assert.Equal("old", lines[^1]);
    }

    [Fact]
    public void ChatClient_ShowsWhatWasKnown()
    {
        string output = RunFromTheRoot("chat-client");
        Assert.Matches(@"\(\d+ tokens in, 0 of them known; \d+ out\)\n(.|\n)*\(\d+ tokens in, [1-9]\d+ of them known; \d+ out\)\n$", output);
    }

    [Fact]
    public void Gravity_AsksWhatTheModelCardAsks_AndSoDoesTheCommandLine()
    {
        string output = RunFromTheRoot("gravity");
        Assert.StartsWith("Explain gravity in one sentence. \nassistant", output); // the sample model has no token for the tag's other characters
        string commandLine = Commands("gravity")[1];
        ProgramResult answer = Shell(commandLine.Replace("gravity.gguf", Model("gravity")), _folder);
        Assert.Equal((0, ""), (answer.ExitCode, answer.Error));
        Assert.EndsWith("assistant" + answer.Output, output);
    }

    [Fact]
    public void Stories_IsOneFileThatTellsThem()
    {
        string folder = Path.Combine(_folder, "stories");
        Directory.CreateDirectory(folder);
        Directory.CreateSymbolicLink(Path.Combine(_folder, "tiny-qed"), TestData.TinyQed);
        File.Copy(Path.Combine(TestData.Root, "samples", "stories", "defaults.json"), Path.Combine(folder, "defaults.json"));
        string[] commands = Commands("stories");
        Assert.Equal(2, commands.Length);
        ProgramResult told = Shell(commands[0], folder);
        Assert.True(told.ExitCode == 0, told.Error);
        ProgramResult again = Tools.Run(PublishedPrograms.File("qed", "x64"), ["generate", "-m", Path.Combine(folder, "stories.gguf"), "Once upon a time", "--seed", "1", "-n", "200", "--temp", "0.8", "--stop", "\n\n"]);
        Assert.Equal(again.Output, told.Output);
        ProgramResult other = Shell(commands[1], folder);
        Assert.True(other.ExitCode == 0, other.Output + other.Error);
    }

    [Fact]
    public void Eval_AnswersItsOwnQuestions()
    {
        ProgramResult result = Shell(Commands("eval")[0], TestData.Root);
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        foreach (string task in new[] { "arc_challenge", "commonsense_qa", "hellaswag", "winogrande", "mmlu", "average" })
            Assert.Contains($"\n{task} ", result.Output);
    }

    /// <summary>Runs a sample's first commands: they begin with the conversion of the sample model.</summary>
    private string RunFromTheRoot(string sample)
    {
        string[] commands = Commands(sample)[0].Split('\n');
        Assert.Equal(2, commands.Length);
        Assert.Equal($"dotnet run --project converter/qed-convert -c Release -- samples/tiny-qed -o {sample}.gguf --type q8_0", commands[0]);
        ProgramResult converted = Shell(commands[0].Replace($"{sample}.gguf", Path.Combine(_folder, $"{sample}.gguf")), TestData.Root);
        Assert.True(converted.ExitCode == 0, converted.Output + converted.Error);
        ProgramResult result = Shell(commands[1].Replace($"{sample}.gguf", Model(sample)), TestData.Root);
        Assert.True(result.ExitCode == 0 && result.Error == "", result.Output + result.Error);
        return result.Output;
    }

    private string Model(string sample)
    {
        string file = Path.Combine(_folder, $"{sample}.gguf");
        if (!File.Exists(file))
            CheckpointConverter.Convert(TestData.TinyQed, file, new ConversionOptions());
        return file;
    }

    private static string[] Commands(string sample) =>
        [.. File.ReadAllText(Path.Combine(TestData.Root, "samples", sample, "README.md")).Split("```sh\n")[1..].Select(block => block.Split("\n```")[0])];

    private static ProgramResult Shell(string commands, string folder) => Tools.Run("bash", ["-c", "set -e; " + commands], start =>
    {
        PublishedPrograms.ForgetThisBuild(start.Environment);
        start.WorkingDirectory = folder;
        string[] programs = [.. new[] { "qed", "qed-convert" }.Select(name => Path.GetDirectoryName(PublishedPrograms.File(name, "x64"))!)];
        start.Environment["PATH"] = $"{string.Join(':', programs)}:{start.Environment["PATH"]}";
    });
}
