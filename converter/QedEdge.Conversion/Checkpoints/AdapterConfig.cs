using System.Text.Json;
using System.Text.RegularExpressions;

namespace QedEdge.Conversion.Checkpoints;

/// <summary>
/// A PEFT adapter's <c>adapter_config.json</c>: what factor and rank each module's update has. Whatever makes the adapter something else than
/// low-rank updates that can be added to the checkpoint's matrices is refused.
/// </summary>
internal sealed class AdapterConfig
{
    /// <summary>The file's name in an adapter's folder.</summary>
    public const string FileName = "adapter_config.json";

    /// <summary>What helps with every adapter that is more than LoRA.</summary>
    public const string MergeInPeft = "merge it in PEFT (merge_and_unload), save the model and convert that";

    /// <summary>Keys of what PEFT can add to LoRA; without it the merged model would compute something else.</summary>
    private static readonly string[] Extensions = ["use_dora", "use_qalora", "use_bdlora", "lora_bias", "modules_to_save", "trainable_token_indices", "target_parameters",
        "layer_replication", "alora_invocation_tokens", "arrow_config"];

    /// <summary>Initializations that leave the base weights as they are; the others take from them what the adapter starts with.</summary>
    private static readonly string[] Initializations = ["gaussian", "eva", "orthogonal"];

    private readonly string _file;
    private readonly TimeProvider _clock;
    private readonly int _rank;
    private readonly double _alpha;
    private readonly bool _rootScaling;
    private readonly List<Pattern> _ranks, _alphas;
    private TimeSpan _matching; // what patterns took so far

    private AdapterConfig(JsonValues json, string file, bool hasTransposed, TimeProvider clock)
    {
        (_file, _clock) = (file, clock);
        string type = json.FindString("peft_type") ?? throw json.Missing("peft_type");
        if (type != "LORA")
            throw Unsupported("peft_type", $"only LORA adapters can be merged, not '{ModelFormatException.OneLine(type)}'; {MergeInPeft}");
        foreach (string key in Extensions)
        {
            if (IsSet(json.Find(key)))
                throw Unsupported(key, $"only plain LoRA can be merged; {MergeInPeft}");
        }
        if (json.FindBool("fan_in_fan_out") == true && !hasTransposed)
            throw Unsupported("fan_in_fan_out", "this family's matrices are [outputs, inputs], never transposed; set it to false, as PEFT does for such layers");
        if (json.Find("init_lora_weights") is { ValueKind: JsonValueKind.String } init && !Initializations.Contains(json.Text(init, "init_lora_weights").ToLowerInvariant()))
        {
            throw Unsupported("init_lora_weights", "this initialization changes the base weights too, and they are not in the checkpoint; "
                + "save the adapter as plain LoRA (save_pretrained with path_initial_model_for_weight_conversion)");
        }

        _rank = json.GetInt32("r", 1, CheckpointLimits.Rank);
        _alpha = json.FindFloat64("lora_alpha") ?? throw json.Missing("lora_alpha");
        _rootScaling = json.FindBool("use_rslora") ?? false;
        _ranks = ReadPatterns(json, "rank_pattern", static (values, key) => values.GetInt32(key, 1, CheckpointLimits.Rank));
        _alphas = ReadPatterns(json, "alpha_pattern", static (values, key) => values.FindFloat64(key) ?? throw values.Missing(key));
        // A text is a regular expression or "all-linear".
        if (json.Find("target_modules") is { ValueKind: JsonValueKind.Array } targets)
        {
            RequireFew(targets.GetArrayLength(), "target_modules");
            Targets = [.. targets.EnumerateArray().Select(target => json.Text(target, "target_modules"))];
        }
    }

    /// <summary><c>target_modules</c> where it is a list: names of modules or their ends.</summary>
    public IReadOnlyList<string> Targets { get; } = [];

    /// <summary>Keys of <c>rank_pattern</c> and <c>alpha_pattern</c> that have matched no module yet.</summary>
    public IEnumerable<string> UnusedPatterns => _ranks.Concat(_alphas).Where(static pattern => !pattern.Used).Select(static pattern => pattern.Key).Distinct();

    /// <summary>Reads a configuration.</summary>
    /// <param name="folder">The adapter's folder.</param>
    /// <param name="hasTransposed">Whether the family stores matrices [inputs, outputs]; PEFT knows such by their kind, whatever <c>fan_in_fan_out</c> says.</param>
    /// <param name="clock">What the time of patterns is taken with; null for the machine's.</param>
    /// <exception cref="ModelFormatException">It cannot be read, is no plain LoRA adapter's, or a value is missing, of a wrong kind or out of range.</exception>
    public static AdapterConfig ReadFolder(string folder, bool hasTransposed = false, TimeProvider? clock = null)
    {
        string file = Path.Combine(folder, FileName);
        using var document = CheckpointJson.ReadObject(file, CheckpointLimits.ConfigBytes);
        return new AdapterConfig(new JsonValues(document.RootElement, file), file, hasTransposed, clock ?? TimeProvider.System);
    }

    /// <summary>The rank of a module's update, <c>r</c> unless <c>rank_pattern</c> says otherwise.</summary>
    /// <param name="module">The module's name in the adapter's base model.</param>
    /// <exception cref="ModelFormatException">A pattern takes too long.</exception>
    public int RankOf(string module) => (int)(Match(_ranks, module) ?? _rank);

    /// <summary>The factor of a module's update: alpha / rank, or with rsLoRA alpha / sqrt(rank).</summary>
    /// <param name="module">The module's name in the adapter's base model.</param>
    /// <exception cref="ModelFormatException">A pattern takes too long.</exception>
    public double ScalingOf(string module)
    {
        int rank = RankOf(module);
        return (Match(_alphas, module) ?? _alpha) / (_rootScaling ? Math.Sqrt(rank) : rank);
    }

    /// <summary>The value of the first pattern that matches, as in PEFT.</summary>
    private double? Match(List<Pattern> patterns, string module)
    {
        long start = _clock.GetTimestamp();
        try
        {
            foreach (Pattern pattern in patterns)
            {
                if (_matching + _clock.GetElapsedTime(start) > TimeSpan.FromSeconds(CheckpointLimits.MatchingSeconds))
                    throw TooLong(pattern);
                if (!IsMatch(pattern, module))
                    continue;
                pattern.Used = true;
                return pattern.Value;
            }
            return null;
        }
        finally
        {
            _matching += _clock.GetElapsedTime(start);
        }
    }

    private bool IsMatch(Pattern pattern, string module)
    {
        try
        {
            return pattern.Expression.IsMatch(module);
        }
        catch (RegexMatchTimeoutException)
        {
            throw TooLong(pattern);
        }
    }

    private ModelFormatException TooLong(Pattern pattern) => Unsupported(pattern.Key, "the pattern takes too long to match; write the modules' names instead");

    private List<Pattern> ReadPatterns(JsonValues json, string key, Func<JsonValues, string, double> read)
    {
        if (json.Find(key) is not { } element)
            return [];
        if (element.ValueKind != JsonValueKind.Object)
            throw json.Wrong(key, "the value is no object");
        RequireFew(element.GetPropertyCount(), key);
        var values = new JsonValues(element, _file);
        var patterns = new List<Pattern>();
        foreach (JsonProperty entry in element.EnumerateObject())
        {
            if (entry.Name.Length > CheckpointLimits.Pattern)
                throw Unsupported(key, $"a pattern of {entry.Name.Length} characters is longer than the {CheckpointLimits.Pattern} that one may have");
            double value = read(values, entry.Name);
            try
            {
                // The whole name or its end behind a dot. The file may come from anywhere: matching has a limit.
                patterns.Add(new Pattern(entry.Name, new Regex($@"\A(.*\.)?({entry.Name})$", RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1)), value));
            }
            catch (ArgumentException)
            {
                throw json.Wrong(key, $"'{ModelFormatException.OneLine(entry.Name)}' is no valid regular expression");
            }
        }
        return patterns;
    }

    private void RequireFew(int count, string key)
    {
        if (count > CheckpointLimits.Modules)
            throw Unsupported(key, $"{count} entries are more than the {CheckpointLimits.Modules} that it may have");
    }

    private static bool IsSet(JsonElement? value) => value is { } element && element.ValueKind switch
    {
        JsonValueKind.False => false,
        JsonValueKind.Array => element.GetArrayLength() > 0,
        JsonValueKind.Object => element.EnumerateObject().Any(),
        _ => true,
    };

    private ModelFormatException Unsupported(string key, string problem) => new(ModelFault.Unsupported, _file, problem, key);

    /// <summary>An entry of <c>rank_pattern</c> or <c>alpha_pattern</c>.</summary>
    private sealed record Pattern(string Key, Regex Expression, double Value)
    {
        public bool Used { get; set; }
    }
}
