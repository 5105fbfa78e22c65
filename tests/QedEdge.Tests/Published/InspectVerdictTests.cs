using System.Text.Json;
using QedEdge.Conversion;
using QedEdge.Gguf;
using QedEdge.Tests.Gguf;

namespace QedEdge.Tests.Published;

/// <summary>`qed inspect` says first whether a file runs and as what, or why not.</summary>
public sealed class InspectVerdictTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void AFileThatRuns_SaysAsWhat()
    {
        string other = Path.Combine(TestData.Root, "tests", "types", "llama-q4_k_m-288", "model.gguf"), own = Path.Combine(_folder, "own.gguf");
        Assert.StartsWith("runs: yes, a model of the family 'llama'; its weights (Q5_0, Q8_0, ", Inspect(other));
        Assert.Contains(") are repacked into memory when it is opened\nmodel: ", Inspect(other));
        Assert.Contains("\ntokenizer: byte-level BPE, 300 tokens\nchat template: none\nfile: ", Inspect(other));
        CheckpointConverter.Convert(TestData.TinyQed, own, new());
        Assert.StartsWith("runs: yes, a model of the family 'qed'; its weights (packed Q8_0) are used in place\nmodel: ", Inspect(own));
        Assert.Matches(@"\nmodel: .*[\d,]+ parameters, \d+ layers of width \d+, \d+ heads of \d+, context [\d,]+\ntokenizer: byte-level BPE, ", Inspect(own));
        Assert.Matches(@"\nfile: .*own\.gguf, 2\.\d MB, \d\.\d+ bits per weight, GGUF v3, layout packed, alignment 64\nmemory at ", Inspect(own));
    }

    /// <summary>What all layers have is one line, with the bytes of all; with --tensors each is one.</summary>
    [Fact]
    public void LayersAreFolded_UnlessAllAreAskedFor()
    {
        string path = Path.Combine(TestData.Root, "tests", "types", "llama-q4_k_m-288", "model.gguf");
        using GgufFile file = GgufFile.Open(path);
        string[] folded = Rows(Inspect(path)), all = Rows(Inspect(path, "--tensors"));
        Assert.Equal(file.Tensors.Select(static tensor => tensor.Name), all.Select(static row => row.Split(' ')[0]));
        Assert.True(folded.Length < all.Length);
        Assert.Contains(folded, static row => row.StartsWith("blk.0-1.attn_norm.weight ", StringComparison.Ordinal));
        Assert.Equal(file.Tensors.Sum(static tensor => tensor.Bytes), folded.Sum(Bytes));
        Assert.Equal(file.Tensors.Sum(static tensor => tensor.Bytes), all.Sum(Bytes));

        static string[] Rows(string text) => [.. text.Split("\ntensors (")[1].Split('\n')[1..].Where(static row => row.Length > 0).Select(static row => row.Trim())];

        static long Bytes(string row) => long.Parse(row.Split(' ')[^1]);
    }

    [Theory]
    [InlineData("general.type", "adapter", "a LoRA adapter without the model")]
    [InlineData("general.type", "mmproj", "the part of a multimodal model that sees pictures")]
    [InlineData("general.architecture", "clip", "the part of a multimodal model that sees pictures")]
    [InlineData("general.architecture", "mamba", "architecture is 'mamba'")]
    public void AFileThatDoesNotRun_SaysWhy_AndNoMemory(string key, string value, string says)
    {
        using GgufFile source = GgufFile.Open(Path.Combine(TestData.Root, "tests", "types", "llama-q4_k_m-288", "model.gguf"));
        string path = Path.Combine(_folder, "m.gguf");
        Copy(source, path, key, value, source.Tensors);
        AssertRefused(path, says);
    }

    [Fact]
    public void AVocabularyAlone_SaysThatItIsOne()
    {
        using GgufFile source = GgufFile.Open(Path.Combine(TestData.Root, "tests", "types", "llama-q4_k_m-288", "model.gguf"));
        string path = Path.Combine(_folder, "m.gguf");
        Copy(source, path, "general.type", "model", []);
        AssertRefused(path, "a vocabulary without weights");
    }

    [Fact]
    public void AMissingTensor_IsNamed()
    {
        using GgufFile source = GgufFile.Open(Path.Combine(TestData.Root, "tests", "types", "llama-q4_k_m-288", "model.gguf"));
        string path = Path.Combine(_folder, "m.gguf");
        Copy(source, path, "general.type", "model", [.. source.Tensors.Where(static tensor => tensor.Name != "blk.1.ffn_up.weight")]);
        AssertRefused(path, "tensor 'blk.1.ffn_up.weight': the tensor is missing");
    }

    private static void AssertRefused(string path, string says)
    {
        string text = Inspect(path), first = text[..text.IndexOf('\n', StringComparison.Ordinal)];
        Assert.StartsWith("runs: no; ", first);
        Assert.Contains(says, first);
        Assert.DoesNotContain("memory at", text);
        using var json = JsonDocument.Parse(Inspect(path, "--json"));
        Assert.False(json.RootElement.GetProperty("runs").GetBoolean());
        Assert.Contains(says, json.RootElement.GetProperty("problem").GetString());
        Assert.False(json.RootElement.TryGetProperty("memory", out _));
        ProgramResult generated = PublishedPrograms.Run("qed", "x64", "generate", "-m", path, "--tokens", "1", "-n", "1");
        Assert.Equal(3, generated.ExitCode);
        Assert.Contains(says, generated.Error);
    }

    private static string Inspect(string path, params string[] more)
    {
        ProgramResult result = PublishedPrograms.Run("qed", "x64", ["inspect", path, .. more]);
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        return result.Output;
    }

    private static void Copy(GgufFile source, string path, string key, string value, IReadOnlyList<GgufTensorInfo> tensors)
    {
        var writer = new GgufWriter(GgufHeader.DefaultAlignment, checksums: false);
        foreach (string other in source.Metadata.Keys.Where(other => other != key))
            writer.Copy(source.Metadata, other);
        writer.Add(key, value);
        foreach (GgufTensorInfo tensor in tensors)
            writer.AddTensor(tensor.Name, tensor.Type, [.. tensor.Dimensions], tensor.Bytes);
        using FileStream stream = File.Create(path);
        GgufSample.Write(writer, stream, [.. tensors.Select(tensor => source.Data(tensor).Span(0, (int)tensor.Bytes).ToArray())]);
    }
}
