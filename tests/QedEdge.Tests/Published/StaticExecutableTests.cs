using System.Text.RegularExpressions;

namespace QedEdge.Tests.Published;

/// <summary>Executables that hold all they need (docs/decisions/0015-static-executables.md). StartTests has the root that holds nothing else, and the emulated machines have no C library for arm64.</summary>
public sealed class StaticExecutableTests : IDisposable
{
    private static readonly string[] Generate = ["generate", "Once upon a time", "-n", "8", "--seed", "1", "-t", "2"];

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("qed", "x64")]
    [InlineData("qed", "arm64")]
    [InlineData("qed-convert", "x64")]
    [InlineData("qed-convert", "arm64")]
    public void NoLoader_AndNoLibrary_AreAskedFor(string program, string architecture)
    {
        Tools.Require("readelf");
        string read = Tools.Run("readelf", ["-ldW", PublishedPrograms.File(program, architecture)]).Output;
        Assert.Contains(" DYN (Position-Independent Executable file)", read); // loaded at an address that nobody knows
        Assert.DoesNotMatch(@"\bINTERP\b|\(NEEDED\)", read);
    }

    /// <summary>A kernel of 2013, and Android, which ends a process for a call that it does not allow: tests/native/refused.c.</summary>
    [Theory]
    [InlineData("errno")]
    [InlineData("trap")]
    public void SystemCallsOfTheLastTwelveYears_AreDoneWithout(string how)
    {
        Tools.Require("gcc");
        string refused = Path.Combine(_folder, "refused"), model = Path.Combine(_folder, "model.gguf"), expected = Path.Combine(_folder, "expected.gguf");
        ProgramResult built = Tools.Run("gcc", ["-std=gnu11", "-Wall", "-Wextra", "-Werror", NativeProgram.Source("refused"), "-o", refused]);
        Assert.True(built.ExitCode == 0, built.Error);
        Assert.Equal(PublishedPrograms.Run("qed", "x64", Generate), Tools.Run(refused, [how, PublishedPrograms.File("qed", "x64"), .. Generate]));

        string converter = PublishedPrograms.File("qed-convert", "x64");
        Assert.Equal(0, Tools.Run(converter, [TestData.TinyQed, "-o", expected]).ExitCode);
        ProgramResult converted = Tools.Run(refused, [how, converter, TestData.TinyQed, "-o", model]);
        Assert.True(converted.ExitCode == 0, converted.Error);
        Assert.Equal(File.ReadAllBytes(expected), File.ReadAllBytes(model));
        OneLine.AssertError(2, Tools.Run(refused, [how, converter, "repack", model, "-o", model, "--force"])); // it is known for the same file
    }

    [Theory]
    [InlineData("qed", "x64", "Nehalem", "no AVX2, ")]
    [InlineData("qed-convert", "x64", "Nehalem", "no AVX2, ")]
    [InlineData("qed", "x64-v4", "Haswell", "no AVX-512, ")]
    public void AProcessorThatIsTooOld_IsOneLine(string program, string build, string processor, string says)
    {
        Tools.Require("qemu-x86_64-static");
        ProgramResult result = Tools.Run("qemu-x86_64-static", ["-cpu", processor, PublishedPrograms.File(program, build), "--version"]);
        OneLine.AssertError(1, result with { Error = Regex.Replace(result.Error, "(?m)^qemu-.*\n", "") }); // the emulator says what it has not
        Assert.Contains(says, result.Error);
    }

    /// <summary>What recurses as deep as the stack allows: musl counts of the main thread's only what is in use.</summary>
    [Fact]
    public void TheMainThreadsStack_CountsAsWhatItCanGrowTo()
    {
        const int Levels = 40;
        string text = new string('[', Levels) + "1" + new string(']', Levels), template = Path.Combine(_folder, "template"), variables = Path.Combine(_folder, "variables");
        File.WriteAllText(template, $"{{{{ {text} }}}}");
        File.WriteAllText(variables, "{}");
        Assert.Equal(new ProgramResult(0, text, ""), PublishedPrograms.Run("qed", "x64", "render", "--template", template, variables));
    }
}
