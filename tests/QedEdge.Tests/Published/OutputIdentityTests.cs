using QedEdge.Memory;

namespace QedEdge.Tests.Published;

/// <summary>Every output of every command against every file that it reads, under other names too: refused before anything is touched.</summary>
public sealed class OutputIdentityTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Command lines: words that begin with in- are files that are read, dir- folders (with the files in them that count), out- outputs.</summary>
    public static TheoryData<string> Commands =>
    [
        "qed logits -m in-model --tokens 1 -o out-logits",
        "qed bake -m in-model -f in-prompt -o out-model",
        "qed bundle -m in-model --runtime in-runtime --defaults in-defaults -o out-bundle",
        "qed batch -m in-model -i in-lines -o out-lines",
        "qed eval -m in-model dir-tasks/arc_challenge.jsonl --task winogrande=in-task -o out-answers",
        "qed generate -m in-model -f in-prompt --prompt-cache out-cache -n 1",
        "qed score -m in-model -f in-text --html out-page",
        "qed perplexity -m in-model -f in-text --plot out-plot",
        "qed-convert dir-checkpoint/config.json,model.safetensors,tokenizer.json,model-2.safetensors --lora dir-adapter/adapter_config.json,adapter_model.safetensors --calibrate in-text --measure in-other -o out-model --card out-card",
        "qed-convert repack in-model --layout plain -o out-model",
    ];

    [Theory]
    [MemberData(nameof(Commands))]
    public void NoOutput_IsWhatTheCommandReads(string line)
    {
        string[] words = line.Split(' '), inputs = [.. words.SelectMany(Inputs)], outputs = [.. words.Where(word => word.StartsWith("out-", StringComparison.Ordinal))];
        foreach (string output in outputs)
        {
            foreach (string input in inputs)
            {
                foreach (string way in new[] { "same", "up", "link", "hard link" })
                    AssertRefused(words, inputs, output, Alias(way, input));
            }
            foreach (string input in inputs.Where(input => !input.Contains('/')))
            {
                // The file that is read is where another output would be put together.
                foreach (Func<string, string> beside in new Func<string, string>[] { OutputNames.Temporary, OutputNames.Part, OutputNames.Work })
                    AssertRefused([.. words.Select(word => word.Replace(input, Path.GetFileName(beside("out-other"))))], [.. inputs.Where(other => other != input), Path.GetFileName(beside("out-other"))], output, "out-other");
            }
            foreach (string other in outputs.Where(other => other != output))
                AssertRefused(words, inputs, output, $"./{other}");
        }
    }

    [Fact]
    public void WhatIsReadUnasked_CountsToo()
    {
        string file = Path.Combine(_folder, "precious"), program = Path.Combine(_folder, "qed");
        File.Copy(PublishedPrograms.File("qed", "x64"), program);
        File.Copy(PublishedPrograms.File("qed-convert", "x64"), Path.Combine(_folder, "qed-convert"));
        foreach (string command in new[] { "QED_MODEL=precious ./qed logits --tokens 1 -o precious --force", "./qed batch -i - -o precious --force < precious", "./qed logits --tokens 1 -o ./qed --force" })
        {
            File.WriteAllText(file, "precious");
            ProgramResult result = Tools.Run("bash", ["-c", command], start => start.WorkingDirectory = _folder);
            OneLine.AssertError(2, result);
            Assert.Contains("would take the place of", result.Error);
            Assert.Equal("precious", File.ReadAllText(file));
        }
        // A model that is not read may be replaced.
        Assert.Equal(0, Tools.Run("bash", ["-c", "./qed-convert \"$0\" -o other && QED_MODEL=precious ./qed logits -m other --tokens 1 -o precious --force", TestData.TinyQed], start => start.WorkingDirectory = _folder).ExitCode);
    }

    [Fact]
    public void FoldersThatAreWritten_KeepWhatTheyAreMadeFrom()
    {
        string config = Path.Combine(TestData.TinyQed, "config.json"), to = Directory.CreateDirectory(Path.Combine(_folder, "to")).FullName, copy = Path.Combine(_folder, "config");
        File.Copy(config, copy);
        File.CreateSymbolicLink(Path.Combine(to, "model.safetensors"), copy);
        ProgramResult result = PublishedPrograms.Run("qed-convert", "x64", "random", copy, "-o", to, "--force");
        OneLine.AssertError(2, result);
        Assert.Equal(File.ReadAllBytes(config), File.ReadAllBytes(copy));

        // The configuration may lie in the folder already, under any name of it.
        File.Delete(Path.Combine(to, "model.safetensors"));
        File.CreateSymbolicLink(Path.Combine(to, "config.json"), copy);
        Assert.Equal(0, PublishedPrograms.Run("qed-convert", "x64", "random", copy, "-o", to).ExitCode);
        Assert.Equal(File.ReadAllBytes(config), File.ReadAllBytes(copy));

        string bundle = Path.Combine(to, "qed"), model = Path.Combine(_folder, "model.gguf");
        Assert.Equal(0, PublishedPrograms.Run("qed-convert", "x64", TestData.TinyQed, "-o", model).ExitCode);
        Assert.Equal(0, PublishedPrograms.Run("qed", "x64", "bundle", "-m", model, "-o", bundle).ExitCode);
        byte[] before = File.ReadAllBytes(bundle);
        OneLine.AssertError(2, PublishedPrograms.Run("qed", "x64", "bundle", "--extract", bundle, "-o", to, "--force"));
        Assert.Equal(before, File.ReadAllBytes(bundle));

        string itself = Path.Combine(Directory.CreateDirectory(Path.Combine(_folder, "program")).FullName, "qed");
        File.Copy(PublishedPrograms.File("qed", "x64"), itself);
        OneLine.AssertError(2, Tools.Run(itself, ["bundle", "--extract", bundle, "-o", Path.GetDirectoryName(itself)!, "--force"]));
    }

    private void AssertRefused(string[] words, string[] inputs, string output, string name)
    {
        foreach (string input in inputs)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(_folder, input))!);
            if (!File.Exists(Path.Combine(_folder, input)))
                File.WriteAllText(Path.Combine(_folder, input), input);
        }
        string[] before = Entries();
        string[] arguments = [.. words[1..].Select(word => word == output ? name : word.StartsWith("dir-", StringComparison.Ordinal) ? word.Split('/')[0] : word), .. words[1] == "generate" ? Array.Empty<string>() : ["--force"]];
        ProgramResult result = Tools.Run(PublishedPrograms.File(words[0], "x64"), arguments, start => start.WorkingDirectory = _folder);
        Assert.True(result.ExitCode == 2, $"{string.Join(' ', arguments)}: {result.ExitCode} {result.Error}");
        OneLine.AssertError(2, result);
        Assert.Matches("would (take the place of|be put together)", result.Error);
        Assert.Equal(before, Entries());
        foreach (string input in inputs)
            Assert.Equal(input, File.ReadAllText(Path.Combine(_folder, input)));
        foreach (string file in before)
            File.Delete(Path.Combine(_folder, file));
    }

    private string[] Entries() => [.. Directory.EnumerateFiles(_folder, "*", new EnumerationOptions { AttributesToSkip = default, RecurseSubdirectories = true }).Order(StringComparer.Ordinal)];

    private string Alias(string way, string input)
    {
        string full = Path.Combine(_folder, input), link = Path.Combine(_folder, "alias");
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllText(full, input);
        switch (way)
        {
            case "same":
                return input;
            case "up":
                return $"../{Path.GetFileName(_folder)}/./{input}";
            case "link":
                File.CreateSymbolicLink(link, input);
                return "alias";
            default:
                Tools.Require("ln");
                Assert.Equal(0, Tools.Run("ln", [full, link]).ExitCode);
                return "alias";
        }
    }

    private static IEnumerable<string> Inputs(string word)
    {
        if (word.StartsWith("dir-", StringComparison.Ordinal))
            return word[(word.IndexOf('/') + 1)..].Split(',').Select(file => $"{word.Split('/')[0]}/{file}");
        int at = word.IndexOf("in-", StringComparison.Ordinal);
        return at == 0 || (at > 0 && word[at - 1] == '=') ? [word[at..]] : [];
    }
}
