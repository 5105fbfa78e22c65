using System.Diagnostics;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using QedEdge.Conversion;
using QedEdge.Quantization;

namespace QedEdge.Tests.Published;

/// <summary>docs/json.md: every command in it runs as printed, and prints the members that it lists with their types and no others.</summary>
public sealed partial class JsonSchemaTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public static TheoryData<string> Commands => [.. Sections().Where(section => section.Command.Contains("--json")).Select(section => section.Name)];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [MemberData(nameof(Commands))]
    public void PrintsWhatIsListed(string name)
    {
        (_, string command, Dictionary<string, string> members) = Sections().Single(section => section.Name == name);
        File.WriteAllLines(Path.Combine(_folder, "story.txt"), File.ReadLines(Path.Combine(TestData.TinyQed, "heldout.txt")).Take(40));
        Directory.CreateSymbolicLink(Path.Combine(_folder, "samples"), Path.Combine(TestData.Root, "samples"));
        if (command.Contains("model.gguf"))
        {
            CheckpointConverter.Convert(TestData.TinyQed, Path.Combine(_folder, "model.gguf"), new ConversionOptions());
            CheckpointConverter.Convert(TestData.TinyQed, Path.Combine(_folder, "model-q4_0.gguf"), new ConversionOptions { Type = BlockFormat.Q4_0 });
        }
        string program = PublishedPrograms.File("qed", "x64");
        ProgramResult result = Tools.Run("bash", ["-c", $"PATH={Path.GetDirectoryName(program)}:$PATH; {command}"], (ProcessStartInfo start) => start.WorkingDirectory = _folder);
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.Equal(result.Output.Length - 1, result.Output.IndexOf('\n'));

        var found = new HashSet<string>();
        Walk(JsonNode.Parse(result.Output)!, "", members, found);
        foreach ((string member, string type) in members)
            Assert.True(found.Contains(member) || type.Contains("optional") || member.EndsWith("[]") || member.EndsWith('*'), $"{name}: {member} is listed and was not printed");
    }

    [Fact]
    public void EveryCommandWithTheOption_HasASection()
    {
        string[] sections = [.. Sections().Select(section => section.Name)];
        string help = PublishedPrograms.Run("qed", "x64", "--help").Output;
        foreach (Match command in CommandLine().Matches(help[help.IndexOf("Commands:", StringComparison.Ordinal)..]))
        {
            string name = command.Groups[1].Value;
            if (PublishedPrograms.Run("qed", "x64", name, "--help").Output.Contains("--json "))
                Assert.Contains(name, sections);
        }
    }

    private static void Walk(JsonNode? node, string path, Dictionary<string, string> members, HashSet<string> found)
    {
        if (node is JsonObject children && path.Length == 0 | !members.TryGetValue(path, out string? own) | own?.Contains("object") == true)
        {
            if (own is not null)
                found.Add(path);
            foreach ((string name, JsonNode? child) in children)
            {
                string direct = path.Length == 0 ? name : $"{path}.{name}", any = path.Length == 0 ? "*" : $"{path}.*";
                Walk(child, members.ContainsKey(any) ? any : direct, members, found);
            }
            return;
        }
        if (node is JsonArray items)
        {
            foreach (JsonNode? item in items)
                Walk(item, path + "[]", members, found);
            return;
        }
        Assert.True(members.TryGetValue(path, out string? type), $"{path} is printed and not listed");
        string actual = node is null ? "null" : node.GetValueKind() switch
        {
            System.Text.Json.JsonValueKind.Number => "number",
            System.Text.Json.JsonValueKind.String => "string",
            _ => "boolean",
        };
        Assert.True(type.Contains(actual), $"{path} is a {actual}, and listed as {type}");
        found.Add(path);
    }

    private static IEnumerable<(string Name, string Command, Dictionary<string, string> Members)> Sections()
    {
        foreach (string section in File.ReadAllText(Path.Combine(TestData.Root, "docs", "json.md")).Split("\n## ")[1..])
        {
            string name = section.Split('\n')[0], command = section.Split('`')[1];
            yield return (name, command, Row().Matches(section).ToDictionary(row => row.Groups[1].Value, row => row.Groups[2].Value));
        }
    }

    [GeneratedRegex(@"^\| `([^`]+)` \| ([^|]+) \|", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex(@"^  ([a-z]+) ", RegexOptions.Multiline)]
    private static partial Regex CommandLine();
}
