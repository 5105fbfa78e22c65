using System.Text.Json.Nodes;
using QedEdge.Conversion;
using QedEdge.Architectures;
using QedEdge.Conversion.Checkpoints;
using QedEdge.Gguf;
using QedEdge.Quantization;

#pragma warning disable xUnit1051 // every call here takes milliseconds; none needs to be cancelled

namespace QedEdge.Tests.Conversion;

/// <summary>Invented checkpoints of every family are what published ones are.</summary>
public class FamilyCheckpointTests
{
    public static TheoryData<string> Families => [.. FamilyFolder.Goldens];

    [Theory]
    [MemberData(nameof(Families))]
    public void Random_HasTheTensorsOfTheReference_AndRuns(string golden)
    {
        using var folder = new FamilyFolder(golden);
        Checkpoint expected = Checkpoint.Open(CheckpointFolder.Golden(golden)), actual = Checkpoint.Open(folder.Model);
        string head = expected.Config.TiedHead ? expected.Config.Family.Names.Head + ".weight" : ""; // a copy, in some
        Assert.Equal(expected.Tensors.Where(tensor => tensor.Key != head).Select(Shape).Order(), actual.Tensors.Select(Shape).Order());
        foreach (BlockFormat format in new[] { BlockFormat.F32, BlockFormat.Q4_0 })
        {
            CheckpointConverter.Convert(folder.Model, folder["out"], new() { Type = format, Threads = 2, Overwrite = true });
            using QedModel model = QedModel.Open(folder["out"]);
            using Session session = model.CreateSession(new SessionOptions { ContextLength = 32, Threads = 1 });
            session.Feed([1, 5, 7, 11, 13]);
            Assert.True(session.Logits.ToArray().Select(Math.Abs).Max() is > 0.01f and < 1000f);
        }

        static string Shape(KeyValuePair<string, SafetensorsTensor> tensor) => $"{tensor.Key} {tensor.Value.ShapeText}";
    }

    /// <summary>The text part of a model that also sees pictures, as older and newer versions of the library save it; what the configuration leaves out is usual there.</summary>
    [Theory]
    [InlineData("language_model.model.", "vision_tower.")]
    [InlineData("model.language_model.", "model.vision_tower.")]
    public void Gemma_InALargerModel_IsItsTextPart(string prefix, string vision)
    {
        using var folder = new CheckpointFolder();
        string golden = CheckpointFolder.Golden("gemma3-window8-bf16");
        CheckpointConverter.Convert(golden, folder["expected"], new());
        JsonObject text = FamilyFolder.Config("gemma3-window8-bf16");
        foreach (string id in (string[])["bos_token_id", "eos_token_id", "pad_token_id"])
            text.Remove(id);
        var config = new JsonObject { ["model_type"] = "gemma3", ["text_config"] = text, ["vision_config"] = new JsonObject { ["hidden_size"] = 8 }, ["bos_token_id"] = 2, ["eos_token_id"] = new JsonArray(1), ["pad_token_id"] = 0 };
        var tensors = AdapterFolder.Read(Path.Combine(golden, "model.safetensors"));
        string own = CheckpointNames.Llama.Prefix;
        Write(folder, config, [new TestTensor(vision + "encoder.bias", "F32", [1], [float.NaN]),
            .. tensors.Values.Select(tensor => tensor with { Name = prefix + (tensor.Name.StartsWith(own, StringComparison.Ordinal) ? tensor.Name[own.Length..] : tensor.Name) })]);
        var report = CheckpointConverter.Convert(folder.Path, folder["found"], new());
        Assert.Contains(report.Warnings, warning => warning.Contains(vision + "encoder.bias"));
        using GgufFile expected = GgufFile.Open(folder["expected"]), found = GgufFile.Open(folder["found"]);
        foreach (GgufTensorInfo tensor in expected.Tensors)
            Assert.True(expected.Data(tensor).Span(0, (int)tensor.Bytes).SequenceEqual(found.Data(found.Find(tensor.Name)!).Span(0, (int)tensor.Bytes)), tensor.Name);
        Assert.Equal(expected.Metadata.Keys, found.Metadata.Keys);

        text.Remove("num_attention_heads"); // usually 8, and not here
        Write(folder, config, tensors.Values);
        Assert.Contains("q_proj", Assert.Throws<ModelFormatException>(() => CheckpointConverter.Convert(folder.Path, folder["no"], new())).Tensor);
        text["model_type"] = "llama";
        Write(folder, config, tensors.Values);
        Assert.Equal("text_config.model_type", Assert.Throws<ModelFormatException>(() => CheckpointConverter.Convert(folder.Path, folder["no"], new())).Key);
        config.Remove("text_config");
        Write(folder, config, tensors.Values);
        Assert.Equal("text_config", Assert.Throws<ModelFormatException>(() => CheckpointConverter.Convert(folder.Path, folder["no"], new())).Key);
    }

    /// <summary>With and without the base model's prefix, and with a copy of the embedding as the head, the file is the same; a head that differs is refused, a wrapper's name is named.</summary>
    [Theory]
    [MemberData(nameof(Families))]
    public void Names_AsPeopleHaveThem(string golden)
    {
        using FamilyFolder folder = new(golden);
        using var other = new CheckpointFolder();
        Checkpoint source = Checkpoint.Open(folder.Model);
        CheckpointNames names = source.Config.Family.Names;
        JsonObject config = JsonNode.Parse(File.ReadAllText(Path.Combine(folder.Model, "config.json")))!.AsObject();
        List<TestTensor> tensors = [.. AdapterFolder.Read(Path.Combine(folder.Model, "model.safetensors")).Values];
        TestTensor embedding = tensors.Single(tensor => tensor.Name == names.Embedding + ".weight");
        CheckpointConverter.Convert(folder.Model, folder["expected"], new());

        string head = names.Head + ".weight";
        List<TestTensor> prefixed = [.. tensors.Select(tensor => tensor.Name == head ? tensor : tensor with { Name = names.Prefix + tensor.Name })];
        if (source.Config.TiedHead)
            prefixed.Add(embedding with { Name = head });
        Write(other, config, prefixed);
        CheckpointConverter.Convert(other.Path, folder["found"], new());
        Assert.Equal(File.ReadAllBytes(folder["expected"]), File.ReadAllBytes(folder["found"]));

        if (source.Config.TiedHead)
        {
            Write(other, config, [.. tensors, embedding with { Name = head, Values = [.. embedding.Values[..^1], 0.5f] }]);
            Assert.Equal(head, Refuse(other).Tensor);
        }
        Write(other, config, [.. tensors, embedding with { Name = names.Prefix + embedding.Name }]);
        Assert.Contains("another prefix", Refuse(other).Message);
        foreach (string wrapper in (string[])["_orig_mod.", "module."])
        {
            Write(other, config, tensors.Select(tensor => tensor with { Name = wrapper + names.Prefix + tensor.Name }));
            Assert.Contains($"the file has '{wrapper}{names.Prefix}{embedding.Name}'", Refuse(other).Message);
        }
    }

    /// <summary>Every tensor in turn: missing, of a wrong shape (a matrix that is not square transposed), not finite, or one too many.</summary>
    [Theory]
    [MemberData(nameof(Families))]
    public void Tensors_ThatDoNotFit_AreRefusedByName(string golden)
    {
        using FamilyFolder folder = new(golden);
        using var other = new CheckpointFolder();
        JsonObject config = JsonNode.Parse(File.ReadAllText(Path.Combine(folder.Model, "config.json")))!.AsObject();
        List<TestTensor> tensors = [.. AdapterFolder.Read(Path.Combine(folder.Model, "model.safetensors")).Values];
        for (int i = 0; i < tensors.Count; i += i < 14 ? 1 : 7) // a layer's, and some of the rest
        {
            TestTensor tensor = tensors[i];
            Check(ModelFault.MissingTensor, null);
            Check(ModelFault.Damaged, tensor with { Values = [.. tensor.Values[..^1], float.NaN] });
            if (tensor.Shape.Length == 1 || tensor.Shape[0] != tensor.Shape[1])
                Check(ModelFault.Damaged, tensor with { Shape = tensor.Shape.Length == 1 ? [1, tensor.Shape[0]] : [tensor.Shape[1], tensor.Shape[0]] });

            void Check(ModelFault fault, TestTensor? instead)
            {
                Write(other, config, [.. tensors[..i], .. instead is null ? Array.Empty<TestTensor>() : [instead], .. tensors[(i + 1)..]]);
                ModelFormatException refused = Refuse(other);
                Assert.Equal((tensor.Name, fault), (refused.Tensor, refused.Fault));
            }
        }
        Write(other, config, [.. tensors, new TestTensor("layers.0.extra.weight", "F32", [1], [1f])]);
        Assert.Equal(("layers.0.extra.weight", ModelFault.Unsupported), (Refuse(other).Tensor, Refuse(other).Fault));
    }

    private static ModelFormatException Refuse(CheckpointFolder folder)
    {
        var refused = Assert.Throws<ModelFormatException>(() => CheckpointConverter.Convert(folder.Path, folder["refused"], new() { Type = BlockFormat.F32 }));
        Assert.DoesNotContain('\n', refused.Message);
        return refused;
    }

    private static void Write(CheckpointFolder folder, JsonObject config, IEnumerable<TestTensor> tensors)
    {
        File.WriteAllText(folder["config.json"], config.ToJsonString());
        AdapterFolder.Write(folder["model.safetensors"], tensors);
    }
}
