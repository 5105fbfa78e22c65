using System.Text.RegularExpressions;
using QedEdge.Architectures.Families;

namespace QedEdge.Tests;

/// <summary>
/// What the sources may say, read as text: constants and aliases leave no trace in an assembly. Every exception to the rule stands
/// here with its reason.
/// </summary>
public sealed partial class ArchitectureTests
{
    private const int MostLines = 400;
    private const int MostLinesOfAFamily = 60;
    private const int MostLinesOfAKernelSet = 600; // all operations of an instruction set stand together

    /// <summary>
    /// The engine's folders ("" is the root: model and session) and those that each may use, lowest first. Generation uses the session,
    /// the session the model, the model kernels, and those what holds the bytes.
    /// </summary>
    private static readonly (string Folder, string[] MayUse)[] Arrows =
    [
        ("Memory", []),
        ("Machine", ["Memory"]),
        ("Threading", ["Machine"]),
        ("Quantization", ["Memory"]),
        ("Kernels", ["Quantization", "Memory"]),
        ("Gguf", ["Quantization", "Memory"]),           // the table names block formats and checks their sizes
        ("Json", []),
        ("Templates", ["Json"]),                        // knows nothing of models
        ("Text", ["Gguf"]),
        ("Constraints", ["Text", "Json"]),
        ("Chat", ["Text", "Templates", "Json", "Gguf", "Machine"]),
        ("Sampling", ["Kernels"]),                      // PortableMath alone: the same probabilities on every machine
        ("Architectures", ["Gguf"]),                    // the names of keys, and the limits
        ("Model", ["Architectures", "Kernels", "Quantization", "Gguf", "Threading", "Memory"]),
        ("", ["Model", "Architectures", "Kernels", "Quantization", "Gguf", "Chat", "Text", "Sampling", "Threading", "Memory"]),
        ("Evaluation", ["", "Kernels", "Text", "Memory"]), // of the kernels PortableMath alone
        ("Generation", ["", "Model", "Gguf", "Chat", "Text", "Constraints", "Sampling"]),
    ];

    /// <summary>Files of the root that every folder may use.</summary>
    private static readonly string[] Shared = ["QedException.cs", "ModelFormatException.cs", "ContextLengthException.cs", "Features.cs", "RequestLimits.cs"];

    /// <summary>Memory owns pointers, the kernels of an instruction set walk them, and C programs give and get them; all else uses spans.</summary>
    private static readonly string[] MayBeUnsafe = ["QedEdge/Memory", "QedEdge/Kernels/X86", "QedEdge/Kernels/Arm", "QedEdge.Native"];

    private static readonly List<Source> Engine = Read("src/QedEdge");

    /// <summary>A file each.</summary>
    private static List<Source> Families => [.. Engine.Where(source => source.Folder == "Architectures/Families" && source.Name is not ("Family.cs" or "FamilyRegistry.cs"))];

    [Fact]
    public void Arrows_AreThoseOfTheTable()
    {
        Assert.Equal(Engine.Select(source => source.Part).Distinct().Order(), Arrows.Select(arrow => arrow.Folder).Order());
        for (int i = 0; i < Arrows.Length; i++)
            Assert.Subset(Arrows[..i].Select(arrow => arrow.Folder).ToHashSet(), Arrows[i].MayUse.ToHashSet()); // no circle

        string[] sessionTypes = [.. Engine.Where(source => source.Part == "" && !Shared.Contains(source.Name)).SelectMany(source => source.DeclaredTypes)];
        Assert.Contains("Session", sessionTypes);
        var wrong = new List<string>();
        foreach (Source source in Engine)
        {
            string[] mayUse = Arrows.First(arrow => arrow.Folder == source.Part).MayUse;
            wrong.AddRange(Arrows.Select(arrow => arrow.Folder).Where(folder => folder != "" && folder != source.Part && !mayUse.Contains(folder) && source.Uses(folder))
                .Select(folder => $"{source.Path} uses {folder}"));
            if (source.Part != "" && !mayUse.Contains(""))
                wrong.AddRange(sessionTypes.Where(source.Mentions).Select(type => $"{source.Path} mentions {type}"));
        }
        Assert.Empty(wrong);
    }

    [Fact]
    public void Namespaces_AreTheFolders() => Assert.Empty(Engine.Where(source =>
        source.Namespace != string.Join('.', source.Folder.Split('/', StringSplitOptions.RemoveEmptyEntries).Prepend("QedEdge"))).Select(source => source.Path));

    [Fact]
    public void InstructionSets_AreKnownToTheRegistryAlone() => Assert.Empty(Engine.Where(source =>
        !source.Folder.StartsWith("Kernels/", StringComparison.Ordinal) && source.Path != "src/QedEdge/Kernels/KernelRegistry.cs"
        && (source.Mentions("X86") || source.Mentions("Arm"))).Select(source => source.Path));

    /// <summary>
    /// A family says what its hyperparameters describe and what its checkpoints call tensors: it knows the types of Architectures and the names of keys, and nothing that computes.
    /// </summary>
    [Fact]
    public void Families_AreDataAlone()
    {
        Assert.NotEmpty(Families);
        string[] unknown = [.. Engine.Where(source => source.Part is "" or "Gguf").SelectMany(source => source.DeclaredTypes).Where(type => type != "GgufKeys"), "File", "Stream", "Span"];
        foreach (Source source in Families)
        {
            Assert.All(source.Imports, import => Assert.Equal("QedEdge.Gguf", import));
            Assert.Empty(Arrows.Select(arrow => arrow.Folder).Where(folder => folder is not ("" or "Gguf" or "Architectures") && source.Uses(folder)).Concat(unknown.Where(source.Mentions)));
        }
        Assert.Empty(Families.Where(source => source.Lines > MostLinesOfAFamily).Select(source => $"{source.Path}: {source.Lines} lines"));
    }

    /// <summary>Who names a family's class makes a difference between families that their descriptions do not say.</summary>
    [Fact]
    public void Families_AreKnownToTheRegistryAlone()
    {
        string[] classes = [.. Families.SelectMany(source => source.DeclaredTypes)];
        Assert.Contains("LlamaFamily", classes);
        Assert.Equal(
            [
                "converter/QedEdge.Conversion/ModelMetadata.cs", // keys that stand for one family's usual
                "converter/QedEdge.Conversion/OtherTools.cs", // what llama.cpp takes for granted of some of them
                "converter/QedEdge.Conversion/TensorPlan.cs", // QED's tensors under the name of another family, with that one's biases
            ],
            Engine.Concat(Read("src/QedEdge.Cli")).Concat(Read("src/QedEdge.Native")).Concat(Read("converter"))
                .Where(source => source.Folder != "Architectures/Families" && classes.Any(source.Mentions)).Select(source => source.Path));
    }

    /// <summary>The forward pass names no family, in comments neither.</summary>
    [Theory]
    [InlineData("Transformer.cs")]
    [InlineData("Attention.cs")]
    public void ForwardPass_NamesNoFamily(string file)
    {
        string text = File.ReadAllText(Path.Combine(TestData.Root, "src", "QedEdge", "Model", file));
        foreach (Family family in FamilyRegistry.All)
        {
            Assert.All([family.Name, family.Checkpoint, family.GetType().Name],
                name => Assert.DoesNotMatch(new Regex($"(?<![A-Za-z]){name}(?![A-Za-z])", RegexOptions.IgnoreCase), text));
        }
    }

    [Fact]
    public void Unsafe_StaysBehindItsFence() => Assert.Empty(Engine.Concat(Read("src/QedEdge.Native")).Concat(Read("src/QedEdge.Cli")).Concat(Read("converter")).Where(source =>
        source.Mentions("unsafe") && !MayBeUnsafe.Any(folder => source.Path == $"src/{folder}/{source.Name}")).Select(source => source.Path));

    [Fact]
    public void Engine_NeverWritesToTheConsole() => Assert.Equal(["src/QedEdge/Memory/StandardStreams.cs"], Engine.Where(source => source.Mentions("Console")).Select(source => source.Path)); // it opens streams for the programs

    /// <summary>.NET's own opening locks a file (flock): files that are only read are opened by InputFile.</summary>
    [Fact]
    public void Inputs_AreOpenedWithoutALock() => Assert.Empty(Engine.Concat(Read("src/QedEdge.Cli")).Concat(Read("converter")).Where(source =>
        source.Calls(@"File\.(Open\w*|ReadA\w+|ReadLines\w*)") && source.Name is not ("InputFile.cs" or "FreeMemory.cs")).Select(source => source.Path)); // the latter reads /proc and /sys

    /// <summary>Exists takes for "no" that it cannot be found out, and a file of the input is dropped in silence: FileStatus tells the two apart.</summary>
    [Fact]
    public void WhatIsThere_IsAskedOfFileStatus() => Assert.Equal(["src/QedEdge.CommandLine/FileNames.cs"], Read("src").Concat(Read("converter")).Where(source =>
        source.Calls(@"(File|Directory|Path)\.Exists")).Select(source => source.Path)); // it knows none, and takes "no" for a name to refuse

    [Fact]
    public void Files_StayShort() => Assert.Empty(new[] { "src", "converter", "tests", "bench" }.SelectMany(Read).Where(source =>
        source.Lines > (source.Folder is "QedEdge/Kernels/X86" or "QedEdge/Kernels/Arm" ? MostLinesOfAKernelSet : MostLines)).Select(source => $"{source.Path}: {source.Lines} lines"));

    private static List<Source> Read(string root) =>
        [.. Directory.EnumerateFiles(Path.Combine(TestData.Root, root), "*.cs", SearchOption.AllDirectories).Order(StringComparer.Ordinal).Select(file => new Source(root, file))];

    /// <summary>A source file without its comments and strings.</summary>
    private sealed class Source
    {
        private readonly string _code;
        private readonly HashSet<string> _words;

        public Source(string root, string file)
        {
            Path = System.IO.Path.GetRelativePath(TestData.Root, file).Replace('\\', '/');
            Name = System.IO.Path.GetFileName(file);
            Folder = Path[(root.Length + 1)..^Name.Length].TrimEnd('/');
            string text = File.ReadAllText(file);
            Lines = text.AsSpan().Count('\n');
            _code = CommentOrText().Replace(text, " ");
            _words = [.. Word().Matches(_code).Select(match => match.Value)];
        }

        /// <summary>From the repository's root.</summary>
        public string Path { get; }

        public string Name { get; }

        /// <summary>From the project's folder, "" for the folder itself.</summary>
        public string Folder { get; }

        /// <summary>The first folder in the project.</summary>
        public string Part => Folder.Split('/')[0];

        public int Lines { get; }

        public string Namespace => NamespaceName().Match(_code).Groups[1].Value;

        /// <summary>Namespaces of using directives.</summary>
        public IEnumerable<string> Imports => Import().Matches(_code).Select(match => match.Groups[1].Value);

        public IEnumerable<string> DeclaredTypes => Declaration().Matches(_code).Select(match => match.Groups[1].Value);

        /// <summary>Whether the word stands in the code.</summary>
        public bool Mentions(string word) => _words.Contains(word);

        /// <summary>Whether a method whose name the pattern describes is called.</summary>
        public bool Calls(string pattern) => Regex.IsMatch(_code, $@"\b{pattern}\(");

        /// <summary>Whether a namespace of the engine is used: imported, aliased, or written out in part or in full.</summary>
        public bool Uses(string folder) => _words.Contains(folder)
            && (Regex.IsMatch(_code, $@"\bQedEdge\.{folder}\b") || (Part != "" && Regex.IsMatch(_code, $@"(?<![\w.]){folder}\.[A-Z]")));
    }

    /// <summary>Comments, and literals with what is interpolated into them.</summary>
    [GeneratedRegex("""//[^\n]*|/\*.*?\*/|"{3,}.*?"{3,}|@"(""|[^"])*"|"(\\.|[^"\\\n])*"|'(\\.|[^'\\\n])+'""", RegexOptions.Singleline)]
    private static partial Regex CommentOrText();

    [GeneratedRegex(@"[A-Za-z_]\w*")]
    private static partial Regex Word();

    [GeneratedRegex(@"^using (?:static )?(?:\w+ = )?([\w.]+);", RegexOptions.Multiline)]
    private static partial Regex Import();

    [GeneratedRegex(@"^namespace ([\w.]+)", RegexOptions.Multiline)]
    private static partial Regex NamespaceName();

    [GeneratedRegex(@"^(?:public|internal) (?:[a-z]+ )*(?:class|record|struct|interface|enum|delegate [\w<>]+) (\w+)", RegexOptions.Multiline)]
    private static partial Regex Declaration();
}
