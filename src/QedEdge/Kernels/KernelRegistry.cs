using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using QedEdge.Kernels.Arm;
using QedEdge.Kernels.X86;

namespace QedEdge.Kernels;

/// <summary>The kernel sets that this processor can run, fastest first; <c>--isa</c> or <c>QED_ISA</c> forces one by name.</summary>
internal static class KernelRegistry
{
    /// <summary>The variable that forces a set for every model of the process.</summary>
    public const string Variable = "QED_ISA";

    private static readonly string[] KnownNames = ["avx512", "avxvnni", "avx2", "neon-dp", "neon", "scalar"];

    /// <summary>Every set this processor can run, fastest first.</summary>
    public static IReadOnlyList<KernelSet> Available { get; } = Discover();

    /// <summary>The set of a name, or the fastest for null and "auto".</summary>
    /// <exception cref="InvalidOptionException">The name is unknown, or this processor or build cannot run the set.</exception>
    public static KernelSet Select(string? name)
    {
        name ??= Environment.GetEnvironmentVariable(Variable);
        if (string.IsNullOrEmpty(name) || name == "auto")
            return Available[0];
        foreach (KernelSet set in Available)
        {
            if (set.Name == name)
                return set;
        }
        string available = string.Join(", ", Available.Select(s => s.Name));
        throw new InvalidOptionException(KnownNames.Contains(name)
            ? $"instruction set '{name}' is not available on this processor or in this build; available: {available}"
            : $"unknown instruction set '{name}'; available: auto, {available}");
    }

    /// <summary>The features kernels ask for, as this build sees them: what the baseline leaves out reads as absent.</summary>
    public static IReadOnlyList<string> ProcessorFeatures()
    {
        (string Name, bool Present)[] features =
        [
            ("avx2", Avx2.IsSupported), ("fma", Fma.IsSupported), ("avxvnni", AvxVnni.IsSupported), ("avx512bw", Avx512BW.IsSupported),
            ("avx512vnni", WideVnni.IsSupported), ("neon", AdvSimd.IsSupported), ("dotprod", Dp.IsSupported),
        ];
        return [.. features.Where(f => f.Present).Select(f => f.Name)];
    }

    /// <summary>The features that the processor has, whether this build uses them or not; on other processors than x64 those that the build sees.</summary>
    public static IReadOnlyList<string> MachineFeatures()
    {
        if (!X86Base.IsSupported)
            return ProcessorFeatures();
        (int most, _, _, _) = X86Base.CpuId(0, 0);
        (_, _, int basic, _) = X86Base.CpuId(1, 0);
        (int leaves, int extended, int more, _) = most >= 7 ? X86Base.CpuId(7, 0) : default;
        (int newest, _, _, _) = leaves >= 1 ? X86Base.CpuId(7, 1) : default;
        const int Avx512 = 1 << 16 | 1 << 17 | 1 << 28 | 1 << 30 | 1 << 31; // F, DQ, CD, BW, VL: all that x86-64-v4 asks for
        (string Name, bool Present)[] features =
        [
            ("avx2", Has(extended, 1 << 5)), ("fma", Has(basic, 1 << 12)), ("avxvnni", Has(newest, 1 << 4)), ("avx512bw", Has(extended, Avx512)), ("avx512vnni", Has(more, 1 << 11)),
        ];
        return [.. features.Where(f => f.Present).Select(f => f.Name)];

        static bool Has(int register, int bits) => (register & bits) == bits;
    }

    private static List<KernelSet> Discover()
    {
        var sets = new List<KernelSet>();
        if (Avx2.IsSupported && Fma.IsSupported)
        {
            if (Avx512F.IsSupported && Avx512BW.IsSupported)
                sets.Add(WideVnni.IsSupported ? new Avx512Kernels<WideVnni>() : new Avx512Kernels<WidePairs>());
            // One instruction instead of three per four products of a lane.
            if (AvxVnni.IsSupported)
                sets.Add(new Avx2Kernels<AvxVnniDot>());
            sets.Add(new Avx2Kernels<Avx2Dot>());
        }
        if (AdvSimd.Arm64.IsSupported)
        {
            if (Dp.IsSupported)
                sets.Add(new NeonKernels<DotProductDot>());
            sets.Add(new NeonKernels<WideningDot>());
        }
        sets.Add(new ScalarKernels());
        return sets;
    }
}
