using System.Runtime.Intrinsics.X86;
using QedEdge.Kernels;
using QedEdge.Kernels.X86;

namespace QedEdge.Tests.Kernels;

/// <summary>Kernel sets to compare.</summary>
internal static class TestKernels
{
    /// <summary>Those of this processor, slowest first, and both forms of those that it has in one: with the dot product of bytes, emulated, and without.</summary>
    public static IReadOnlyList<(string Name, KernelSet Set)> All { get; } =
    [
        .. KernelRegistry.Available.Reverse().Select(set => (set.Name, set)),
        .. Avx2.IsSupported ? [("avx2, emulated VNNI", new Avx2Kernels<EmulatedVnniDot>())] : Array.Empty<(string, KernelSet)>(),
        .. Avx512BW.IsSupported ? [("avx512 without VNNI", new Avx512Kernels<WidePairs>()), ("avx512 with VNNI", new Avx512Kernels<WideVnni>())] : Array.Empty<(string, KernelSet)>(),
    ];
}
