using QedEdge.Memory;

namespace QedEdge.Tests.Memory;

/// <summary>Outputs are kept apart from inputs and from each other by what they are: each name beside an output, under each way to say a name.</summary>
public sealed class SeparateFilesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("qed-separate-").FullName;

    public SeparateFilesTests() => Directory.CreateDirectory(In("folder"));

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Ways to say the name of a file in the test's folder; a later one makes what it needs.</summary>
    public static TheoryData<string> Ways => [.. WaysToNothing.Select(row => row.Data), "hard link"];

    /// <summary>Those that there are for a file that is not there.</summary>
    public static TheoryData<string> WaysToNothing => ["same", "dot", "up", "relative", "link", "link to a link", "relative link", "linked folder"];

    [Theory]
    [MemberData(nameof(Ways))]
    public void AnOutput_IsNoInput_WhateverTheName(string way)
    {
        string input = In("input");
        File.WriteAllText(input, "precious");
        string other = Name(way, "input");
        Assert.Contains("would take the place of", Refusal([other], input));
        Assert.Contains("would take the place of", Refusal([input], other));
        SeparateFiles.Check([In("output")], input, other); // inputs may be the same
        SeparateFiles.Check([In("missing")], In("missing")); // who opens it says so
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public void NoInput_LiesBesideTheOutput_WhereItIsPutTogether(string way)
    {
        string output = In("output");
        foreach (string beside in OutputNames.All(output)[1..])
        {
            File.WriteAllText(beside, "precious");
            Assert.Contains("would be put together", Refusal([output], Name(way, Path.GetFileName(beside))));
        }
    }

    [Theory]
    [MemberData(nameof(WaysToNothing))]
    public void TwoOutputs_AreNotOne_WhetherOrNotTheyAreThere(string way)
    {
        string output = In("output"), other = Name(way, "output");
        Assert.Contains("is written too", Refusal([output, other]));
        Assert.Contains("is written too", Refusal([other, output]));
        File.WriteAllText(output, "old");
        Assert.Contains("is written too", Refusal([output, other]));
        foreach (string beside in OutputNames.All(output))
            Assert.Contains("is written too", Refusal([output, Name(way, Path.GetFileName(beside))]));
        SeparateFiles.Check([output, In("another")]);
    }

    [Fact]
    public void OfAFolder_TheFilesThatAProgramMayRead_AreInputs()
    {
        foreach (string name in new[] { "config.json", "model.safetensors", "task.jsonl", "old.gguf", "README.md", ".old.gguf.qed-tmp" })
            File.WriteAllText(In($"folder/{name}"), "");
        File.WriteAllText(In("blob"), "");
        File.CreateSymbolicLink(In("folder/shard.safetensors"), In("blob")); // as the hub's cache has them
        foreach (string name in new[] { "folder/config.json", "folder/model.safetensors", "folder/task.jsonl", "folder/shard.safetensors", "blob" })
            Assert.Contains("would take the place of", Refusal([In(name)], In("folder")));
        foreach (string name in new[] { "folder/new.gguf", "folder/old.gguf", "folder/README.md" })
            SeparateFiles.Check([In(name)], In("folder"));
    }

    [Fact]
    public void LongNames_HaveOthersBesideThem_ThatFit()
    {
        string longest = new('n', 255), other = new string('n', 254) + "m";
        foreach (string name in OutputNames.All(In(longest)))
            Assert.InRange(Path.GetFileName(name).Length, 1, 255);
        Assert.Empty(OutputNames.All(In(longest)).Intersect(OutputNames.All(In(other))));
        Assert.Equal([".short.qed-tmp", "short.part"], new[] { OutputNames.Temporary("short"), OutputNames.Part("short") }.Select(Path.GetFileName));
    }

    private string In(string name) => Path.Combine(_folder, name);

    private string Name(string way, string name)
    {
        string link = In(Guid.NewGuid().ToString("N"));
        switch (way)
        {
            case "same":
                return In(name);
            case "dot":
                return $"{_folder}/./{name}";
            case "up":
                return $"{_folder}/folder/../{name}";
            case "relative":
                return Path.GetRelativePath(Environment.CurrentDirectory, In(name));
            case "link":
                File.CreateSymbolicLink(link, In(name));
                return link;
            case "link to a link":
                File.CreateSymbolicLink(link + "2", link);
                File.CreateSymbolicLink(link, In(name));
                return link + "2";
            case "relative link":
                File.CreateSymbolicLink(link, $"folder/../{name}");
                return link;
            case "linked folder":
                Directory.CreateSymbolicLink(link, _folder);
                return Path.Combine(link, name);
            default:
                Tools.Require("ln");
                Assert.Equal(0, Tools.Run("ln", [In(name), link]).ExitCode);
                return link;
        }
    }

    private static string Refusal(string[] outputs, params string[] inputs) => Assert.Throws<InvalidOptionException>(() => SeparateFiles.Check(outputs, inputs)).Message;
}
