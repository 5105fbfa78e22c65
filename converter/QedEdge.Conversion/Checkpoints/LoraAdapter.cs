using QedEdge.Architectures;
using QedEdge.Memory;

namespace QedEdge.Conversion.Checkpoints;

/// <summary>
/// A PEFT adapter's folder: its low-rank updates of a checkpoint's matrices, all of them read and checked. Tensors are named
/// <c>base_model.model.MODULE.lora_A.weight</c> [rank, inputs] and <c>….lora_B.weight</c> [outputs, rank]; for the embedding
/// <c>….lora_embedding_A</c> [rank, vocabulary] and <c>….lora_embedding_B</c> [width, rank], whose product is transposed. So it is where a family stores
/// matrices [inputs, outputs] (<c>fan_in_fan_out</c>); updates here are always [outputs, inputs].
/// </summary>
internal sealed class LoraAdapter
{
    private const string WeightsName = "adapter_model.safetensors";
    private const string Root = "base_model.model.";
    private const string SaveAgain = "save the adapter again with save_pretrained";

    private readonly Checkpoint _checkpoint;
    private readonly CheckpointNames _names;
    private readonly AdapterConfig _config;
    private readonly Dictionary<string, LowRankUpdate> _updates = [];

    private LoraAdapter(string folder, Checkpoint checkpoint)
    {
        _checkpoint = checkpoint;
        _names = checkpoint.Names;
        Name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder))) is { Length: > 0 } name ? ModelFormatException.OneLine(name) : "adapter";
        WeightsFile = Path.Combine(folder, WeightsName);
        RequireFiles(folder);
        _config = AdapterConfig.ReadFolder(folder, hasTransposed: _names.IsTransposed);
        var pairs = new Dictionary<string, Pair>(); // by the matrix's name in the checkpoint
        foreach (SafetensorsTensor tensor in SafetensorsHeader.Read(WeightsFile))
        {
            if (Factor.Of(tensor) is { } factor)
                Add(pairs, factor);
            else
                RequireCopy(tensor);
        }
        if (pairs.Count == 0)
            throw new ModelFormatException(ModelFault.Damaged, WeightsFile, "holds no LoRA tensors (lora_A, lora_B); " + SaveAgain);
        foreach (var (matrix, pair) in pairs.OrderBy(static entry => entry.Key, StringComparer.Ordinal))
            _updates.Add(matrix, Read(matrix, pair));
        AddWarnings([.. pairs.Values.Select(static pair => pair.Module)]);
    }

    /// <summary>The folder's name.</summary>
    public string Name { get; }

    /// <summary>The path of adapter_model.safetensors.</summary>
    public string WeightsFile { get; }

    /// <summary>What is added to which matrix, by the matrix's name in the reference.</summary>
    public IReadOnlyDictionary<string, LowRankUpdate> Updates => _updates;

    /// <summary>What the user should know, a line each.</summary>
    public List<string> Warnings { get; } = [];

    /// <summary>Reads an adapter.</summary>
    /// <param name="folder">Holds adapter_config.json and adapter_model.safetensors.</param>
    /// <param name="checkpoint">The base model's checkpoint; its tensors have been compared with its configuration, which bounds their shapes.</param>
    /// <exception cref="ModelFormatException">A file is missing, cannot be read or is damaged; the adapter is not plain LoRA; or its tensors do not fit the checkpoint.</exception>
    public static LoraAdapter Read(string folder, Checkpoint checkpoint)
    {
        CheckpointFiles.RequireFolder(folder, $"the adapter's folder, which holds {AdapterConfig.FileName} and {WeightsName}");
        return new LoraAdapter(folder, checkpoint);
    }

    private void RequireFiles(string folder)
    {
        if (!CheckpointFiles.Exists(Path.Combine(folder, AdapterConfig.FileName)))
            throw new ModelFormatException(ModelFault.Unreadable, folder, $"holds no {AdapterConfig.FileName}; name the folder that PEFT's save_pretrained wrote");
        if (!CheckpointFiles.Exists(WeightsFile))
        {
            throw new ModelFormatException(ModelFault.Unreadable, folder, CheckpointFiles.Exists(Path.Combine(folder, "adapter_model.bin"))
                ? $"holds PyTorch weights and no {WeightsName}; save the adapter as safetensors first"
                : $"holds no {WeightsName}; {SaveAgain}");
        }
    }

    /// <summary>Takes a factor to its matrix in the checkpoint.</summary>
    private void Add(Dictionary<string, Pair> pairs, Factor factor)
    {
        string matrix = WithoutPrefix(factor.Module) + ".weight";
        if (matrix == Head && _checkpoint.Config.TiedHead)
        {
            throw Unsupported(factor.Tensor, "the model's head is its embedding (tie_word_embeddings), and merging into it alone would part them; "
                + $"give the checkpoint a head of its own (a copy of the embedding as {Head}, and false in config.json)");
        }
        if (!_checkpoint.Tensors.TryGetValue(matrix, out SafetensorsTensor? source) || source.Shape.Length != 2)
            throw Unsupported(factor.Tensor, $"the checkpoint has no matrix '{ModelFormatException.OneLine(matrix)}' to merge it into; take the checkpoint that the adapter was trained on");
        if (factor.OfEmbedding != IsEmbedding(matrix))
            throw Damaged(factor.Tensor, $"an update of the embedding is lora_embedding_A and lora_embedding_B, of any other matrix lora_A and lora_B; {SaveAgain}");
        if (!pairs.TryGetValue(matrix, out Pair? pair))
            pairs.Add(matrix, pair = new Pair(factor.Module));
        if ((factor.IsA ? pair.A : pair.B) is { } other)
            throw Damaged(factor.Tensor, $"'{ModelFormatException.OneLine(other.Name)}' is for the same matrix; keep one of them");
        if (factor.IsA)
            pair.A = factor.Tensor;
        else
            pair.B = factor.Tensor;
    }

    /// <summary>Reads a matrix's two factors.</summary>
    private LowRankUpdate Read(string matrix, Pair pair)
    {
        if (pair is not { A: { } a, B: { } b })
            throw Damaged((pair.A ?? pair.B)!, $"its other half, {(pair.A is null ? "lora_A" : "lora_B")}, is missing; {SaveAgain}");
        SafetensorsTensor source = _checkpoint.Tensors[matrix];
        bool ofEmbedding = IsEmbedding(matrix);
        (long rows, long cols) = (source.Shape[0], source.Shape[1]);
        (long outputs, long inputs) = ofEmbedding || (_names.IsTransposed && _names.IsInLayer(matrix)) ? (cols, rows) : (rows, cols);
        if (a.Shape.Length != 2 || a.Shape[1] != inputs)
            throw Damaged(a, $"its shape is {a.ShapeText}, and the checkpoint's matrix of shape {source.ShapeText} requires [rank, {inputs}]; take the checkpoint that the adapter was trained on");
        if (b.Shape.Length != 2 || b.Shape[0] != outputs)
            throw Damaged(b, $"its shape is {b.ShapeText}, and the checkpoint's matrix of shape {source.ShapeText} requires [{outputs}, rank]; take the checkpoint that the adapter was trained on");
        if (a.Shape[0] != b.Shape[1])
            throw Damaged(b, $"its rank is {b.Shape[1]}, and that of the other half, lora_A, is {a.Shape[0]}; {SaveAgain}");
        int rank = _config.RankOf(pair.Module);
        if (a.Shape[0] != rank)
            throw Damaged(a, $"its rank is {a.Shape[0]}, and {AdapterConfig.FileName} says {rank} (r, rank_pattern), which the scaling depends on; take the configuration saved with it");
        double scaling = _config.ScalingOf(pair.Module);
        return ofEmbedding
            ? new LowRankUpdate(Transpose(ReadValues(b), rank), Transpose(ReadValues(a), (int)rows), rank, scaling)
            : new LowRankUpdate(ReadValues(a), ReadValues(b), rank, scaling);
    }

    private static float[] ReadValues(SafetensorsTensor tensor)
    {
        if (!SafetensorsValues.CanRead(tensor.Type))
            throw Unsupported(tensor, $"its dtype is {tensor.Type}; F32, F16 and BF16 can be merged");
        (int rows, int cols) = (checked((int)tensor.Shape[0]), checked((int)tensor.Shape[1])); // a rank and a width, both within limits
        int rowBytes = cols * SafetensorsValues.Size(tensor.Type);
        if ((long)rows * cols > Array.MaxLength)
            throw Unsupported(tensor, $"{(long)rows * cols} values are too many");
        var values = new float[rows * cols];
        using MappedFile mapped = SafetensorsValues.Map(tensor);
        for (int row = 0; row < rows; row++)
        {
            Span<float> part = values.AsSpan(row * cols, cols);
            SafetensorsValues.Decode(tensor.Type, mapped.View.Span((long)row * rowBytes, rowBytes), part);
            int notFinite = SafetensorsValues.FindNotFinite(part);
            if (notFinite >= 0)
                throw Damaged(tensor, $"the value at [{row}, {notFinite}] is not finite; the adapter is damaged or was not trained to an end");
        }
        return values;
    }

    /// <summary>[n, cols] to [cols, n].</summary>
    private static float[] Transpose(float[] values, int cols)
    {
        var transposed = new float[values.Length];
        int rows = values.Length / cols;
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < cols; j++)
                transposed[j * rows + i] = values[i * cols + j];
        }
        return transposed;
    }

    /// <summary>PEFT saves embedding and head beside their updates. Such a copy of the checkpoint's tensor says nothing new; whatever else there is cannot be merged.</summary>
    private void RequireCopy(SafetensorsTensor tensor)
    {
        string name = WithoutPrefix(WithoutRoot(tensor.Name)).Replace(".base_layer.", ".", StringComparison.Ordinal);
        if (name == Head && _checkpoint.Config.TiedHead)
            name = Embedding;
        if (!_checkpoint.Tensors.TryGetValue(name, out SafetensorsTensor? source))
            throw Unsupported(tensor, $"this is neither half of a low-rank update (lora_A, lora_B) nor a tensor of the checkpoint; {AdapterConfig.MergeInPeft}");
        if (!IsCopy(tensor, source))
            throw Unsupported(tensor, $"this replaces the checkpoint's tensor as a whole and differs from it (a trained bias, a module to save, a resized vocabulary); {AdapterConfig.MergeInPeft}");
    }

    /// <summary>Whether a tensor is another one, rounded to the first one's type: training may load a model in another precision.</summary>
    private static bool IsCopy(SafetensorsTensor copy, SafetensorsTensor source)
    {
        if (!copy.Shape.SequenceEqual(source.Shape) || !SafetensorsValues.CanRead(copy.Type) || !SafetensorsValues.CanRead(source.Type))
            return false;
        using MappedFile left = SafetensorsValues.Map(copy), right = SafetensorsValues.Map(source);
        const int part = 1 << 16;
        int size = SafetensorsValues.Size(copy.Type), sourceSize = SafetensorsValues.Size(source.Type);
        float[] values = new float[part];
        byte[] bytes = new byte[part * size];
        long count = copy.Bytes / size;
        for (long at = 0; at < count; at += part)
        {
            int length = (int)Math.Min(part, count - at);
            SafetensorsValues.Decode(source.Type, right.View.Span(at * sourceSize, length * sourceSize), values.AsSpan(0, length));
            SafetensorsValues.Encode(copy.Type, values.AsSpan(0, length), bytes);
            if (!left.View.Span(at * size, length * size).SequenceEqual(bytes.AsSpan(0, length * size)))
                return false;
        }
        return true;
    }

    private void AddWarnings(List<string> modules)
    {
        foreach (string target in _config.Targets)
        {
            if (!modules.Exists(module => module == target || module.EndsWith("." + target, StringComparison.Ordinal)))
                Warnings.Add($"{AdapterConfig.FileName} names the module '{ModelFormatException.OneLine(target)}' (target_modules), and {WeightsName} has no tensors for it");
        }
        foreach (string pattern in _config.UnusedPatterns)
            Warnings.Add($"{AdapterConfig.FileName} gives '{ModelFormatException.OneLine(pattern)}' a rank or an alpha of its own, which applies to no module of the adapter");
        if (_updates.ContainsKey(Embedding) && _checkpoint.Config.TiedHead)
            Warnings.Add("the adapter changes the embedding, which is also the head: merged, it changes both, as PEFT's merge_and_unload does; running it unmerged in PEFT leaves the head as it was");
    }

    private static string WithoutRoot(string name) => name.StartsWith(Root, StringComparison.Ordinal) ? name[Root.Length..] : name;

    private string WithoutPrefix(string name) => _names.WithoutPrefix(name);

    /// <summary>Whether rows of a matrix are looked up: the embedding, or learned positions.</summary>
    private bool IsEmbedding(string matrix) => matrix == Embedding || (_names.Positions is { } positions && matrix == positions + ".weight");

    private string Embedding => _names.Embedding + ".weight";

    private string Head => _names.Head + ".weight";

    private static ModelFormatException Damaged(SafetensorsTensor tensor, string problem) => new(ModelFault.Damaged, tensor.File, problem, tensor: tensor.Name);

    private static ModelFormatException Unsupported(SafetensorsTensor tensor, string problem) => new(ModelFault.Unsupported, tensor.File, problem, tensor: tensor.Name);

    /// <summary>The two halves of a matrix's update.</summary>
    /// <param name="Module">The module's name in the adapter's base model.</param>
    private sealed record Pair(string Module)
    {
        public SafetensorsTensor? A { get; set; }

        public SafetensorsTensor? B { get; set; }
    }

    /// <summary>A tensor that is one half of an update.</summary>
    private sealed record Factor(SafetensorsTensor Tensor, string Module, bool IsA, bool OfEmbedding)
    {
        /// <summary>What a tensor's name says, or null where it is no half of an update. Some exports keep the adapter's name, "default".</summary>
        public static Factor? Of(SafetensorsTensor tensor)
        {
            string name = WithoutEnd(WithoutEnd(WithoutRoot(tensor.Name), ".weight"), ".default");
            int dot = name.LastIndexOf('.');
            string kind = name[(dot + 1)..];
            return dot > 0 && kind is "lora_A" or "lora_B" or "lora_embedding_A" or "lora_embedding_B"
                ? new Factor(tensor, name[..dot], kind[^1] == 'A', kind.StartsWith("lora_embedding", StringComparison.Ordinal))
                : null;
        }

        private static string WithoutEnd(string name, string end) => name.EndsWith(end, StringComparison.Ordinal) ? name[..^end.Length] : name;
    }
}
