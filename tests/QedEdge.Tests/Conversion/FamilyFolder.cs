using System.Text.Json.Nodes;
using QedEdge.Conversion;

namespace QedEdge.Tests.Conversion;

/// <summary>A folder with a small random checkpoint of a family (<c>model</c>), whose configuration is a golden case's with some keys changed.</summary>
internal sealed class FamilyFolder : IDisposable
{
    private readonly CheckpointFolder _folder = new();

    /// <summary>Writes the checkpoint.</summary>
    /// <param name="golden">The golden case.</param>
    /// <param name="changes">Keys of config.json and their values as JSON.</param>
    public FamilyFolder(string golden, params (string Key, string Value)[] changes)
    {
        JsonObject config = Config(golden);
        config["initializer_range"] = 0.2; // large enough for layers to matter
        foreach ((string key, string value) in changes)
            config[key] = JsonNode.Parse(value);
        File.WriteAllText(_folder["c.json"], config.ToJsonString());
        RandomCheckpoint.Write(_folder["c.json"], Model, 5, CheckpointType.F32, overwrite: false);
    }

    /// <summary>The golden cases of families but QED.</summary>
    public static IEnumerable<string> Goldens => TestData.GoldenCases.Select(Path.GetFileName).OfType<string>().Where(static name => Config(name)["model_type"] is { } type && (string?)type != "qed");

    /// <summary>The checkpoint.</summary>
    public string Model => _folder["model"];

    /// <summary>A path in the folder.</summary>
    public string this[string name] => _folder[name];

    /// <summary>A golden case's config.json.</summary>
    public static JsonObject Config(string golden) => JsonNode.Parse(File.ReadAllText(Path.Combine(CheckpointFolder.Golden(golden), "config.json")))!.AsObject();

    public void Dispose() => _folder.Dispose();
}
