using System.Text;
using QedEdge.Tests.Conversion;

namespace QedEdge.Tests.Published;

/// <summary>What qed-convert says of checkpoints that it cannot use: one line, and the same words for the same fault as qed's.</summary>
public sealed class ConverterErrorTests : IDisposable
{
    private readonly CheckpointFolder _folder = new();

    public static TheoryData<string, string, string> Faults => new()
    {
        { "config.json", "", "the file is empty" },
        { "config.json", "{\"model_type\": \"qe", "the file ends too early" },
        { "config.json", "{\"model_type\": \"mamba\"}", "the model's architecture is 'mamba'" },
        { "config.json", "{\"model_type\": \"qed\"}", "damaged file: " },
        { "config.json", "{\"model_type\"; \"qed\"}", "damaged file: " },
        { "config.json", """{"model_type":"qed","vocab_size":8,"d_model":8,"n_layers":1,"n_heads":1,"ffn_hidden_dim":8,"max_seq_len":8,"rope_scaling":{"type":"dynamic","factor":2}}""", "'llama3' and 'yarn' are supported" },
        { "model.safetensors", "", "the file is empty" },
        { "model.safetensors", "\u0001\0\0", "the file ends too early" },
        { "model.safetensors", "\u007f\0\0\0\0\0\0\0{\"norm", "the file ends too early" },
        { "model.safetensors", "\u0002\0\0\0\0\0\0\0{}", "the tensor is missing" },
        { "model.safetensors", "\u0002\0\0\0\0\0\0\0{{", "damaged file: " },
        { "tokenizer.json", "{\"model\": [", "the file ends too early" },
        { "tokenizer.json", "{}", "damaged file: " },
    };

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Faults))]
    public void AFault_IsSaidInWordsOfItsOwn(string name, string content, string words)
    {
        _folder.With("tied-f32");
        File.WriteAllText(_folder[name], content, new UTF8Encoding(false));
        ProgramResult result = PublishedPrograms.Run("qed-convert", "x64", _folder.Path, "-o", _folder["out.gguf"]);
        OneLine.AssertError(3, result);
        Assert.Contains(_folder[name], result.Error);
        foreach (string other in Faults.Select(static row => row.Data.Item3).Distinct())
            Assert.True(result.Error.Contains(other) == (other == words), result.Error);
    }

    [Theory]
    [InlineData("config.json")]
    [InlineData("tokenizer.json")]
    [InlineData("model.safetensors")]
    public void ANamedPipe_IsNotWaitedFor(string name)
    {
        _folder.With("tied-f32");
        File.Delete(_folder[name]);
        Tools.Run("mkfifo", [_folder[name]]);
        ProgramResult result = Tools.Run("timeout", ["60", PublishedPrograms.File("qed-convert", "x64"), _folder.Path, "-o", _folder["out.gguf"]]);
        OneLine.AssertError(3, result);
        Assert.Contains("or a pipe or device", result.Error);
    }

    [Fact]
    public void ADamagedModelFile_IsSaidToBeOne()
    {
        File.WriteAllBytes(_folder["bad.gguf"], [.. "GGUF"u8, .. new byte[40]]);
        ProgramResult result = PublishedPrograms.Run("qed-convert", "x64", "repack", _folder["bad.gguf"], "-o", _folder["out.gguf"], "--layout", "plain");
        OneLine.AssertError(3, result);
        Assert.Contains("error: damaged file: ", result.Error);
    }

    [Theory]
    [InlineData("", 2, "--lora needs a folder name")]
    [InlineData("/nowhere/at/all", 3, "no such folder")]
    public void AnAdapterThatIsNotThere_IsNamed(string adapter, int exitCode, string words)
    {
        ProgramResult result = PublishedPrograms.Run("qed-convert", "x64", CheckpointFolder.Golden("tied-f32"), "-o", _folder["out.gguf"], "--lora", adapter);
        OneLine.AssertError(exitCode, result);
        Assert.Contains(words, result.Error);
    }

    [Fact]
    public void AnAdapter_IsMerged()
    {
        using var folder = new AdapterFolder();
        folder.Config["rank_pattern"] = new System.Text.Json.Nodes.JsonObject { [".*[qk]_proj"] = 2 };
        folder.Add("layers.0.attention.q_proj", AdapterFolder.Width, AdapterFolder.Width, 2).Save();
        ProgramResult result = PublishedPrograms.Run("qed-convert", "x64", folder.Model, "-o", folder["out.gguf"], "--lora", folder.Adapter);
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("merged into 1 matrix\n", result.Error);
    }

    [Fact]
    public void AFolderWhoseNameBeginsWithAt_IsNoResponseFile()
    {
        foreach (string file in Directory.GetFiles(CheckpointFolder.Golden("tied-f32")))
            File.Copy(file, Path.Combine(Directory.CreateDirectory(_folder["@model"]).FullName, Path.GetFileName(file)));
        ProgramResult result = Tools.Run(PublishedPrograms.File("qed-convert", "x64"), ["@model", "-o", "@out.gguf"], start => start.WorkingDirectory = _folder.Path);
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.True(File.Exists(_folder["@out.gguf"]));
    }
}
