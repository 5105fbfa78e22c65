using System.IO.Compression;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using QedEdge.Conversion;

namespace QedEdge.Tests.Published;

/// <summary>The NuGet packages: what is in them, that they are made the same way twice, and that programs can use them as anybody would.</summary>
public sealed partial class PackageTests : IDisposable
{
    private static readonly string[] Projects = ["src/QedEdge", "src/QedEdge.Extensions.AI", "src/QedEdge.Cli", "converter/qed-convert"];

    private static readonly Lazy<string> Feed = new(() => Pack("feed"));

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("QedEdge", "System.IO.Hashing")]
    [InlineData("QedEdge.Extensions.AI", "QedEdge,Microsoft.Extensions.AI.Abstractions,Microsoft.ML.Tokenizers,Google.Protobuf")]
    [InlineData("QedEdge.Cli", "")]
    [InlineData("QedEdge.Convert", "")]
    public void ThePackage_HasWhatBelongsIntoIt(string name, string dependencies)
    {
        string file = Assert.Single(Directory.EnumerateFiles(Feed.Value, $"{name}.*.nupkg"), file => VersionOf().IsMatch(Path.GetFileName(file)[name.Length..]));
        Assert.True(File.Exists(Path.ChangeExtension(file, ".snupkg")));
        using ZipArchive package = ZipFile.OpenRead(file);
        string[] entries = [.. package.Entries.Select(entry => entry.FullName)];
        Assert.Contains("README.md", entries);
        Assert.Contains("LICENSE", entries);
        XElement metadata = XDocument.Load(package.Entries.Single(entry => entry.Name.EndsWith(".nuspec", StringComparison.Ordinal)).Open()).Root!.Elements().First();
        Assert.Equal((name, "MIT", "README.md"), (Text(metadata, "id"), Text(metadata, "license"), Text(metadata, "readme")));
        Assert.NotEqual("", Text(metadata, "description"));
        Assert.Equal(dependencies.Split(',', StringSplitOptions.RemoveEmptyEntries).Order(), metadata.Descendants().Where(element => element.Name.LocalName == "dependency").Select(element => element.Attribute("id")!.Value).Order());
        if (dependencies != "")
            Assert.Contains($"lib/net10.0/{name}.xml", entries);
        foreach (ZipArchiveEntry entry in package.Entries)
        {
            using Stream stream = entry.Open();
            using var content = new MemoryStream();
            stream.CopyTo(content);
            string text = Encoding.Latin1.GetString(content.ToArray());
            Assert.False(text.Contains(TestData.Root) || text.Contains(Encoding.Latin1.GetString(Encoding.Unicode.GetBytes(TestData.Root))), $"{entry.FullName} names a folder of the machine that built it");
        }
    }

    [Fact]
    public void PackedTwice_TheBytesAreTheSame()
    {
        string again = Pack("feed-again");
        string[] names = [.. Directory.EnumerateFiles(Feed.Value).Select(file => Path.GetFileName(file)).Order()];
        Assert.Equal(2 * Projects.Length, names.Length);
        Assert.All(names, name => Assert.True(File.ReadAllBytes(Path.Combine(Feed.Value, name)).SequenceEqual(File.ReadAllBytes(Path.Combine(again, name))), name));
    }

    /// <summary>Compiled ahead of time it names no instruction set: the package does, or the kernels would be scalar.</summary>
    [Fact]
    public void AProgram_UsesThem_CompiledBothWays()
    {
        Tools.Require("clang");
        foreach (string file in Directory.EnumerateFiles(Path.Combine(TestData.Root, "tests", "consumer")))
            File.Copy(file, Path.Combine(_folder, Path.GetFileName(file)));
        Directory.CreateSymbolicLink(Path.Combine(_folder, "feed"), Feed.Value);
        string model = Path.Combine(_folder, "tiny.gguf");
        CheckpointConverter.Convert(TestData.TinyQed, model, new ConversionOptions());
        string expected = PublishedPrograms.Run("qed", "x64", "generate", "-m", model, "Once upon a time", "-n", "50", "--seed", "7").Output + "20 length\n";

        string version = Version(), output = Path.Combine(_folder, "out");
        Dotnet("build", "-c", "Release", $"-p:QedEdgeVersion={version}");
        Assert.Equal(expected + "compiled while it runs\nvectors\n", Dotnet("run", "-c", "Release", "--no-build", $"-p:QedEdgeVersion={version}", "--", model));
        Dotnet("publish", "-c", "Release", "-r", "linux-x64", "-o", output, "-p:PublishAot=true", $"-p:QedEdgeVersion={version}");
        ProgramResult native = Tools.Run(Path.Combine(output, "consumer"), [model]);
        Assert.Equal((0, expected + "compiled ahead of time\nvectors\n"), (native.ExitCode, native.Output));
    }

    [Fact]
    public void TheTools_AreInstalledAndRun()
    {
        string tools = Path.Combine(_folder, "tools"), model = Path.Combine(_folder, "tiny.gguf");
        foreach (string name in new[] { "QedEdge.Cli", "QedEdge.Convert" })
            Dotnet("tool", "install", name, "--tool-path", tools, "--add-source", Feed.Value, "--version", Version());
        ProgramResult converted = Tools.Run(Path.Combine(tools, "qed-convert"), [TestData.TinyQed, "-o", model, "--type", "q8_0"]);
        Assert.True(converted.ExitCode == 0, converted.Error);
        ProgramResult story = Tools.Run(Path.Combine(tools, "qed"), ["generate", "Once upon a time", "-n", "20", "--seed", "1"]);
        Assert.Equal(PublishedPrograms.Run("qed", "x64", "generate", "-m", model, "Once upon a time", "-n", "20", "--seed", "1"), story);
    }

    private static string Version() => VersionOf().Match(Path.GetFileName(Directory.EnumerateFiles(Feed.Value, "QedEdge.Cli.*.nupkg").First())["QedEdge.Cli".Length..]).Groups[1].Value;

    /// <summary>Runs dotnet in the test's folder, with package caches of its own: a version that was restored before would be taken for the new one.</summary>
    private string Dotnet(params string[] arguments)
    {
        ProgramResult result = Tools.Run("dotnet", arguments, start =>
        {
            PublishedPrograms.ForgetThisBuild(start.Environment);
            start.WorkingDirectory = _folder;
            start.Environment["RestoreFallbackFolders"] = start.Environment.TryGetValue("NUGET_PACKAGES", out string? packages) ? packages : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
            start.Environment["NUGET_PACKAGES"] = Path.Combine(_folder, "packages");
            start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        });
        Assert.True(result.ExitCode == 0, result.Output + result.Error);
        return result.Output;
    }

    /// <summary>Builds and packs from nothing: from the same sources in the same folder come the same bytes.</summary>
    private static string Pack(string name)
    {
        string artifacts = Path.Combine(TestData.Root, "artifacts", "published", "packages"), output = Path.Combine(TestData.Root, "artifacts", "published", name);
        foreach (string folder in new[] { artifacts, output })
        {
            if (Directory.Exists(folder))
                Directory.Delete(folder, recursive: true);
        }
        foreach (string project in Projects)
        {
            ProgramResult result = Tools.Run("dotnet", ["pack", Path.Combine(TestData.Root, project), "-c", "Release", "--artifacts-path", artifacts, "-o", output, "-nodeReuse:false", "-p:VersionSuffix=test"], start =>
            {
                PublishedPrograms.ForgetThisBuild(start.Environment);
                start.Environment["SOURCE_DATE_EPOCH"] = "1790000000";
            });
            Assert.True(result.ExitCode == 0, result.Output + result.Error);
        }
        return output;
    }

    private static string Text(XElement metadata, string name) => metadata.Elements().FirstOrDefault(element => element.Name.LocalName == name)?.Value ?? "";

    [GeneratedRegex(@"^\.(\d+\.\d+\.\d+.*)\.nupkg$")]
    private static partial Regex VersionOf();
}
