using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using QedEdge.Conversion;

namespace QedEdge.Tests.Published;

/// <summary>Text comes in and goes out as UTF-8, whatever the environment says about languages, and without a home.</summary>
public sealed class LocaleTests : IDisposable
{
    private const string Text = "é Ünïcödé 漢字 😀 Ω —";

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public static TheoryData<string> Environments => ["", "LANG=C", "LC_ALL=C", "LC_ALL=POSIX", "LANG=C.UTF-8", "LC_ALL=de_DE.ISO-8859-1"];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [MemberData(nameof(Environments))]
    public void Tokenize_ThenDetokenize_GivesTheTextsBytes(string variable)
    {
        string model = Model(), lines = Path.Combine(_folder, "ids.jsonl");
        string ids = Run(variable, "qed", "tokenize", "-m", model, Text).Output.Trim();
        Assert.Equal(Bytes(Text + "\n"), Run(variable, "qed", "detokenize", "-m", model, ids).Output);

        File.WriteAllText(lines, $$"""{"ids":[{{ids}}]}""");
        string json = Run(variable, "qed", "detokenize", "-m", model, "--jsonl", lines).Output;
        using JsonDocument document = JsonDocument.Parse(Encoding.Latin1.GetBytes(json));
        Assert.Equal(Text, document.RootElement.GetProperty("text").GetString());
        Assert.Contains(Bytes("漢字"), json);
    }

    [Fact]
    public void Generate_StreamsTheSameBytes()
    {
        string[] arguments = ["generate", "-m", Model(), Text, "-n", "40", "--seed", "3", "--ignore-eos"];
        string expected = Run("LANG=C.UTF-8", "qed", arguments).Output;
        Assert.Contains(expected, static c => c >= 0x80);
        Assert.All(Environments, row => Assert.Equal(expected, Run(row.Data, "qed", arguments).Output));
    }

    [Theory]
    [MemberData(nameof(Environments))]
    public void Errors_NameAFileInItsOwnBytes(string variable)
    {
        string path = Path.Combine(_folder, "fehlt-é漢😀");
        Assert.Contains(Bytes(path), Run(variable, "qed", "inspect", "-m", path).Error);
        Assert.Contains(Bytes(path), Run(variable, "qed-convert", path, "-o", path + ".gguf").Error);
    }

    /// <summary>Runs a program in an environment of one variable or none; every char of the result is a byte.</summary>
    private static ProgramResult Run(string variable, string program, params string[] arguments) =>
        Tools.Run(PublishedPrograms.File(program, "x64"), arguments, start => Prepare(start, variable));

    private static void Prepare(ProcessStartInfo start, string variable)
    {
        start.StandardOutputEncoding = start.StandardErrorEncoding = Encoding.Latin1;
        start.Environment.Clear();
        if (variable.Split('=') is [var name, var value])
            start.Environment[name] = value;
    }

    private static string Bytes(string text) => Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(text));

    /// <summary>A random model with a tokenizer that has all bytes, which the sample's has not.</summary>
    private string Model()
    {
        string tokenizer = Path.Combine(TestData.Root, "tests", "tokenizers", "full", "tokenizer.json");
        string config = Path.Combine(_folder, "config.json"), checkpoint = Path.Combine(_folder, "checkpoint"), model = Path.Combine(_folder, "model.gguf");
        JsonNode shape = JsonNode.Parse(File.ReadAllText(Path.Combine(TestData.TinyQed, "config.json")))!;
        (shape["vocab_size"], shape["d_model"], shape["n_layers"], shape["n_heads"], shape["ffn_hidden_dim"]) = (6000, 32, 1, 1, 32);
        File.WriteAllText(config, shape.ToJsonString());
        RandomCheckpoint.Write(config, checkpoint, 0, CheckpointType.F16, overwrite: false);
        File.Copy(tokenizer, Path.Combine(checkpoint, "tokenizer.json"));
        CheckpointConverter.Convert(checkpoint, model, new ConversionOptions());
        return model;
    }
}
