using System.Diagnostics.CodeAnalysis;

namespace QedEdge;

/// <summary>What a build leaves out. The ahead-of-time compiler takes these for constants and drops what they exclude.</summary>
internal static class Features
{
    /// <summary>
    /// Only what a model in int4 needs that qed-convert packed: matrices in q4_0 and q8_0, keys and values in q8_0, the kernels that this processor is meant for. Set by the
    /// runtime configuration option "QedEdge.Int4Only", as <c>-p:QedProfile=Tiny</c> does for the executable.
    /// </summary>
    [FeatureSwitchDefinition("QedEdge.Int4Only")]
    public static bool Int4Only => AppContext.TryGetSwitch("QedEdge.Int4Only", out bool only) && only;
}
