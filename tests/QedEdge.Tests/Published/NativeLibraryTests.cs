using System.Globalization;
using System.Text.RegularExpressions;
using QedEdge.Conversion;
using QedEdge.Evaluation;
using QedEdge.Sampling;
using QedEdge.Text;

namespace QedEdge.Tests.Published;

/// <summary>libqed as C and C++ programs use it: tests/native.</summary>
public sealed partial class NativeLibraryTests : IDisposable
{
    private const string Supposed = "Café <eos> €😀", Prompt = "Once upon a time";

    private static readonly int[] Some = [1, 5, 7, 11, 13, 17, 19, 23]; // as in values.c

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;
    private readonly string _model;

    public NativeLibraryTests()
    {
        _model = Path.Combine(_folder, "model.gguf");
        CheckpointConverter.Convert(TestData.TinyQed, _model, new ConversionOptions());
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("gcc", "libqed.so")]
    [InlineData("g++", "libqed.so")]
    [InlineData("gcc", "libqed.a")]
    [InlineData("clang", "libqed.a")]
    public void Values_AreThoseOfTheLibraryAndTheCommandLine(string compiler, string library) =>
        AssertValues(Tools.Run(NativeProgram.Compile(_folder, "values", compiler, library), [_model, _folder]));

    [Theory]
    [InlineData("libqed.so", "cortex-a72")]
    [InlineData("libqed.so", "cortex-a76")]
    [InlineData("libqed.a", "cortex-a72")]
    public void Values_OnArm64_AreTheSame(string library, string processor)
    {
        string program = NativeProgram.Compile(_folder, "values", "aarch64-linux-gnu-gcc", library);
        AssertValues(Emulate(processor, program, _model, _folder));
    }

    [Theory]
    [InlineData("gcc", "libqed.so")]
    [InlineData("g++", "libqed.a")]
    public void WrongArguments_GiveAnErrorCode(string compiler, string library) => AssertPassed(Tools.Run(NativeProgram.Compile(_folder, "arguments", compiler, library), [_model, _folder]));

    [Theory]
    [InlineData("libqed.so")]
    [InlineData("libqed.a")]
    public void WrongArguments_OnArm64_GiveAnErrorCode(string library) =>
        AssertPassed(Emulate("cortex-a72", NativeProgram.Compile(_folder, "arguments", "aarch64-linux-gnu-gcc", library), _model, _folder));

    [Theory]
    [InlineData("gcc", "libqed.so")]
    [InlineData("g++", "libqed.a")]
    public void Threads_WithASessionEach_GetTheSameBits(string compiler, string library) =>
        AssertPassed(Tools.Run(NativeProgram.Compile(_folder, "threads", compiler, library), [_model]));

    [Theory]
    [InlineData("gcc", "libqed.so")]
    [InlineData("g++", "libqed.a")]
    public void ASessionClosedDuringItsCall_EndsIt(string compiler, string library) =>
        AssertPassed(Tools.Run(NativeProgram.Compile(_folder, "closing", compiler, library), [_model]));

    [Theory]
    [InlineData("gcc")]
    [InlineData("g++")]
    public void TheProcess_KeepsItsSignals_AndClosesTheLibrary(string compiler) =>
        AssertPassed(Tools.Run(NativeProgram.Compile(_folder, "process", compiler, "libqed.so"), [_model, PublishedPrograms.File("libqed.so", "x64"), _folder]));

    [Theory]
    [InlineData("gcc", "libqed.so")]
    [InlineData("clang++", "libqed.a")]
    public void AModelWithoutTokenizer_TakesAndGivesIds(string compiler, string library)
    {
        string model = Path.Combine(_folder, "ids.gguf");
        CheckpointConverter.Convert(Path.Combine(TestData.Root, "tests", "golden", "gemma3-window8-bf16"), model, new ConversionOptions());
        ProgramResult result = Tools.Run(NativeProgram.Compile(_folder, "ids", compiler, library), [model]);
        AssertPassed(result);
        Assert.StartsWith("gemma3 4 1 32 8 0.0002\n", result.Output);
    }

    [Theory]
    [InlineData("values", true)]
    [InlineData("arguments", true)]
    [InlineData("threads", false)]
    [InlineData("closing", false)]
    public void Valgrind_FindsNeitherLeakNorWrongAccess(string name, bool takesFolder)
    {
        Tools.Require("valgrind");
        string program = NativeProgram.Compile(_folder, name, "gcc", "libqed.so");
        string[] folder = takesFolder ? [_folder] : [];
        ProgramResult result = Tools.Run("valgrind", ["--quiet", "--error-exitcode=9", "--leak-check=full", "--errors-for-leak-kinds=definite,possible", "--show-leak-kinds=definite,possible",
            $"--suppressions={Path.Combine(TestData.Root, "tests", "native", "valgrind.supp")}", program, _model, .. folder]);
        Assert.DoesNotMatch("(?m)^==", result.Error.Replace("Warning: set address range perms", "", StringComparison.Ordinal));
        AssertPassed(result with { Error = "" });
    }

    [Theory]
    [InlineData("gcc", "-Wconversion", "-Wstrict-prototypes", "-Wmissing-prototypes")]
    [InlineData("clang", "-Wconversion", "-Wstrict-prototypes", "-Wdocumentation")]
    [InlineData("g++", "-Wconversion", "-Wold-style-cast")]
    [InlineData("clang++", "-Wconversion", "-Wold-style-cast")]
    public void Header_CompilesAlone_AndTwice(string compiler, params string[] warnings)
    {
        string file = Path.Combine(_folder, "alone.c");
        File.WriteAllText(file, "#include \"qed.h\"\n#include \"qed.h\"\nint main(void)\n{\n    return qed_check_version(QED_VERSION);\n}\n");
        NativeProgram.Check(file, compiler, warnings);
    }

    [Fact]
    public void Header_DeclaresWhatTheLibraryExports()
    {
        string header = File.ReadAllText(Path.Combine(TestData.Root, "src", "QedEdge.Native", "qed.h"));
        string[] declared = [.. Declaration().Matches(header).Select(match => match.Groups[1].Value).Order(StringComparer.Ordinal)];
        Assert.Equal(36, declared.Length);
        Tools.Require("nm");
        foreach ((string library, string[] option) in new[] { ("libqed.so", new[] { "-D" }), ("libqed.a", ["-g"]) })
        {
            ProgramResult result = Tools.Run("nm", [.. option, "--defined-only", PublishedPrograms.File(library, "x64")]);
            Assert.Equal(declared, Exported().Matches(result.Output).Select(match => match.Groups[1].Value).Order(StringComparer.Ordinal));
        }
    }

    /// <summary>build/native/glibc.c: a function that glibc has only since later has to be done without, or taken in an older version.</summary>
    [Theory]
    [InlineData("x64")]
    [InlineData("arm64")]
    public void TheOldestGlibc_ItRunsOn_IsTheOneThatIsSaid(string architecture)
    {
        var oldest = new Version(2, 17);
        Tools.Require("readelf");
        string read = Tools.Run("readelf", ["-VW", PublishedPrograms.File("libqed.so", architecture)]).Output;
        Version[] asked = [.. GlibcVersion().Matches(read).Select(match => Version.Parse(match.Groups[1].Value))];
        Assert.NotEmpty(asked);
        Assert.Equal(oldest, asked.Max());
        Assert.Contains($"glibc {oldest}", File.ReadAllText(Path.Combine(TestData.Root, "docs", "build.md")));
    }

    private static ProgramResult Emulate(string processor, params string[] command)
    {
        Tools.Require("qemu-aarch64-static");
        return Tools.Run("qemu-aarch64-static", ["-L", PublishedPrograms.Arm64Root, "-cpu", processor, .. command]);
    }

    private static void AssertPassed(ProgramResult result)
    {
        Assert.True(result.ExitCode == 0, result.Output + result.Error);
        Assert.Equal("", result.Error);
        Assert.EndsWith(" 0 failed\n", result.Output);
    }

    private void AssertValues(ProgramResult result)
    {
        AssertPassed(result);
        string[] lines = result.Output.Split('\n');
        Assert.Equal(Expected(), lines[..^2]);

        string logits = Path.Combine(_folder, "expected.f32");
        ProgramResult computed = PublishedPrograms.Run("qed", "x64", "logits", "-m", _model, "--tokens", string.Join(',', Some), "--kv-type", "f32", "-o", logits);
        Assert.True(computed.ExitCode == 0, computed.Error);
        Assert.Equal(File.ReadAllBytes(logits), File.ReadAllBytes(Path.Combine(_folder, "logits.f32")));
    }

    /// <summary>What values.c prints.</summary>
    private List<string> Expected()
    {
        using QedModel model = QedModel.Open(_model);
        var config = model.Config;
        Tokenizer tokenizer = model.Tokenizer!;
        var ids = new List<int>();
        tokenizer.Encode(Supposed, ids, tokenizer.PromptOptions);
        using Session session = model.CreateSession();
        var prompt = new List<int>();
        tokenizer.Encode(Prompt, prompt, tokenizer.PromptOptions);
        session.Feed([.. prompt]);
        int greedy = Sampler.ArgMax(session.Logits);
        ProgramResult story = PublishedPrograms.Run("qed", "x64", "generate", "-m", _model, Prompt, "-n", "40", "--seed", "7", "--ignore-eos");
        Assert.True(story.ExitCode == 0, story.Error);
        return
        [
            $"version {typeof(QedModel).Assembly.GetName().Version!.ToString(3)}",
            $"info {config.VocabSize} {config.ContextLength} {config.LayerCount} {config.HiddenSize} {config.BosId ?? -1} {config.EosId ?? -1} {config.PadId ?? -1} {config.UnkId ?? -1} 1",
            $"name {config.Name}",
            $"family {config.Family}",
            $"heads {config.HeadCount} {config.KeyValueHeadCount} {config.HeadSize} {config.Window ?? 0} {Number(config.NormEpsilon).Replace('E', 'e')}",
            $"ids {string.Join(' ', ids)}",
            $"text {tokenizer.Decode([.. ids], SpecialTokenText.Keep)}",
            .. $"story {story.Output.TrimEnd('\n')}".Split('\n'),
            $"greedy {greedy}",
            $"scores {string.Join(' ', SequenceScorer.LogProbabilities(session, Some, 1).Select(Number))}",
            .. ChoiceScorer.Score(session, "Once upon a time there was a", [" king", " teapot"]).Select(choice => $"choice {Number(choice.Sum)} {choice.Tokens} {choice.Characters}"),
        ];
    }

    /// <summary>As C's %.17g.</summary>
    private static string Number(double value) => value.ToString("G17", CultureInfo.InvariantCulture);

    [GeneratedRegex(@"\bGLIBC_(2[.\d]*\d)\b")]
    private static partial Regex GlibcVersion();

    [GeneratedRegex(@"^QED_API [^(]*?(qed_\w+)\(", RegexOptions.Multiline)]
    private static partial Regex Declaration();

    [GeneratedRegex(@"^[0-9a-f]+ [A-Z] (qed_\w+)", RegexOptions.Multiline)]
    private static partial Regex Exported();
}
