using System.Runtime.CompilerServices;

namespace QedEdge.Tests;

/// <summary>Where committed test data lie: in the source tree, found from this file.</summary>
internal static class TestData
{
    /// <summary>The repository's root.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The trained sample model.</summary>
    public static string TinyQed => Path.Combine(Root, "samples", "tiny-qed");

    /// <summary>Small random checkpoints with float64 logits (tests/golden/README.md).</summary>
    public static IEnumerable<string> GoldenCases => Directory.EnumerateDirectories(Path.Combine(Root, "tests", "golden")).Order(StringComparer.Ordinal);

    /// <summary>Tokenizers with Hugging Face's ids.</summary>
    public static IEnumerable<string> Tokenizers => Directory.EnumerateDirectories(Path.Combine(Root, "tests", "tokenizers")).Order(StringComparer.Ordinal);

    private static string FindRoot([CallerFilePath] string source = "")
    {
        foreach (string start in new[] { Path.GetDirectoryName(source)!, AppContext.BaseDirectory })
        {
            for (string? folder = start; folder is not null; folder = Path.GetDirectoryName(folder))
            {
                if (File.Exists(Path.Combine(folder, "QedEdge.sln")))
                    return folder;
            }
        }
        throw new InvalidOperationException("the tests need the repository's test data");
    }
}
