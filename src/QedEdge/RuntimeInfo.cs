using System.Runtime;
using QedEdge.Kernels;
using QedEdge.Threading;

namespace QedEdge;

/// <summary>What the library found on this machine and chose.</summary>
/// <param name="InstructionSet">The kernel set in use.</param>
/// <param name="AvailableInstructionSets">All sets this processor and build can run, fastest first.</param>
/// <param name="ProcessorFeatures">Processor features that matter to the kernels, as this build sees them.</param>
/// <param name="Threads">Threads a session uses unless told otherwise.</param>
/// <param name="IsNativeCode">Whether the program was compiled ahead of time.</param>
public sealed record RuntimeInfo(string InstructionSet, IReadOnlyList<string> AvailableInstructionSets, IReadOnlyList<string> ProcessorFeatures, int Threads, bool IsNativeCode)
{
    /// <summary>Features that the processor has, whether this build uses them or not.</summary>
    public IReadOnlyList<string> MachineFeatures { get; init; } = [];

    /// <summary>Looks at this machine.</summary>
    /// <param name="instructionSet">A kernel set by name, or null for the fastest.</param>
    /// <exception cref="QedException">The set is unknown or not available.</exception>
    public static RuntimeInfo Detect(string? instructionSet = null) => new(
        KernelRegistry.Select(instructionSet).Name,
        [.. KernelRegistry.Available.Select(set => set.Name)],
        KernelRegistry.ProcessorFeatures(),
        ProcessorInfo.PhysicalCores,
        JitInfo.GetCompiledMethodCount() == 0)
    {
        MachineFeatures = KernelRegistry.MachineFeatures(),
    };
}
