namespace QedEdge.Tests.Published;

/// <summary>The ahead-of-time compiled executables and libraries as users get them, published once per test run into artifacts/published.</summary>
internal static class PublishedPrograms
{
    /// <summary>The folder of the cross compiler's C library, where the emulator finds it; the executables need none.</summary>
    public const string Arm64Root = "/usr/aarch64-linux-gnu";

    /// <summary>The architecture of executables that load their C library, so that a test can have another in front of it (LD_PRELOAD).</summary>
    public const string Dynamic = "x64-dynamic";

    private static readonly Dictionary<string, Lazy<string>> Programs = new()
    {
        ["qed x64"] = new(() => Publish("src/QedEdge.Cli", "linux-x64", "qed")),
        ["qed x64-v4"] = new(() => Publish("src/QedEdge.Cli", "linux-x64", "qed", "x86-64-v4")),
        [$"qed {Dynamic}"] = new(() => PublishDynamic("src/QedEdge.Cli", "qed")),
        ["qed arm64"] = new(() => Publish("src/QedEdge.Cli", "linux-arm64", "qed")),
        ["libqed.so x64"] = new(() => Publish("src/QedEdge.Native", "linux-x64", "libqed.so")),
        ["libqed.a x64"] = new(() => Publish("src/QedEdge.Native", "linux-x64", "libqed.a")),
        ["libqed.so arm64"] = new(() => Publish("src/QedEdge.Native", "linux-arm64", "libqed.so")),
        ["libqed.a arm64"] = new(() => Publish("src/QedEdge.Native", "linux-arm64", "libqed.a")),
        ["known-answers x64"] = new(() => Publish("tests/QedEdge.KnownAnswers", "linux-x64", "known-answers")),
        ["known-answers x64-v4"] = new(() => Publish("tests/QedEdge.KnownAnswers", "linux-x64", "known-answers", "x86-64-v4")),
        [$"known-answers {Dynamic}"] = new(() => PublishDynamic("tests/QedEdge.KnownAnswers", "known-answers")),
        ["known-answers arm64"] = new(() => Publish("tests/QedEdge.KnownAnswers", "linux-arm64", "known-answers")),
        ["qed-convert x64"] = new(() => Publish("converter/qed-convert", "linux-x64", "qed-convert")),
        [$"qed-convert {Dynamic}"] = new(() => PublishDynamic("converter/qed-convert", "qed-convert")),
        ["qed-convert arm64"] = new(() => Publish("converter/qed-convert", "linux-arm64", "qed-convert")),
    };

    /// <summary>Ways to run a program, by name: directly, or under an emulator that stands for another processor.</summary>
    public static string[] Machines { get; } = ["x64", "haswell", "cortex-a72", "cortex-a76"];

    /// <summary>The executable's file; skips the test where it cannot be built here.</summary>
    public static string File(string program, string architecture)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && System.Runtime.InteropServices.RuntimeInformation.OSArchitecture == System.Runtime.InteropServices.Architecture.X64,
            "the executables are built on Linux x64");
        Tools.Require("clang", "/usr/lib/x86_64-linux-musl/libc.a");
        if (architecture == "arm64")
            Tools.Require("ld.lld", "aarch64-linux-gnu-objcopy", Arm64Root, "/usr/lib/aarch64-linux-musl/libc.a");
        return Programs[$"{program} {architecture}"].Value;
    }

    /// <summary>Runs an executable on a machine.</summary>
    public static ProgramResult Run(string program, string machine, params string[] arguments)
    {
        string file = File(program, machine switch { "x64" or "x64-v4" => machine, "haswell" => Dynamic, _ => "arm64" });
        switch (machine)
        {
            case "x64" or "x64-v4": // the latter needs AVX-512
                return Tools.Run(file, arguments);
            case "haswell": // AVX2 without AVX-VNNI. qemu 7.2 calls signal handlers with a misaligned stack, which musl's code, compiled with SSE, does not survive (docs/decisions/0015)
                Tools.Require("qemu-x86_64-static");
                return Tools.Run("qemu-x86_64-static", ["-cpu", "Haswell", file, .. arguments]);
            default:
                Tools.Require("qemu-aarch64-static");
                return Tools.Run("qemu-aarch64-static", ["-cpu", machine, file, .. arguments]);
        }
    }

    /// <summary>Variables of the build that started this test would steer another one.</summary>
    public static void ForgetThisBuild(IDictionary<string, string?> environment)
    {
        foreach (string key in environment.Keys.Where(key => key.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase)).ToArray())
            environment.Remove(key);
    }

    /// <summary>The same compiled code as in the static executable, linked once more: nothing is compiled.</summary>
    private static string PublishDynamic(string project, string name)
    {
        File(name, "x64");
        return Publish(project, "linux-x64", name, isDynamic: true);
    }

    private static string Publish(string project, string runtime, string name, string instructionSet = "", bool isDynamic = false)
    {
        // Artifacts of their own: the build that runs these tests stays as it is.
        string artifacts = Path.Combine(TestData.Root, "artifacts", "published", $"{name}-{runtime}{instructionSet}"), output = Path.Combine(artifacts, isDynamic ? "dynamic" : "out");
        string[] link = isDynamic ? ["-p:StaticExecutable=false", $"-p:NativeOutputPath={artifacts}/dynamic-native/"] : name.EndsWith(".a", StringComparison.Ordinal) ? ["-p:NativeLib=Static"] : [];
        string[] cross = runtime == "linux-arm64"
            ? ["-p:CppCompilerAndLinker=clang", "-p:LinkerFlavor=lld", "-p:ObjCopyName=aarch64-linux-gnu-objcopy", "-p:SysRoot="]
            : instructionSet == "" ? [] : [$"-p:IlcInstructionSet={instructionSet}"];
        ProgramResult result = Tools.Run("dotnet",
            ["publish", Path.Combine(TestData.Root, project), "-c", "Release", "-r", runtime, "--artifacts-path", artifacts, "-o", output, "-nodeReuse:false", .. cross, .. link],
            start => ForgetThisBuild(start.Environment));
        Assert.True(result.ExitCode == 0, result.Output + result.Error);
        return Path.Combine(output, name);
    }
}
