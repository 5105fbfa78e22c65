using System.Text.RegularExpressions;

namespace QedEdge.Tests.Published;

/// <summary>README.md, the READMEs of the samples and the pages of docs: what they quote is what their commands print, their commands go together, and their links lead somewhere.</summary>
public sealed partial class ReadmeTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void TheQuotedStory_IsWhatTheFirstCommandTells()
    {
        string readme = File.ReadAllText(Path.Combine(TestData.Root, "README.md"));
        string arguments = Regex.Match(readme, @"^dotnet run --project src/QedEdge.Cli -c Release -- (.*)$", RegexOptions.Multiline).Groups[1].Value;
        string quoted = Regex.Match(readme, "^> (.*)$", RegexOptions.Multiline).Groups[1].Value;
        Assert.StartsWith("generate ", arguments);
        ProgramResult told = Shell($"qed {arguments}");
        Assert.Equal(quoted, told.Output.Trim());
    }

    /// <summary>Who follows one README after the other in one folder meets no file of another's.</summary>
    [Fact]
    public void ModelsOfAllReadmes_CanBeMadeInARow()
    {
        Directory.CreateDirectory(Path.Combine(_folder, "samples"));
        Directory.CreateSymbolicLink(Path.Combine(_folder, "samples", "tiny-qed"), TestData.TinyQed);
        string[] conversions = [.. Commands().Where(command => command.Contains("qed-convert ") && command.Contains(" samples/tiny-qed "))];
        Assert.InRange(conversions.Length, 7, 20);
        string[] outputs = [.. conversions.Select(command => Output().Match(command).Groups[1].Value)];
        Assert.Equal(outputs.Distinct(), outputs);
        foreach (string command in conversions.Where(command => !command.Contains("--calibrate"))) // a minute, and run elsewhere
        {
            ProgramResult result = Shell(command.Replace("dotnet run --project converter/qed-convert -c Release --", "qed-convert"));
            Assert.True(result.ExitCode == 0, command + "\n" + result.Error);
        }
    }

    [Fact]
    public void WhatTheCommandsLeave_IsNotSeenByGit()
    {
        Tools.Require("git");
        Assert.SkipUnless(Path.Exists(Path.Combine(TestData.Root, ".git")), "the sources are not in a work tree of git");
        string[] left = [.. Commands().SelectMany(command => Output().Matches(command).Select(match => match.Groups[1].Value)).Where(file => !file.Contains('$') && !file.Contains("MODEL")).Distinct()];
        Assert.Contains("packages", left);
        foreach (string file in left)
        {
            // A folder is ignored as one: named with a slash.
            string name = Path.HasExtension(file) || file.StartsWith("story", StringComparison.Ordinal) ? file : file + "/";
            Assert.True(Tools.Run("git", ["-C", TestData.Root, "check-ignore", "-q", name]).ExitCode == 0, name);
        }
    }

    /// <summary>The front page is read by people who have a minute.</summary>
    [Fact]
    public void TheFrontPage_IsShort() => Assert.InRange(File.ReadLines(Path.Combine(TestData.Root, "README.md")).Count(), 1, 100);

    [Fact]
    public void Links_LeadToFiles()
    {
        string[] pages = [.. Pages(), .. Directory.EnumerateFiles(Path.Combine(TestData.Root, "docs", "decisions"), "*.md"), Path.Combine(TestData.Root, "CONTRIBUTING.md"), Path.Combine(TestData.Root, "SECURITY.md")];
        string[] dead = [.. pages.SelectMany(page => Link().Matches(File.ReadAllText(page)).Select(link => link.Groups[1].Value.Split('#')[0])
            .Where(target => target.Length > 0 && !target.Contains(':') && !Path.Exists(Path.Combine(Path.GetDirectoryName(page)!, target))).Select(target => $"{page}: {target}"))];
        Assert.Empty(dead);
    }

    private static IEnumerable<string> Pages() => Directory.EnumerateFiles(Path.Combine(TestData.Root, "samples"), "README.md", SearchOption.AllDirectories)
        .Concat(Directory.EnumerateFiles(Path.Combine(TestData.Root, "docs"), "*.md").Where(page => Path.GetFileName(page) != "cli.md")) // which is made from the help
        .Prepend(Path.Combine(TestData.Root, "README.md"));

    /// <summary>The lines of all blocks of commands.</summary>
    private static IEnumerable<string> Commands() => Pages().SelectMany(file => File.ReadAllText(file).Split("```sh\n")[1..].Select(block => block.Split("\n```")[0])).SelectMany(block => block.Split('\n'));

    private ProgramResult Shell(string command) => Tools.Run("bash", ["-c", command], start =>
    {
        start.WorkingDirectory = _folder;
        string[] programs = [.. new[] { "qed", "qed-convert" }.Select(name => Path.GetDirectoryName(PublishedPrograms.File(name, "x64"))!)];
        start.Environment["PATH"] = $"{string.Join(':', programs)}:{start.Environment["PATH"]}";
    });

    [GeneratedRegex("(?<= -o )([^\\s;\"]+)")]
    private static partial Regex Output();

    [GeneratedRegex(@"(?:\]\(|srcset=""|src="")([^)""\s]+)")]
    private static partial Regex Link();
}
