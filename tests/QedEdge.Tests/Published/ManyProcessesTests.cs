using System.Globalization;
using QedEdge.Conversion;

namespace QedEdge.Tests.Published;

/// <summary>One file, mapped by many processes at once.</summary>
public sealed class ManyProcessesTests : IDisposable
{
    private const int Processes = 64;

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Logits_InManyProcessesAtOnce_AreTheSame()
    {
        const string script = """
            i=0
            while [ $i -lt "$2" ]; do "$0" logits -m "$1" --tokens 1,5,7,11,13 -t 1 & i=$((i + 1)); done
            wait
            """;
        string program = PublishedPrograms.File("qed", "x64"), model = Path.Combine(_folder, "model.gguf");
        CheckpointConverter.Convert(TestData.TinyQed, model, new ConversionOptions());
        string expected = PublishedPrograms.Run("qed", "x64", "logits", "-m", model, "--tokens", "1,5,7,11,13", "-t", "1").Output;
        Assert.Contains("xxh128", expected);
        ProgramResult result = Tools.Run("sh", ["-c", script, program, model, Processes.ToString(CultureInfo.InvariantCulture)]);
        Assert.Equal("", result.Error);
        Assert.Equal(string.Concat(Enumerable.Repeat(expected, Processes)), result.Output);
    }
}
