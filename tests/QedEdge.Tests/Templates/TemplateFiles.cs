using System.IO.Compression;
using System.Text;
using System.Text.Json;
using QedEdge.Templates;

namespace QedEdge.Tests.Templates;

/// <summary>The templates and cases of tests/templates.</summary>
internal static class TemplateFiles
{
    private static string Folder => Path.Combine(TestData.Root, "tests", "templates");

    /// <summary>The names of the templates.</summary>
    public static IEnumerable<string> Names => Directory.EnumerateFiles(Folder, "*.jinja").Select(file => Path.GetFileNameWithoutExtension(file)).Order(StringComparer.Ordinal);

    /// <summary>A template's text.</summary>
    public static string Source(string name) => Encoding.UTF8.GetString(File.ReadAllBytes(Path.Combine(Folder, name + ".jinja")));

    /// <summary>The lines of a packed file.</summary>
    public static IEnumerable<JsonElement> Lines(string file)
    {
        using var reader = new StreamReader(new GZipStream(File.OpenRead(Path.Combine(Folder, file + ".jsonl.gz")), CompressionMode.Decompress));
        while (reader.ReadLine() is { } line)
            yield return JsonDocument.Parse(line).RootElement;
    }

    /// <summary>Variables of which all text was typed.</summary>
    public static DictValue Variables(string json) => JsonVariables.Read(Encoding.UTF8.GetBytes(json), static (_, _) => true);

    /// <summary>A template's text for variables.</summary>
    public static TemplateText Render(string source, string json, string now = "2025-02-05T09:08:07") =>
        Template.Parse(source).Render(Variables(json), DateTime.Parse(now, System.Globalization.CultureInfo.InvariantCulture), TestContext.Current.CancellationToken);
}
