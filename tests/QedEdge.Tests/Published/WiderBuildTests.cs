using System.Text.Json;

namespace QedEdge.Tests.Published;

/// <summary>The executable for AVX-512 takes the other one's place where it lies beside it and can run.</summary>
public sealed class WiderBuildTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("qed-wider").FullName;

    private string Program => Path.Combine(_folder, "qed");

    public WiderBuildTests() => File.Copy(PublishedPrograms.File("qed", "x64"), Program);

    [Fact]
    public void WhereTheProcessorHasAvx512_TheOtherBuildRuns_WithTheSameArguments()
    {
        Assert.SkipUnless(File.ReadAllText("/proc/cpuinfo").Contains(" avx512_vnni"), "this processor has no AVX-512, and no emulator here does");
        File.Copy(PublishedPrograms.File("qed", "x64-v4"), Program + "-v4");
        Assert.Equal("avx512", Isa());
        string[] arguments = ["generate", "Es war einmal, „früher“ ", "-n", "8", "--seed", "7", "--json", "--digest"];
        ProgramResult alone = Tools.Run(PublishedPrograms.File("qed", "x64"), arguments), here = Tools.Run(Program, arguments);
        Assert.Equal((alone.ExitCode, Digest(alone.Output)), (here.ExitCode, Digest(here.Output)));
        Assert.Equal(2, Tools.Run(Program, ["generate", "--no-such-option"]).ExitCode);
    }

    /// <summary>A bundle is to run on other machines too.</summary>
    [Fact]
    public void ABundle_IsMadeOfTheBuildThatRunsEverywhere()
    {
        File.Copy(PublishedPrograms.File("qed", "x64"), Program + "-v4");
        string bundle = Path.Combine(_folder, "bundle"), model = Path.Combine(_folder, "m.gguf");
        QedEdge.Conversion.CheckpointConverter.Convert(TestData.TinyQed, model, new());
        ProgramResult result = Tools.Run(Program, ["bundle", "-m", model, "-o", bundle]);
        Assert.True(result.ExitCode == 0, result.Error);
        byte[] program = File.ReadAllBytes(Program);
        Assert.True(File.ReadAllBytes(bundle).AsSpan(0, program.Length).SequenceEqual(program));
    }

    [Fact]
    public void WhatCannotRunInItsPlace_IsPassedOver()
    {
        string expected = JsonDocument.Parse(Tools.Run(Program, ["info", "--json"]).Output).RootElement.GetProperty("isa").GetString()!;
        File.CreateSymbolicLink(Program + "-v4", Program); // it would run itself without end
        Assert.Equal(expected, Isa());
        File.Delete(Program + "-v4");
        File.WriteAllText(Program + "-v4", "no program");
        Assert.Equal(expected, Isa());
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string? Isa()
    {
        ProgramResult result = Tools.Run(Program, ["info", "--json"]);
        Assert.True(result.ExitCode == 0, result.Error);
        return JsonDocument.Parse(result.Output).RootElement.GetProperty("isa").GetString();
    }

    private static string? Digest(string json) => JsonDocument.Parse(json).RootElement.GetProperty("digest").GetString();
}
