using QedEdge.Conversion;
using QedEdge.Quantization;

namespace QedEdge.Tests.Published;

/// <summary>The size budget (build/size.py), and the smallest executable, which it builds on the way.</summary>
public sealed class SizeTests : IDisposable
{
    private static readonly Lazy<string> Built = new(Build);

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void ExecutablesAndLibraries_AreNoLargerThanTheBudget() => Assert.True(Directory.Exists(Built.Value));

    [Theory]
    [InlineData("x64")]
    [InlineData("arm64")]
    public void TheTinyExecutable_GeneratesWhatTheWholeOneDoes_FromAllFormats(string architecture)
    {
        string file = Convert(BlockFormat.Q4_0);
        string[] options = ["Once upon a time", "-n", "40", "--seed", "7", "--temp", "0.9", "--top-k", "30", "--top-p", "0.95"];
        ProgramResult expected = PublishedPrograms.Run("qed", "x64", ["generate", "-m", file, .. options]);
        Assert.Equal((0, ""), (expected.ExitCode, expected.Error));
        Assert.Equal(expected, Tiny(architecture, ["-m", file, .. options]));
        Assert.Equal(expected, Tiny(architecture, ["generate", .. options, "--model", file, "-t", "3", "-c", "128"]));

        foreach (BlockFormat format in new[] { BlockFormat.Q8_0, BlockFormat.IQ4_NL, BlockFormat.F16, BlockFormat.F32 })
        {
            file = Convert(format);
            Assert.Equal(PublishedPrograms.Run("qed", "x64", ["generate", "-m", file, .. options]), Tiny(architecture, ["-m", file, .. options]));
        }
    }

    [Theory]
    [InlineData(3, "there is no such file", "-m", "none.gguf", "x")]
    [InlineData(3, "", "-m", "/dev/null", "x")]
    [InlineData(2, "no built-in model", "x")]
    [InlineData(2, "'--tmep' is not understood", "x", "--tmep", "1")]
    [InlineData(2, "'-n' is not understood, or what follows it; usage: ", "x", "-n")]
    [InlineData(2, "'-n' is not understood, or what follows it; usage: ", "x", "-n", "many")]
    [InlineData(2, "'y' is not understood", "x", "y")]
    public void ItsErrors_AreOneLine(int exitCode, string says, params string[] arguments)
    {
        ProgramResult result = Tiny("x64", arguments);
        OneLine.AssertError(exitCode, result);
        Assert.Contains(says, result.Error);
    }

    private static ProgramResult Tiny(string architecture, string[] arguments)
    {
        string program = Path.Combine(Built.Value, $"1-linux-{architecture}", "out", "qed");
        return architecture == "x64" ? Tools.Run(program, arguments) : Tools.Run("qemu-aarch64-static", ["-cpu", "cortex-a72", program, .. arguments]);
    }

    private string Convert(BlockFormat format)
    {
        string file = Path.Combine(_folder, $"{format}.gguf");
        CheckpointConverter.Convert(TestData.TinyQed, file, new ConversionOptions { Type = format });
        return file;
    }

    private static string Build()
    {
        Tools.Require("python3", "clang", "ld.lld", "aarch64-linux-gnu-objcopy", PublishedPrograms.Arm64Root, "qemu-aarch64-static");
        string folder = Path.Combine(TestData.Root, "artifacts", "published", "size");
        ProgramResult result = Tools.Run("python3", [Path.Combine(TestData.Root, "build", "size.py"), "--parts", folder], start => PublishedPrograms.ForgetThisBuild(start.Environment));
        Assert.True(result.ExitCode == 0, result.Output + result.Error);
        File.WriteAllText(Path.Combine(folder, "table.md"), result.Output); // .ci/run shows it
        return folder;
    }
}
