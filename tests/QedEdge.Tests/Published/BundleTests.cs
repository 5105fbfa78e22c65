using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text.Json.Nodes;
using QedEdge.Conversion;
using QedEdge.Quantization;

namespace QedEdge.Tests.Published;

/// <summary>qed bundle: one file that runs by itself, can be looked into, and comes apart into what it was made of.</summary>
public sealed class BundleTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;
    private readonly string _model, _bundle;

    public BundleTests()
    {
        _model = Path.Combine(_folder, "tiny.gguf");
        _bundle = Path.Combine(_folder, "story");
        CheckpointConverter.Convert(TestData.TinyQed, _model, new ConversionOptions { Type = BlockFormat.Q4_0 });
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void ABundle_NeedsNoOptions_AndIsTheProgramWithTheModel()
    {
        string said = Qed("bundle", "-m", _model, "-o", _bundle).Error;
        Assert.Contains("with tiny.gguf; it runs 'generate' unless another command is given", said);
        Assert.NotEqual("\n", Done(Tools.Run("bash", ["-c", said.TrimEnd().Split(": ")[^1] + " -n 3"])).Output); // the command it names
        Assert.Contains("model: bundled with this executable (1.3 MB)", Run("info").Output);
        string expected = Qed("generate", "-m", _model, "Once upon a time", "-n", "20", "--seed", "5").Output;
        Assert.NotEqual(expected, Qed("generate", "Once upon a time", "-n", "20", "--seed", "5").Output); // the built-in model is another
        foreach (string[] arguments in (string[][])[["Once upon a time", "-n", "20", "--seed", "5"], ["generate", "Once upon a time", "-n", "20", "--seed", "5"], ["-n", "20", "--seed", "5", "Once upon a time"]])
            Assert.Equal(expected, Run(arguments).Output);
        Assert.NotEqual("\n", Run().Output); // a story from nothing
        Assert.Equal(Qed("--version").Output, Run("--version").Output);
        Assert.Equal(expected, Tools.Run(_bundle, ["Once upon a time", "-n", "20", "--seed", "5"], start => start.Environment["QED_MODEL"] = "/nowhere").Output);
        // It is a model file too, for another program.
        foreach (string load in new[] { "map", "ram" })
            Assert.Equal(expected, Qed("generate", "-m", _bundle, "Once upon a time", "-n", "20", "--seed", "5", "--load", load).Output);
        Assert.Contains("the executable and its defaults match", Run("verify").Output);
        JsonNode shown = JsonNode.Parse(Qed("inspect", _bundle, "--json").Output)!["bundle"]!;
        Assert.Equal(new FileInfo(_model).Length, (long)shown["model_bytes"]!);
        Assert.Equal(0, (long)shown["model_offset"]! % 65536);
    }

    [Fact]
    public void Defaults_HoldUnlessToldOtherwise()
    {
        string defaults = Path.Combine(_folder, "defaults.json");
        File.WriteAllText(defaults, """{"command": "generate", "seed": 5, "max-tokens": 20, "stop": ["xyzzy", "king"], "ignore-eos": true, "json": true}""");
        Qed("bundle", "-m", _model, "-o", _bundle, "--defaults", defaults);
        JsonNode all = JsonNode.Parse(Run("Once upon a time").Output)!;
        Assert.Equal(5, (int)all["seed"]!);
        Assert.DoesNotContain("king", (string)all["text"]!);
        Assert.Equal((string)all["text"]!, (string)JsonNode.Parse(Qed("generate", "-m", _model, "Once upon a time", "--seed", "5", "-n", "20", "--stop", "xyzzy", "--stop", "king", "--ignore-eos", "--json").Output)!["text"]!);
        JsonNode other = JsonNode.Parse(Run("Once upon a time", "-n", "3", "-s", "6", "--stop", "none").Output)!;
        Assert.Equal((6, 3), ((int)other["seed"]!, (int)other["generated_tokens"]!));
        Assert.StartsWith("[", Run("logits", "--tokens", "1").Output); // they are those of one command

        File.WriteAllText(defaults, """{"command": "chat", "system": "You are a king.", "max-tokens": 5, "verbose-prompt": true}""");
        Qed("bundle", "-m", _model, "-o", _bundle, "--defaults", defaults, "--force");
        Assert.Contains("king", Tools.Run("sh", ["-c", $"echo Hello | {_bundle}"]).Error); // in the prompt

        foreach ((string text, string message) in new[] { ("{\"temperature\": 1}", "no option 'temperature'"), ("{\"command\": \"dance\"}", "no command 'dance'"), ("{\"temp\": \"hot\"}", "is not a number"), ("[]", "not a JSON object") })
        {
            File.WriteAllText(defaults, text);
            ProgramResult result = PublishedPrograms.Run("qed", "x64", "bundle", "-m", _model, "-o", Path.Combine(_folder, "x"), "--defaults", defaults);
            OneLine.AssertError(1, result);
            Assert.Contains(message, result.Error);
        }
        File.Delete(defaults);
        Assert.Equal(0, Tools.Run("mkfifo", [defaults]).ExitCode);
        Assert.Contains("is a named pipe", Refused("bundle", "-m", _model, "-o", Path.Combine(_folder, "x"), "--defaults", defaults));
        Assert.False(File.Exists(Path.Combine(_folder, "x")));
    }

    [Fact]
    public void ItComesApart_IntoTheSameBytes()
    {
        string defaults = Path.Combine(_folder, "defaults.json"), parts = Path.Combine(_folder, "parts"), program = PublishedPrograms.File("qed", "x64");
        File.WriteAllText(defaults, "{\"seed\": 1}\n");
        Qed("bundle", "-m", _model, "-o", _bundle, "--defaults", defaults);
        Qed("bundle", "--extract", _bundle, "-o", parts);
        foreach ((string whole, string part) in new[] { (program, "qed"), (_model, "model.gguf"), (defaults, "defaults.json") })
            Assert.Equal(File.ReadAllBytes(whole), File.ReadAllBytes(Path.Combine(parts, part)));
        Assert.Equal(0, Tools.Run(Path.Combine(parts, "qed"), ["--version"]).ExitCode);
        Assert.Contains("is a bundle already", Refused("bundle", "-m", _bundle, "-o", Path.Combine(_folder, "x")));
        Assert.Contains("is a bundle already", Refused("bundle", "-m", _model, "--runtime", _bundle, "-o", Path.Combine(_folder, "x")));
        foreach (string other in new[] { _model, "/bin/ls", PublishedPrograms.File("libqed.so", "x64"), PublishedPrograms.File("qed-convert", "x64") })
            Assert.Contains("is no executable 'qed'", Refused("bundle", "-m", _model, "--runtime", other, "-o", Path.Combine(_folder, "x")));
        Assert.Contains("there is no such file", Refused("bundle", "-m", _model, "--runtime", "/nowhere", "-o", Path.Combine(_folder, "x")));
        Assert.Contains("is no bundle", Refused("bundle", "--extract", program, "-o", parts));
        Assert.Contains("exists already", Refused("bundle", "--extract", _bundle, "-o", parts));
    }

    [Fact]
    public void Damage_IsFound()
    {
        Qed("bundle", "-m", _model, "-o", _bundle);
        byte[] sound = File.ReadAllBytes(_bundle);
        long program = new FileInfo(PublishedPrograms.File("qed", "x64")).Length;
        Assert.Contains("damaged: executable", Damaged(program - 1, 1, "verify", _bundle));
        Assert.Contains("damaged: ", Damaged(sound.Length - 64 - 100, 1, "verify", _bundle)); // the last tensor
        Assert.Contains("footer is damaged", Damaged(sound.Length - 20, 3, "verify", _bundle));
        byte[] changed = [.. sound];
        changed[^20] ^= 1;
        File.WriteAllBytes(_bundle, changed);
        OneLine.AssertError(3, Tools.Run(_bundle, ["Once"]));

        string Damaged(long at, int code, params string[] arguments)
        {
            byte[] bytes = [.. sound];
            bytes[at] ^= 1;
            File.WriteAllBytes(_bundle, bytes);
            ProgramResult result = PublishedPrograms.Run("qed", "x64", arguments);
            OneLine.AssertError(code, result);
            return result.Error;
        }
    }

    /// <summary>Below, at and beyond the limit of the default options, as a footer says it whose checksums are right; and options that were changed.</summary>
    [Fact]
    public void DefaultsOfAForgedFooter_HaveALimit_AndAChecksum()
    {
        const int Limit = 65_536, Footer = 64, Length = 4 * 8, Checksum = 6 * 8, FooterChecksum = 7 * 8;
        Qed("bundle", "-m", _model, "-o", _bundle);
        byte[] sound = File.ReadAllBytes(_bundle);
        foreach ((int bytes, bool changed, string? refused) in new[] { (Limit - 1, false, null), (Limit, false, null), (Limit + 1, false, $"{Limit} at most"), (Limit, true, "do not match their checksum") })
        {
            byte[] defaults = [.. "{\"seed\": 5, \"max-tokens\": 3"u8, .. Enumerable.Repeat((byte)' ', bytes - 28), (byte)'}'];
            byte[] footer = sound[^Footer..];
            BinaryPrimitives.WriteInt64LittleEndian(footer.AsSpan(Length), defaults.Length);
            BinaryPrimitives.WriteUInt64LittleEndian(footer.AsSpan(Checksum), XxHash3.HashToUInt64(defaults));
            BinaryPrimitives.WriteUInt64LittleEndian(footer.AsSpan(FooterChecksum), XxHash3.HashToUInt64(footer.AsSpan(0, FooterChecksum)));
            defaults[^2] ^= (byte)(changed ? 1 : 0);
            File.WriteAllBytes(_bundle, [.. sound[..^Footer], .. defaults, .. footer]);
            ProgramResult result = Tools.Run(_bundle, ["Once upon a time"]);
            if (refused is null)
                Assert.True(result.ExitCode == 0, result.Error);
            else
                OneLine.AssertError(3, result);
            Assert.Contains(refused ?? "", result.Error);
        }
    }

    [Fact]
    public void AnExecutableForAnotherProcessor_IsBundledHere_AndRunsThere()
    {
        Tools.Require("qemu-aarch64-static");
        Qed("bundle", "-m", _model, "--runtime", PublishedPrograms.File("qed", "arm64"), "-o", _bundle);
        ProgramResult result = Tools.Run("qemu-aarch64-static", ["-cpu", "cortex-a72", _bundle, "Once upon a time", "-n", "10", "--seed", "5"]);
        Assert.Equal((0, Qed("generate", "-m", _model, "Once upon a time", "-n", "10", "--seed", "5").Output), (result.ExitCode, result.Output));
    }

    private ProgramResult Run(params string[] arguments) => Done(Tools.Run(_bundle, arguments));

    private static ProgramResult Qed(params string[] arguments) => Done(PublishedPrograms.Run("qed", "x64", arguments));

    private static ProgramResult Done(ProgramResult result)
    {
        Assert.True(result.ExitCode == 0, result.Error);
        return result;
    }

    private static string Refused(params string[] arguments)
    {
        ProgramResult result = PublishedPrograms.Run("qed", "x64", arguments);
        OneLine.AssertError(1, result);
        return result.Error;
    }
}
