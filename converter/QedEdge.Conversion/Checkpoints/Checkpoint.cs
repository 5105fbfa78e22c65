using QedEdge.Architectures;
using QedEdge.Gguf;
using QedEdge.Memory;
using QedEdge.Model;

namespace QedEdge.Conversion.Checkpoints;

/// <summary>
/// A checkpoint's folder: configurations and tensor tables, all of them checked; no weights are read. Names are those of the
/// family's base model: a prefix such as <c>model.</c> is taken off, and buffers that can be computed are left out.
/// </summary>
internal sealed class Checkpoint
{
    private const string SingleFile = "model.safetensors";
    private const string IndexFile = "model.safetensors.index.json";

    private readonly Dictionary<string, SafetensorsTensor> _tensors = [];

    private Checkpoint(string folder)
    {
        Folder = folder;
        Config = CheckpointConfig.ReadFolder(folder);
        Names = Config.Family.Names;
        Generation = GenerationConfig.ReadFolder(folder, Config.VocabSize);
        string single = Path.Combine(folder, SingleFile), index = Path.Combine(folder, IndexFile);
        bool isWhole = CheckpointFiles.Exists(single), isInParts = !isWhole && CheckpointFiles.Exists(index);
        WeightsFile = isInParts ? index : single;
        if (isInParts)
            AddShards(index);
        else if (isWhole)
            Add(SafetensorsHeader.Read(single, Names.Buffers));
        else
            throw NoWeights(folder);
    }

    /// <summary>A GGUF file of the plain layout, as a checkpoint whose tensors have its names.</summary>
    private Checkpoint(GgufFile file)
    {
        ModelConfig config = ModelConfig.Read(file);
        TensorCheck.Run(file, config.Architecture);
        IsFile = true;
        Folder = WeightsFile = file.Name;
        Config = CheckpointConfig.Of(file, config);
        Names = GgufTensors.Names(file);
        HasInterleavedRows = config.HasInterleavedRows;
        foreach (SafetensorsTensor tensor in GgufTensors.Of(file))
            _tensors.Add(tensor.Name, tensor);
    }

    /// <summary>The folder's path, or the file's.</summary>
    public string Folder { get; }

    /// <summary>Whether it is a GGUF file.</summary>
    public bool IsFile { get; }

    /// <summary>What the tensors are called.</summary>
    public CheckpointNames Names { get; }

    /// <summary>Whether the rows of queries and keys stand as llama.cpp turns them (<see cref="InterleavedRows"/>).</summary>
    public bool HasInterleavedRows { get; }

    /// <summary>The configuration.</summary>
    public CheckpointConfig Config { get; }

    /// <summary>How text is to be generated, or null.</summary>
    public GenerationConfig? Generation { get; }

    /// <summary>The file that errors about missing tensors name: the weights' file or the index of its parts.</summary>
    public string WeightsFile { get; }

    /// <summary>The tensors by their names in the reference.</summary>
    public IReadOnlyDictionary<string, SafetensorsTensor> Tensors => _tensors;

    /// <summary>The first tensor of another part of a larger model, which is left out; or null.</summary>
    public string? PassedOver { get; private set; }

    /// <summary>Opens a checkpoint.</summary>
    /// <param name="folder">Holds config.json and model.safetensors, or parts with model.safetensors.index.json; or a GGUF file.</param>
    /// <exception cref="ModelFormatException">A file is missing, cannot be read, is damaged or contradicts another one.</exception>
    public static Checkpoint Open(string folder)
    {
        FileKind? kind = FileStatus.KindOf(folder);
        if (kind is FileKind.File || (kind is not FileKind.Folder && folder.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase)))
        {
            using var file = GgufFile.Open(folder);
            return new Checkpoint(file);
        }
        CheckpointFiles.RequireFolder(folder, "the checkpoint's folder, which holds config.json and *.safetensors");
        return new Checkpoint(folder);
    }

    private void AddShards(string index)
    {
        using var document = CheckpointJson.ReadObject(index, CheckpointLimits.IndexBytes);
        var json = new JsonValues(document.RootElement, index);
        if (json.Find("weight_map") is not { ValueKind: System.Text.Json.JsonValueKind.Object } map)
            throw json.Wrong("weight_map", "the key is missing or no object");
        var shardOf = new Dictionary<string, string>();
        foreach (var entry in map.EnumerateObject())
        {
            string name = json.Text(entry.Value, entry.Name);
            if (!IsPlainFileName(name))
                throw json.Wrong(entry.Name, $"the part's name '{ModelFormatException.OneLine(name)}' is no plain file name in the checkpoint's folder");
            shardOf.Add(entry.Name, name);
        }
        string[] shards = [.. shardOf.Values.Distinct().Order(StringComparer.Ordinal)];
        if (shards.Length > CheckpointLimits.Parts)
            throw new ModelFormatException(ModelFault.Unsupported, index, $"{shards.Length} parts are more than the {CheckpointLimits.Parts} that a checkpoint may have", "weight_map");
        foreach (string shard in shards)
        {
            string path = Path.Combine(Folder, shard);
            if (!CheckpointFiles.Exists(path))
                throw new ModelFormatException(ModelFault.Unreadable, path, $"there is no such file, and {IndexFile} names it as a part of the checkpoint; download it too");
            var tensors = SafetensorsHeader.Read(path, Names.Buffers);
            foreach (var tensor in tensors)
            {
                string? expected = shardOf.GetValueOrDefault(tensor.Name);
                if (expected == shard)
                    shardOf.Remove(tensor.Name);
                else if (!tensor.IsAlias)
                    throw new ModelFormatException(ModelFault.Damaged, path, $"{IndexFile} places the tensor {(expected is null ? "nowhere" : $"in another part, {expected}")}", tensor: tensor.Name);
            }
            Add(tensors);
        }
        foreach (var (tensor, shard) in shardOf)
        {
            if (!SafetensorsHeader.IsBuffer(tensor, Names.Buffers))
                throw new ModelFormatException(ModelFault.MissingTensor, Path.Combine(Folder, shard), $"the tensor is missing: {IndexFile} places it in this part", tensor: tensor);
        }
    }

    private void Add(List<SafetensorsTensor> tensors)
    {
        foreach (var tensor in tensors)
        {
            if (Names.IsOfAnotherPart(tensor.Name))
            {
                PassedOver ??= tensor.Name;
                continue;
            }
            string name = Names.WithoutPrefix(tensor.Name);
            if (_tensors.TryAdd(name, tensor) || tensor.IsAlias)
                continue;
            if (_tensors[name] is { IsAlias: false })
                throw new ModelFormatException(ModelFault.Damaged, tensor.File, $"the tensor occurs under another prefix too, as '{ModelFormatException.OneLine(_tensors[name].Name)}'; keep one of them", tensor: tensor.Name);
            _tensors[name] = tensor;
        }
        if (_tensors.Count > CheckpointLimits.Tensors)
            throw new ModelFormatException(ModelFault.Unsupported, WeightsFile, $"the checkpoint has more than {CheckpointLimits.Tensors} tensors");
    }

    /// <summary>An index may come from anywhere: a part must lie in the checkpoint's own folder on every operating system.</summary>
    private static bool IsPlainFileName(string name) =>
        name.Length is > 0 and < 256 && name is not "." and not ".." && !name.AsSpan().ContainsAny("/\\:") && !name.Any(char.IsControl);

    private static ModelFormatException NoWeights(string folder)
    {
        string? part = Directory.EnumerateFiles(folder, "*.safetensors").Order(StringComparer.Ordinal).FirstOrDefault();
        return new(ModelFault.Unreadable, folder, part is not null
            ? $"holds {ModelFormatException.OneLine(Path.GetFileName(part))}, but neither {SingleFile} nor {IndexFile}, which says what is in which part; download it too"
            : Directory.EnumerateFiles(folder, "*.bin").Any()
                ? $"holds PyTorch weights and no {SingleFile}; save the checkpoint as safetensors first"
                : $"holds neither {SingleFile} nor {IndexFile}");
    }
}
