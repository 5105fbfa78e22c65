using System.Text.Json;
using QedEdge.Conversion;
using QedEdge.Gguf;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Tests.Published;

/// <summary>Drives the published executables from outside, on this processor and on emulated ones.</summary>
public sealed class PublishedProgramTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("x64", null)]
    [InlineData("haswell", "avx2")]
    [InlineData("cortex-a72", "neon")]
    [InlineData("cortex-a76", "neon-dp")]
    public void Info_ChoosesTheProcessorsKernels(string machine, string? expected)
    {
        expected ??= File.ReadAllText("/proc/cpuinfo").Contains(" avx_vnni") ? "avxvnni" : "avx2";
        ProgramResult result = PublishedPrograms.Run("qed", machine, "info", "--json");
        Assert.Equal(0, result.ExitCode);
        using JsonDocument json = JsonDocument.Parse(result.Output);
        Assert.True(json.RootElement.GetProperty("native").GetBoolean());
        Assert.Equal(expected, json.RootElement.GetProperty("isa").GetString());
    }

    [Theory]
    [InlineData("x64")]
    [InlineData("arm64")]
    public void Executables_NameNoFolderOfTheMachineThatBuiltThem(string architecture)
    {
        foreach (string program in new[] { "qed", "qed-convert", "libqed.so" })
            Assert.True(File.ReadAllBytes(PublishedPrograms.File(program, architecture)).AsSpan().IndexOf(System.Text.Encoding.UTF8.GetBytes(TestData.Root)) < 0, program);
    }

    [Fact]
    public void Logits_EveryGoldenCaseAndFormat_AreTheSameBitsEverywhere()
    {
        int turn = 0; // three machines: each takes both chunks in turn
        foreach (string golden in TestData.GoldenCases)
        {
            foreach (BlockFormat format in BlockFormats.Written)
            {
                string model = Path.Combine(_folder, $"{Path.GetFileName(golden)}-{format}.gguf");
                CheckpointConverter.Convert(golden, model, new ConversionOptions { Type = format });
                string tokens = Tokens(golden);
                string expected = Output("x64", "logits", "-m", model, "--tokens", tokens, "--isa", "scalar", "-t", "1");
                Assert.Equal(expected, Output("x64", "logits", "-m", model, "--tokens", tokens));
                Assert.Equal(expected, Output("x64", "logits", "-m", model, "--tokens", tokens, "--isa", "avx2", "--chunk", "1"));
                foreach (string machine in PublishedPrograms.Machines[1..])
                {
                    string chunk = turn++ % 2 == 0 ? "7" : "19"; // fewer tokens than a tile has, and two tiles and a rest
                    Assert.Equal(expected, Output(machine, "logits", "-m", model, "--tokens", tokens, "--chunk", chunk, "-t", "2"));
                }
            }
        }
    }

    [Fact]
    public void Logits_OfFewerAndMoreTokensThanATile_AreTheSameBitsEverywhere()
    {
        foreach ((BlockFormat format, string kvType) in new[] { (BlockFormat.F16, "f16"), (BlockFormat.Q8_0, "q8_0"), (BlockFormat.Q4_0, "f32") })
        {
            string model = Path.Combine(_folder, $"tiny-{format}.gguf");
            CheckpointConverter.Convert(TestData.TinyQed, model, new ConversionOptions { Type = format });
            foreach (int length in new[] { 5, 8, 13 })
            {
                string[] arguments = ["logits", "-m", model, "--tokens", string.Join(',', Enumerable.Range(1, length)), "--kv-type", kvType];
                string expected = Output("x64", [.. arguments, "--isa", "scalar", "-t", "1"]);
                foreach (string machine in PublishedPrograms.Machines[1..])
                    Assert.Equal(expected, Output(machine, [.. arguments, "-t", "2"]));
            }
        }
    }

    /// <summary>Files of other tools: together they hold every kind of block that a mix of four bits has, and nearly all others.</summary>
    [Theory]
    [InlineData("llama-q4_k_m-256")]
    [InlineData("gpt2-q4_k_m-256")]
    [InlineData("llama-zoo-256-imatrix")]
    public void Logits_OfOtherToolsFiles_AreTheSameBitsEverywhere(string name)
    {
        string folder = Path.Combine(TestData.Root, "tests", "types", name);
        string[] arguments = ["logits", "-m", Path.Combine(folder, "model.gguf"), "--tokens", Tokens(folder)];
        string expected = Output("x64", [.. arguments, "--isa", "scalar", "-t", "1"]);
        foreach (string machine in PublishedPrograms.Machines)
        {
            foreach (string chunk in new[] { "1", "9" }) // alone, and a tile and a rest
                Assert.Equal(expected, Output(machine, [.. arguments, "--chunk", chunk, "-t", "2"]));
        }
    }

    [Fact]
    public void TheBuildForAvx512_ChoosesIt_AndGivesTheSameBits()
    {
        string processor = File.ReadAllText("/proc/cpuinfo");
        Assert.SkipUnless(processor.Contains(" avx512bw"), "this processor has no AVX-512, and no emulator here does");
        using JsonDocument json = JsonDocument.Parse(PublishedPrograms.Run("qed", "x64-v4", "info", "--json").Output);
        Assert.Equal("avx512", json.RootElement.GetProperty("isa").GetString());
        Assert.Equal(processor.Contains(" avx512_vnni"), json.RootElement.GetProperty("features").EnumerateArray().Any(feature => feature.GetString() == "avx512vnni"));
        foreach (string name in new[] { "llama-q4_k_m-256", "llama-zoo-256-imatrix" })
        {
            string folder = Path.Combine(TestData.Root, "tests", "types", name);
            string[] arguments = ["logits", "-m", Path.Combine(folder, "model.gguf"), "--tokens", Tokens(folder), "-t", "2"];
            string expected = Output("x64", [.. arguments, "--isa", "scalar"]);
            foreach (string chunk in new[] { "1", "3", "9" })
                Assert.Equal(expected, Output("x64-v4", [.. arguments, "--chunk", chunk]));
        }
        foreach (BlockFormat format in new[] { BlockFormat.Q4_0, BlockFormat.Q8_0, BlockFormat.IQ4_NL })
        {
            string model = Path.Combine(_folder, $"tiny-{format}.gguf");
            CheckpointConverter.Convert(TestData.TinyQed, model, new ConversionOptions { Type = format });
            foreach (int length in new[] { 1, 7, 9, 300 })
            {
                string[] arguments = ["logits", "-m", model, "--tokens", string.Join(',', Enumerable.Range(1, length)), "--isa"];
                Assert.Equal(Output("x64", [.. arguments, "scalar"]), Output("x64-v4", [.. arguments, "avx512"]));
            }
        }
    }

    [Fact]
    public void Generate_SampledText_IsTheSameOnEveryMachine()
    {
        string[] arguments = ["generate", "Once upon a time", "-n", "40", "--seed", "7", "--json", "--digest"];
        (string, string) expected = TextAndDigest(PublishedPrograms.Run("qed", "x64", arguments));
        foreach (string machine in PublishedPrograms.Machines[1..])
            Assert.Equal(expected, TextAndDigest(PublishedPrograms.Run("qed", machine, arguments)));
    }

    [Fact]
    public void Generate_BeyondTheContext_IsTheSameOnEveryMachine()
    {
        string[] arguments = ["generate", "Once upon a time", "-c", "24", "-n", "60", "--overflow", "slide", "--sinks", "2", "--seed", "7", "--ignore-eos", "--json", "--digest"];
        (string, string) expected = TextAndDigest(PublishedPrograms.Run("qed", "x64", arguments));
        foreach (string machine in PublishedPrograms.Machines[1..])
            Assert.Equal(expected, TextAndDigest(PublishedPrograms.Run("qed", machine, arguments)));
        using JsonDocument json = JsonDocument.Parse(PublishedPrograms.Run("qed", "x64", arguments).Output);
        Assert.Equal(60, json.RootElement.GetProperty("generated_tokens").GetInt32());
    }

    [Fact]
    public void Generate_WithAPromptCache_GivesTheSameText_AndComputesOnlyWhatChanged()
    {
        string cache = Path.Combine(_folder, "prompt.cache");
        int Cached(string prompt, string machine = "x64")
        {
            string[] arguments = ["generate", prompt, "-n", "20", "--seed", "7", "--repeat-penalty", "1.2", "--json", "--digest"];
            ProgramResult with = PublishedPrograms.Run("qed", machine, [.. arguments, "--prompt-cache", cache]);
            Assert.Equal(TextAndDigest(PublishedPrograms.Run("qed", "x64", arguments)), TextAndDigest(with));
            using JsonDocument json = JsonDocument.Parse(with.Output);
            Assert.Equal(20, json.RootElement.GetProperty("generated_tokens").GetInt32());
            return json.RootElement.GetProperty("cached_tokens").GetInt32();
        }
        const string Story = "Once upon a time there lived a king who had three sons";
        Assert.Equal(0, Cached(Story));
        int all = Cached(Story);
        Assert.InRange(all, 10, 30);
        Assert.Equal(all, Cached(Story + " and"));
        Assert.InRange(Cached("Once upon a time there lived a queen who had three sons"), 4, all - 4); // edited in the middle
        Assert.Equal(1, Cached("The" + Story)); // only the token that begins every prompt
        Assert.InRange(Cached("The wolf", PublishedPrograms.Machines[^1]), 1, 2); // and on another machine

        byte[] bytes = File.ReadAllBytes(cache);
        bytes[^1] ^= 1;
        File.WriteAllBytes(cache, bytes);
        ProgramResult damaged = PublishedPrograms.Run("qed", "x64", "generate", "x", "-n", "2", "--prompt-cache", cache); // a miss
        Assert.Equal(0, damaged.ExitCode);
        Assert.Contains("damaged", damaged.Error);
    }

    [Fact]
    public void Bake_ThenGenerate_GivesTheSameText_AndStartsBehindThePrefix()
    {
        string baked = Path.Combine(_folder, "baked.gguf");
        const string Prefix = "Once upon a time there lived a king who had three sons";
        foreach (string machine in PublishedPrograms.Machines)
        {
            string other = machine == "x64" ? baked : Path.Combine(_folder, machine + ".gguf");
            ProgramResult result = PublishedPrograms.Run("qed", machine, "bake", Prefix, "-o", other);
            Assert.Equal((0, ""), (result.ExitCode, result.Output));
            Assert.Equal(File.ReadAllBytes(baked), File.ReadAllBytes(other)); // the same bytes from every machine
        }
        string[] arguments = ["generate", Prefix + ". The eldest", "-n", "20", "--seed", "7", "--json", "--digest"];
        (string, string) expected = TextAndDigest(PublishedPrograms.Run("qed", "x64", arguments));
        foreach (string machine in PublishedPrograms.Machines)
        {
            ProgramResult result = PublishedPrograms.Run("qed", machine, [.. arguments, "-m", baked]);
            Assert.Equal(expected, TextAndDigest(result));
            using JsonDocument json = JsonDocument.Parse(result.Output);
            Assert.InRange(json.RootElement.GetProperty("cached_tokens").GetInt32(), 10, 30);
        }
        // A prompt cache that has less of the prompt than the model file does not stand in its way.
        string cache = Path.Combine(_folder, "other.cache");
        Assert.Equal(0, PublishedPrograms.Run("qed", "x64", "generate", "The wolf", "-n", "1", "-m", baked, "--prompt-cache", cache).ExitCode);
        ProgramResult both = PublishedPrograms.Run("qed", "x64", [.. arguments, "-m", baked, "--prompt-cache", cache]);
        Assert.Equal(expected, TextAndDigest(both));
        using (JsonDocument json = JsonDocument.Parse(both.Output))
            Assert.InRange(json.RootElement.GetProperty("cached_tokens").GetInt32(), 10, 30);
        string system = Path.Combine(_folder, "system.gguf");
        Assert.Equal(0, PublishedPrograms.Run("qed", "x64", "bake", "--system", "Be kind.", "-o", system).ExitCode);
        Assert.Contains("qed.baked.system = Be kind.", PublishedPrograms.Run("qed", "x64", "inspect", system).Output);
        AssertFails(1, "exists already", "bake", "x", "-o", baked);
        AssertFails(2, "--system", "bake", "-o", "x.gguf");
        AssertFails(2, "--system", "bake", "x", "--system", "y", "-o", "x.gguf");
        AssertFails(2, "vocabulary", "bake", "--tokens", "99999", "-o", "x.gguf");
    }

    [Fact]
    public void Convert_TheSampleCheckpoint_GivesTheSameBytesOnEveryMachine()
    {
        foreach (string type in new[] { "q4_0", "q8_0", "f16" })
        {
            var files = new List<byte[]>();
            foreach (string machine in PublishedPrograms.Machines)
            {
                string file = Path.Combine(_folder, $"{machine}-{type}.gguf");
                ProgramResult result = PublishedPrograms.Run("qed-convert", machine, TestData.TinyQed, "-o", file, "--type", type);
                Assert.True(result.ExitCode == 0, result.Error);
                files.Add(File.ReadAllBytes(file));
            }
            Assert.All(files[1..], file => Assert.Equal(files[0], file));
        }
    }

    [Theory]
    [InlineData("generate", "--tmep", "1")]
    [InlineData("generate", "--tokens", "1,x")]
    [InlineData("generate", "a", "-p", "b")]
    [InlineData("generate", "a", "--top-p", "2")]
    [InlineData("logits")]
    [InlineData("unknown-command")]
    public void WrongUsage_EndsWithCodeTwoAndOneLine(params string[] arguments) => AssertFails(2, "", arguments);

    [Fact]
    public void AMistypedOption_IsNamedWithTheOneThatWasMeant()
    {
        AssertFails(2, "'--tmep'; did you mean '--temp'?", "generate", "--tmep", "1");
        AssertFails(2, "'--jsn'; did you mean '--json'?", "info", "--jsn");
        Assert.Equal(0, PublishedPrograms.Run("qed", "x64", "generate", "-n", "1", "--", "--dashes").ExitCode);
    }

    [Fact]
    public void Verify_AFlippedByte_NamesTheTensor()
    {
        string model = Path.Combine(_folder, "model.gguf");
        CheckpointConverter.Convert(TestData.TinyQed, model, new ConversionOptions());
        Assert.Equal(0, PublishedPrograms.Run("qed", "x64", "verify", "-m", model).ExitCode);
        byte[] bytes = File.ReadAllBytes(model);
        bytes[^100_000] ^= 1;
        File.WriteAllBytes(model, bytes);
        ProgramResult result = PublishedPrograms.Run("qed", "x64", "verify", "-m", model);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("blk.", result.Error);
    }

    [Theory]
    [InlineData("x64")]
    [InlineData("cortex-a72")]
    [InlineData("cortex-a76")]
    public void Verify_TheSampleModel_ComputesItsDigest(string machine) =>
        Assert.Contains("this machine computes the digest", Output(machine, "verify"));

    [Fact]
    public void Verify_AnotherDigest_IsAFault_AndAnotherVersions_IsNot()
    {
        string model = Path.Combine(_folder, "model.gguf");
        File.WriteAllBytes(model, ChangedSample.WithEntry(GgufKeys.DigestValue, (writer, _) => writer.Add(GgufKeys.DigestValue, new string('0', 32))));
        AssertFails(1, "computes something else", "verify", model);
        File.WriteAllBytes(model, ChangedSample.WithEntry(GgufKeys.DigestArithmetic, (writer, _) => writer.Add(GgufKeys.DigestArithmetic, 1_000_000u)));
        Assert.Contains("another version", Output("x64", "verify", model));
        File.WriteAllBytes(model, ChangedSample.WithEntry(GgufKeys.DigestPrompt, (writer, _) => writer.Add(GgufKeys.DigestPrompt, (int[])[1, 1 << 20])));
        AssertFails(3, GgufKeys.DigestPrompt, "verify", model);
    }

    [Fact]
    public void Inspect_ShowsTheCard()
    {
        string digest = Output("x64", "inspect").Split('\n').Single(static line => line.StartsWith("  digest ", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1];
        using JsonDocument json = JsonDocument.Parse(Output("x64", "inspect", "--json"));
        Assert.StartsWith(digest, json.RootElement.GetProperty("card").GetProperty("digest").GetString());
        // As the documentation says, generate computes it too.
        ProgramResult run = PublishedPrograms.Run("qed", "x64", "generate", "Once upon a time", "-n", "64", "--greedy", "--ignore-eos", "--digest");
        Assert.Contains(digest, run.Error);
    }

    [Fact]
    public void Tokenize_ThenDetokenize_GivesTheText()
    {
        const string text = "Once upon a time, there was a king -- \"Oh!\" said he.";
        string ids = Output("x64", "tokenize", text).Trim();
        Assert.Equal(text + "\n", Output("x64", "detokenize", ids));
    }

    private static void AssertFails(int exitCode, string names, params string[] arguments)
    {
        ProgramResult result = PublishedPrograms.Run("qed", "x64", arguments);
        OneLine.AssertError(exitCode, result);
        Assert.Contains(names, result.Error);
    }

    private static string Output(string machine, params string[] arguments)
    {
        ProgramResult result = PublishedPrograms.Run("qed", machine, arguments);
        Assert.True(result.ExitCode == 0, result.Error);
        return result.Output;
    }

    private static (string, string) TextAndDigest(ProgramResult result)
    {
        using JsonDocument json = JsonDocument.Parse(result.Output);
        return (json.RootElement.GetProperty("text").GetString()!, json.RootElement.GetProperty("digest").GetString()!);
    }

    private static string Tokens(string golden)
    {
        using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(golden, "expected.json")));
        return string.Join(',', json.RootElement.GetProperty("input_ids").EnumerateArray().Select(e => e.GetInt32()));
    }
}
