using System.Globalization;
using QedEdge.CommandLine;
using QedEdge.Gguf;
using QedEdge.Threading;

namespace QedEdge.Cli;

/// <summary>Options that several commands take, and what they mean.</summary>
internal sealed class CommonOptions
{
    public TextOption Model { get; } = new("--model", "-m") { ValueName = "FILE", Description = "The model file; without it the built-in sample model, or the file that $QED_MODEL names" };

    public IntegerOption Threads { get; } = new("--threads", "-t") { ValueName = "N", Description = "Threads; physical cores if not given" };

    public IntegerOption ContextSize { get; } = new("--ctx-size", "--ctx", "-c") { ValueName = "N", Description = "Positions to hold; the model's context length if not given" };

    public TextOption KvType { get; } = new("--kv-type") { ValueName = "TYPE", Description = "Storage of keys and values: auto, f32, f16, q8_0", Words = ["auto", "f32", "f16", "q8_0"], Default = "auto" };

    public TextOption Load { get; } = new("--load") { ValueName = "HOW", Description = "How the model file is read: map, page by page when needed; ram, as a whole before it starts, for slow cards", Words = ["map", "ram"], Default = "map" };

    public TextOption Isa { get; } = new("--isa") { ValueName = "SET", Description = "Instruction set: auto, scalar, avx2, avx512, avxvnni, neon, neon-dp; all give the same bits", Words = ["auto", "scalar", "avx2", "avx512", "avxvnni", "neon", "neon-dp"], Default = "auto" };

    public Flag Json { get; } = new("--json") { Description = "Print one JSON object instead of text" };

    public Flag Verbose { get; } = new("--verbose", "-v") { Description = "Say more on standard error" };

    /// <summary>Whether the command has more to say for --verbose, at its end.</summary>
    public bool SaysMoreItself { get; init; }

    /// <summary>Adds the options of commands that run a model.</summary>
    /// <param name="command">The command.</param>
    /// <param name="model">Whether it takes one model file.</param>
    public void AddRunOptions(Command command, bool model = true)
    {
        if (model)
            command.AddGroup(OptionGroups.Machine, Model);
        command.AddGroup(OptionGroups.Machine, Threads, ContextSize, KvType, Load, Isa);
        command.AddGroup(OptionGroups.Output, Verbose);
    }

    /// <summary>Opens the model that was asked for, and warns where it may not fit into memory.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="sequences">Sessions that it is opened for.</param>
    /// <param name="window">Positions of each where no --ctx-size is given, or null for the model's context length.</param>
    public QedModel OpenModel(ParseResult parsed, int sequences = 1, int? window = null) => OpenModel(parsed, parsed.GetValue(Model), sequences, window);

    /// <summary>Opens a model file.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="path">The file.</param>
    /// <param name="sequences">Sessions that it is opened for.</param>
    /// <param name="window">Positions of each where no --ctx-size is given, or null for the model's context length.</param>
    /// <param name="beside">A model that is open at the same time, or null.</param>
    public QedModel OpenModel(ParseResult parsed, string? path, int sequences = 1, int? window = null, QedModel? beside = null)
    {
        string? isa = parsed.GetValue(Isa);
        bool map = parsed.GetValue(Load) != "ram";
        GgufFile file = ModelSource.OpenFile(path);
        try
        {
            // Before more than the header is read: what does not fit may be ended at any time.
            if (Need(file, parsed, window) is { } need && FreeMemory.Warning(file.Name, need, CacheType(parsed), sequences, FreeMemory.Bytes() - (beside?.File.Length ?? 0)) is { } warning)
                Terminal.Note(warning);
            if (map && file.MappingRefusal is { } refusal)
                Terminal.Note($"warning: {file.Name} cannot be mapped where it is ({refusal}); it was read into memory as with --load ram");
        }
        catch
        {
            file.Dispose();
            throw;
        }
        using var progress = new OpeningProgress();
        var model = QedModel.Open(file, new ModelOptions
        {
            InstructionSet = isa == "auto" ? null : isa,
            Loading = map ? ModelLoading.Map : ModelLoading.Memory,
            OnProgress = progress.Report,
        });
        if (parsed.GetValue(Verbose) && !SaysMoreItself)
            Terminal.Note($"{model.File.Name}: {model.InstructionSet}, context of {model.Config.ContextLength}, {ByteSize.Text(model.WeightBytesPerToken)} of weights a token");
        return model;
    }

    /// <summary>What the model needs, or null where it cannot be run at all, which is said later.</summary>
    private MemoryNeed? Need(GgufFile file, ParseResult parsed, int? window)
    {
        int threads = Math.Max(1, parsed.GetValue(Threads) ?? ProcessorInfo.PhysicalCores);
        if (MemoryNeed.Of(file, null, threads) is not { } whole)
            return null;
        int positions = parsed.GetValue(ContextSize) ?? Math.Min(window ?? int.MaxValue, whole.LargestContext);
        return positions >= 1 && positions <= whole.LargestContext ? MemoryNeed.Of(file, positions, threads) : null;
    }

    /// <summary>How a session is opened with the options given.</summary>
    public SessionOptions SessionOptions(ParseResult parsed) => new()
    {
        Threads = parsed.GetValue(Threads),
        ContextLength = parsed.GetValue(ContextSize),
        KvType = CacheType(parsed),
    };

    /// <summary>Positions of a session with the options given.</summary>
    public int Capacity(ParseResult parsed, QedModel model) => parsed.GetValue(ContextSize) is { } size && size >= 1 && size < model.Config.ContextLength ? size : model.Config.ContextLength;

    /// <summary>The storage of keys and values that was asked for.</summary>
    public KvCacheType CacheType(ParseResult parsed) => KvCacheTypes.Parse(parsed.GetValue(KvType)) ?? KvCacheType.Auto;

    /// <summary>A comma-separated list of whole numbers.</summary>
    public static int[] ParseNumbers(string option, string text)
    {
        if (text.AsSpan().Count(',') >= RequestLimits.Ids)
            throw new UsageException($"{option} takes {RequestLimits.Ids} numbers at most");
        string[] parts = text.Split(',', StringSplitOptions.TrimEntries);
        var numbers = new int[parts.Length];
        for (int i = 0; i < parts.Length; i++)
        {
            if (!int.TryParse(parts[i], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out numbers[i]))
                throw new UsageException($"{option}: '{parts[i]}' is not a whole number; give them as 1,5,7");
        }
        return numbers;
    }
}
