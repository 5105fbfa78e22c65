using System.Globalization;

namespace QedEdge.Fuzz;

/// <summary>
/// <c>QedEdge.Fuzz [--target NAME|all] [--count N] [--seed S] [--faults DIR] [--messages FILE] [--replay PATH]</c>: runs changed inputs through
/// the readers and says what none of them may do. Exit code 1 where a fault was found.
/// </summary>
internal static class Program
{
    private static int Main(string[] words)
    {
        string Value(string name, string preset)
        {
            int at = Array.IndexOf(words, name);
            return at >= 0 && at + 1 < words.Length ? words[at + 1] : preset;
        }
        var options = new RunOptions(
            Value("--target", "all"), long.Parse(Value("--count", "100000"), CultureInfo.InvariantCulture), int.Parse(Value("--seed", "1"), CultureInfo.InvariantCulture),
            Path.GetFullPath(Value("--faults", "fuzz-faults")), Value("--messages", ""), Value("--replay", ""));
        return Value("--worker", "") is { Length: > 0 } folder ? new Worker(options, folder).Run() : new Supervisor(options).Run();
    }
}

/// <summary>What is asked for.</summary>
/// <param name="Target">A target's name, or all.</param>
/// <param name="Count">Executions in all; targets have shares.</param>
/// <param name="Seed">Which random numbers.</param>
/// <param name="Faults">The folder that receives the inputs of faults.</param>
/// <param name="Messages">The file that receives all distinct outcomes, or "".</param>
/// <param name="Replay">A file of a fault, or a folder with a folder per target: is run instead; or "".</param>
internal sealed record RunOptions(string Target, long Count, int Seed, string Faults, string Messages, string Replay)
{
    public string[] Words => ["--target", Target, "--count", $"{Count}", "--seed", $"{Seed}", "--faults", Faults, "--messages", Messages, "--replay", Replay];
}
