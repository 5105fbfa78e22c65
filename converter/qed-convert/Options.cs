using System.CommandLine;

namespace QedEdge.Conversion.Cli;

/// <summary>Options that several commands share.</summary>
internal static class Options
{
    /// <summary><c>-o</c>, required.</summary>
    public static Option<string> Output(string name, string description)
    {
        var option = new Option<string>("--output", "-o") { Description = description, HelpName = name, Required = true };
        NeedsName(option);
        return option;
    }

    /// <summary>An empty name, as from a variable that is not set, is a mistake and not the same as none.</summary>
    public static void NeedsName<T>(Option<T> option) => option.Validators.Add(result =>
    {
        if (result.Tokens is [{ Value: "" }])
            result.AddError($"{option.Name} needs a name.");
    });

    /// <summary><c>--force</c>.</summary>
    public static Option<bool> Force() => new("--force") { Description = "replace an existing output" };

    /// <summary><c>--threads</c>, 1 to 1024; the default is no part of the definition, for it depends on the machine.</summary>
    public static Option<int?> Threads()
    {
        const int most = 1024;
        var option = new Option<int?>("--threads", "-t") { Description = "threads to use, one per processor if not given; the output does not depend on it", HelpName = "N" };
        option.Validators.Add(result =>
        {
            // The text, not the value: asking for the value of something else than a number throws.
            if (result.Tokens.Count > 0 && !(int.TryParse(result.Tokens[^1].Value, out int threads) && threads is >= 1 and <= most))
                result.AddError($"--threads takes a number from 1 to {most}.");
        });
        return option;
    }

    /// <summary>The threads that were asked for.</summary>
    public static int ThreadsOf(ParseResult parsed, Option<int?> option) => parsed.GetValue(option) ?? Environment.ProcessorCount;

    /// <summary>An option that takes one of some words.</summary>
    public static Option<string?> OneOf(string name, string description, string? absent, params string[] words)
    {
        var option = new Option<string?>(name) { Description = description, HelpName = string.Join('|', words) };
        if (absent is not null)
            option.DefaultValueFactory = _ => absent;
        option.CompletionSources.Add(words);
        option.Validators.Add(result =>
        {
            string? value = result.Tokens.Count > 0 ? result.Tokens[^1].Value : absent;
            if (value is not null && !words.Contains(value))
                result.AddError($"{name} takes {string.Join(", ", words[..^1])} or {words[^1]}, not '{value}'.");
        });
        return option;
    }

    /// <summary>The layout that a word names.</summary>
    public static FileLayout Layout(string? word, bool plainByDefault) =>
        word == "plain" || (word is null && plainByDefault) ? FileLayout.Plain : FileLayout.Packed;
}
