using System.Text.Json.Nodes;
using QedEdge.Conversion;
using QedEdge.Gguf;
using QedEdge.Quantization;

namespace QedEdge.Tests.Published;

/// <summary>Every kind of bad file, given to the commands that open one: code 3, one line that says what it is, little memory.</summary>
public sealed class BadModelTests : IDisposable
{
    private const long MemoryBeyondTheFile = 64 << 20; // bytes

    /// <summary>What only the errors of one fault say.</summary>
    private static readonly (ModelFault Fault, string Words)[] Words =
    [
        (ModelFault.ShortFile, "the file ends "),
        (ModelFault.ShortFile, "the file is empty"),
        (ModelFault.Damaged, "damaged file: "),
        (ModelFault.UnknownArchitecture, "the model's architecture is "),
        (ModelFault.MissingTensor, "the tensor is missing"),
    ];

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public static TheoryData<string> Kinds => [.. BadModels.All.Select(static bad => bad.Kind)];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Commands_RefuseTheFile_InOneLineAndLittleMemory(string kind)
    {
        string program = PublishedPrograms.File("qed", "x64"), path = Path.Combine(_folder, "bad.gguf");
        BadModel bad = BadModels.All.Single(b => b.Kind == kind);
        File.WriteAllBytes(path, bad.Create());
        foreach (string command in (string[])["generate", "inspect", "verify"])
        {
            string[] arguments = command == "generate" ? [command, "-m", path, "Once", "-n", "1"] : [command, "-m", path];
            (ProgramResult result, long peak) = PeakMemory.Run(program, arguments);
            Assert.InRange(peak, 1, new FileInfo(path).Length + MemoryBeyondTheFile);
            if (bad.Commands.Contains(command))
                AssertRefuses(result, path, bad);
            else
                Assert.True(result.ExitCode == 0, $"{command}: {result.Error}");
            if (command == "inspect" && bad.IsSaidByInspect)
                Assert.Contains(bad.Says, Assert.Single(result.Output.Split('\n'), static line => line.StartsWith("runs: no; ", StringComparison.Ordinal)));
        }
    }

    /// <summary>A plain file is copied into the kernels' layout while it is opened: file and copy must not stand in memory together.</summary>
    [Fact]
    public void ALargePlainFile_DamagedAtItsEnd_TakesNoMoreMemoryThanOthers()
    {
        string program = PublishedPrograms.File("qed", "x64");
        string config = Path.Combine(_folder, "config.json"), checkpoint = Path.Combine(_folder, "checkpoint"), path = Path.Combine(_folder, "plain.gguf");
        JsonNode shape = JsonNode.Parse(File.ReadAllText(Path.Combine(TestData.TinyQed, "config.json")))!;
        (shape["vocab_size"], shape["d_model"], shape["n_heads"], shape["n_layers"]) = (49152, 768, 12, 1);
        File.WriteAllText(config, shape.ToJsonString());
        RandomCheckpoint.Write(config, checkpoint, 0, CheckpointType.BF16, overwrite: false);
        CheckpointConverter.Convert(checkpoint, path, new ConversionOptions { Type = BlockFormat.F32, Layout = FileLayout.Plain });
        long norm;
        using (GgufFile file = GgufFile.Open(path))
            norm = file.Find("output_norm.weight")!.Offset; // read last
        using (FileStream file = File.OpenWrite(path))
        {
            file.Position = norm;
            file.Write(BitConverter.GetBytes(float.NaN));
        }
        (ProgramResult result, long peak) = PeakMemory.Run(program, "generate", "-m", path, "--tokens", "1", "-n", "1", "-c", "8", "-t", "1");
        OneLine.AssertError(3, result);
        Assert.Contains("output_norm.weight", result.Error);
        Assert.InRange(peak, 1, new FileInfo(path).Length + MemoryBeyondTheFile);
    }

    private static void AssertRefuses(ProgramResult result, string path, BadModel bad)
    {
        OneLine.AssertError(3, result);
        Assert.Contains(path, result.Error);
        Assert.Contains(bad.Says, result.Error);
        foreach ((ModelFault fault, string words) in Words)
            Assert.True(fault == bad.Fault || !result.Error.Contains(words), result.Error);
        if (Words.Any(w => w.Fault == bad.Fault))
            Assert.Contains(Words, w => w.Fault == bad.Fault && result.Error.Contains(w.Words));
    }
}
