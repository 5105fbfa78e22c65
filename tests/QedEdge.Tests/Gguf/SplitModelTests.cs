using QedEdge.Conversion;
using QedEdge.Gguf;
using QedEdge.Quantization;

namespace QedEdge.Tests.Gguf;

/// <summary>Models in several files, as llama-gguf-split writes them.</summary>
public sealed class SplitModelTests : IDisposable
{
    private static readonly string Whole = Path.Combine(TestData.Root, "tests", "types", "llama-q4_k_m-256", "model.gguf");

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void First_OpensAll_AndComputesTheSame()
    {
        Split(3);
        float[] expected = Logits(Whole);
        Assert.Equal(expected, Logits(PathOf(1, 3)));
        using GgufFile split = GgufFile.Open(PathOf(1, 3)), whole = GgufFile.Open(Whole);
        Assert.Equal(whole.Tensors.Select(static tensor => tensor.Name).Order(), split.Tensors.Select(static tensor => tensor.Name).Order());
        Assert.Equal(Directory.EnumerateFiles(_folder).Sum(static file => new FileInfo(file).Length), split.Length);
    }

    [Fact]
    public void WhatIsWrittenFromIt_IsOneFile_AndNoPartIsReplaced()
    {
        Split(3);
        float[] expected = Logits(Whole);
        string packed = Path.Combine(_folder, "packed.gguf"), anew = Path.Combine(_folder, "anew.gguf"), baked = Path.Combine(_folder, "baked.gguf");
        FileRepacker.Repack(PathOf(1, 3), packed, FileLayout.Packed, 1, overwrite: false, cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(expected, Logits(packed));
        CheckpointConverter.Convert(PathOf(1, 3), anew, new() { Type = BlockFormat.F32 }, cancellation: TestContext.Current.CancellationToken);
        Logits(anew);
        using (QedModel model = QedModel.Open(PathOf(1, 3)))
            PrefixBaker.Bake(model, [5, 6], baked, new BakeOptions(), TestContext.Current.CancellationToken);
        Assert.Equal(expected, Logits(baked));
        foreach (int part in new[] { 1, 2, 3 })
            Assert.Contains("which is read", Assert.Throws<InvalidOptionException>(() => FileRepacker.Repack(PathOf(1, 3), PathOf(part, 3), FileLayout.Packed, 1, overwrite: true)).Message);
    }

    [Fact]
    public void ANumberOfTensorsThatIsNotAnnounced_IsRefused()
    {
        Split(2, announced: 99);
        Assert.Contains("99 tensors in 2 files", Refuse(PathOf(1, 2)).Message);
    }

    [Fact]
    public void AnotherThanTheFirst_NamesTheFirst()
    {
        Split(3);
        Assert.Equal($"{PathOf(2, 3)}: is file 2 of 3 of a split model; name the first, m-00001-of-00003.gguf", Refuse(PathOf(2, 3)).Message);
    }

    [Fact]
    public void MissingPart_IsNamed()
    {
        Split(3);
        File.Delete(PathOf(3, 3));
        ModelFormatException error = Refuse(PathOf(1, 3));
        Assert.Equal(ModelFault.Unreadable, error.Fault);
        Assert.StartsWith($"{PathOf(3, 3)}: is missing or cannot be read, and the model is split into 3 files", error.Message);
    }

    [Fact]
    public void PartsOfAnotherModel_AreRefused()
    {
        Split(3);
        File.Copy(PathOf(3, 3), PathOf(2, 3), overwrite: true);
        Assert.Contains("is not file 2 of 3 of the split model that m-00001-of-00003.gguf begins", Refuse(PathOf(1, 3)).Message);
        Split(3, twice: true);
        Assert.Contains("is in another file of the split model too", Refuse(PathOf(1, 3)).Message);
    }

    [Fact]
    public void AName_ThatDoesNotSayTheNumber_IsRefused()
    {
        Split(2);
        File.Move(PathOf(1, 2), Path.Combine(_folder, "other.gguf"));
        Assert.Contains("'-00001-of-00002.gguf'", Refuse(Path.Combine(_folder, "other.gguf")).Message);
    }

    [Theory, Limit(typeof(GgufLimits), nameof(GgufLimits.Parts))]
    public void Files(LimitTrial trial)
    {
        string first = Path.Combine(_folder, $"m-00001-of-{trial.Count:00000}.gguf");
        for (int i = 0; i < Math.Min(trial.Count, trial.Most); i++)
            Write(Path.Combine(_folder, $"m-{i + 1:00000}-of-{trial.Count:00000}.gguf"), i, trial.Count, []);
        trial.Check(() => GgufFile.Open(first).Dispose());
    }

    private static ModelFormatException Refuse(string path) => Assert.Throws<ModelFormatException>(() => GgufFile.Open(path));

    private string PathOf(int number, int count) => Path.Combine(_folder, $"m-{number:00000}-of-{count:00000}.gguf");

    /// <summary>The model's tensors dealt to files in turn.</summary>
    private void Split(int count, bool twice = false, uint? announced = null)
    {
        using GgufFile whole = GgufFile.Open(Whole);
        for (int i = 0; i < count; i++)
            Write(PathOf(i + 1, count), i, count, [.. whole.Tensors.Where((_, t) => t % count == i || (twice && t == 0))], whole, announced);
    }

    private static void Write(string path, int number, int count, GgufTensorInfo[] tensors, GgufFile? whole = null, uint? announced = null)
    {
        var writer = new GgufWriter(GgufHeader.DefaultAlignment, checksums: false);
        foreach (string key in number == 0 && whole is not null ? whole.Metadata.Keys : [])
            writer.Copy(whole!.Metadata, key);
        writer.Add("split.no", (uint)number);
        writer.Add("split.count", (uint)count);
        if (announced is { } all)
            writer.Add("split.tensors.count", all);
        var parts = new List<byte[]>();
        foreach (GgufTensorInfo tensor in tensors)
        {
            writer.AddTensor(tensor.Name, tensor.Type, [.. tensor.Dimensions], tensor.Bytes);
            parts.Add(whole!.Data(tensor).Span(0, (int)tensor.Bytes).ToArray());
        }
        using FileStream stream = File.Create(path);
        GgufSample.Write(writer, stream, parts);
    }

    private static float[] Logits(string path)
    {
        using QedModel model = QedModel.Open(path);
        using Session session = model.CreateSession();
        session.Feed([5, 6, 7]);
        return session.Logits.ToArray();
    }
}
