using System.Globalization;
using QedEdge.CommandLine;
using QedEdge.Generation;

namespace QedEdge.Cli.Chat;

/// <summary>How answers are generated: as the command line says, until something is set otherwise. Settings have the names of their options.</summary>
/// <param name="sampling">The options.</param>
/// <param name="parsed">The command line.</param>
/// <param name="model">The model.</param>
/// <param name="onPrefill">Receives how far a long message is.</param>
internal sealed class ChatSettings(SamplingInput sampling, ParseResult parsed, QedModel model, Action<int, int> onPrefill)
{
    private ParseResult _parsed = parsed;
    private GenerationOptions _options = sampling.Options(parsed, model) with { OnPrefill = onPrefill };

    /// <summary>The options of an answer.</summary>
    /// <param name="again">How often the same message was answered before: each answer is another one.</param>
    public GenerationOptions Options(int again = 0) =>
        _options with { Sampling = _options.Sampling with { Seed = sampling.HasSeed(_parsed) ? _options.Sampling.Seed + (ulong)again : (ulong)Random.Shared.Next() } };

    /// <summary>Does what stands behind /set: nothing lists all, a name shows one, a name and a value set it; returns what is to be said, or null.</summary>
    /// <exception cref="UsageException">There is no such setting, or it does not take the value.</exception>
    /// <exception cref="QedException">The value is out of range.</exception>
    public string? Set(string words)
    {
        if (words.Length == 0)
            return string.Join('\n', sampling.Settings.Select(Line));
        string[] parts = words.Split(' ', 2, StringSplitOptions.TrimEntries);
        string name = parts[0].TrimStart('-');
        Option option = sampling.Settings.FirstOrDefault(option => option.Names.Contains("--" + name) || option.Names.Contains("-" + name))
            ?? throw new UsageException($"there is no setting {TerminalText.OneLine(parts[0])}; /set lists what there is");
        if (parts.Length == 1)
            return Line(option);
        ParseResult changed = sampling.With(_parsed, option, parts[1]);
        _options = sampling.Options(changed, model) with { OnPrefill = onPrefill };
        _parsed = changed;
        return null;
    }

    private string Line(Option option) => string.Create(CultureInfo.InvariantCulture, $"{option.Name[2..],-18} {sampling.Setting(option, _parsed, _options)}");
}
