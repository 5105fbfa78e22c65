using System.Globalization;
using QedEdge.Chat;
using QedEdge.Gguf;
using QedEdge.Model;
using QedEdge.Text;

namespace QedEdge.Cli;

/// <summary>Whether QedEdge runs a file, and as what: known from its header, before any weight is read.</summary>
internal sealed class FileVerdict
{
    private readonly ModelConfig? _config;

    /// <summary>Judges a file.</summary>
    public FileVerdict(GgufFile file)
    {
        try
        {
            ModelConfig config = ModelConfig.Read(file);
            TensorCheck.Run(file, config.Architecture);
            _config = config;
        }
        catch (QedException e)
        {
            Problem = e.Message;
            return;
        }
        Tokenizer? tokenizer = null;
        (Tokenizer, TokenizerProblem) = Try(() => (tokenizer = QedEdge.Text.Tokenizer.Open(file)) is null ? null : string.Create(CultureInfo.InvariantCulture, $"{Kind(file)}, {tokenizer.VocabSize:N0} tokens"));
        if (tokenizer is not null)
            (Template, TemplateProblem) = Try(() => ChatTemplate.Open(file, tokenizer) is null ? null : "of the file");
    }

    /// <summary>The family whose model it is, or null where it is not run.</summary>
    public string? Family => _config?.Architecture.Name;

    /// <summary>Why it is not run, or null.</summary>
    public string? Problem { get; }

    /// <summary>Its tokenizer, or null where there is none that is used.</summary>
    public string? Tokenizer { get; }

    /// <summary>Why the file's tokenizer is not used, or null.</summary>
    public string? TokenizerProblem { get; }

    /// <summary>Where its chat template is from, or null where there is none that is used.</summary>
    public string? Template { get; }

    /// <summary>Why the file's template is not used, or null.</summary>
    public string? TemplateProblem { get; }

    /// <summary>The verdict in lines.</summary>
    /// <param name="file">The file.</param>
    /// <param name="parameters">How many weights it has.</param>
    public IEnumerable<string> Lines(GgufFile file, long parameters)
    {
        if (Problem is { } problem)
        {
            yield return $"runs: no; {(problem.StartsWith(file.Name + ": ", StringComparison.Ordinal) ? problem[(file.Name.Length + 2)..] : problem)}";
            yield break;
        }
        yield return $"runs: yes, a model of the family '{Family}'; its weights ({Types(file)}) are {(file.HasPackedLayout ? "used in place" : "repacked into memory when it is opened")}";
        yield return Model(_config!, parameters);
        yield return $"tokenizer: {Tokenizer ?? $"none, token ids only{Because(TokenizerProblem)}"}";
        yield return $"chat template: {Template ?? $"none{Because(TemplateProblem)}"}";
    }

    private static string Model(ModelConfig config, long parameters)
    {
        string heads = config.KeyValueHeadCount == config.HeadCount ? "" : $" ({config.KeyValueHeadCount} of keys and values)";
        return string.Create(CultureInfo.InvariantCulture,
            $"model: {(config.Name is { Length: > 0 } name ? name + ", " : "")}{parameters:N0} parameters, {config.LayerCount} layers of width {config.HiddenSize}, {config.HeadCount} heads{heads} of {config.HeadSize}, context {config.ContextLength:N0}");
    }

    /// <summary>The matrices' types, by their share of the bytes.</summary>
    private static string Types(GgufFile file)
    {
        var bytes = new Dictionary<string, long>();
        foreach (GgufTensorInfo tensor in file.Tensors)
        {
            if (tensor.Dimensions.Count == 2 && !tensor.IsBaked)
                bytes[TensorTypes.Name(tensor.Type)] = bytes.GetValueOrDefault(TensorTypes.Name(tensor.Type)) + tensor.Bytes;
        }
        string[] names = [.. bytes.Keys];
        Array.Sort(names, (a, b) => bytes[b].CompareTo(bytes[a]));
        return string.Join(", ", names);
    }

    private static string Kind(GgufFile file) => file.Metadata.FindString(GgufKeys.TokenizerModel) == "llama" ? "SentencePiece" : "byte-level BPE";

    private static string Because(string? problem) => problem is null ? "" : $"; {problem}";

    private static (string? Found, string? Problem) Try(Func<string?> open)
    {
        try
        {
            return (open(), null);
        }
        catch (QedException e)
        {
            return (null, e.Message);
        }
    }
}
