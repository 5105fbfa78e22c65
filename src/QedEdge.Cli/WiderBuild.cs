using System.Runtime.Intrinsics.X86;
using QedEdge.Memory;

namespace QedEdge.Cli;

/// <summary>
/// The executable for x86-64-v4 beside this one: it runs in its place where the processor has what it needs, so that nobody has to know
/// (docs/decisions/0004-avx512.md).
/// </summary>
internal static class WiderBuild
{
    /// <summary>What its file is called more than this one's.</summary>
    private const string Suffix = "-v4";

    /// <summary>What it is compiled for, and what its kernels take; as Linux names them, which leaves out what it does not let programs use.</summary>
    private static readonly string[] Needed = [" avx512f ", " avx512bw ", " avx512cd ", " avx512dq ", " avx512vl ", " avx512_vnni "];

    private const int OneProcessor = 4096; // bytes that hold the first processor's features

    /// <summary>Runs it with the same arguments, where it is there and this one has no AVX-512 itself; returns otherwise.</summary>
    /// <param name="args">The arguments. A bundle is made of the executable that runs everywhere.</param>
    public static void Enter(string[] args)
    {
        if (!OperatingSystem.IsLinux() || !X86Base.IsSupported || Avx512F.IsSupported || args is ["bundle", ..] || Environment.ProcessPath is not { } path)
            return;
        string wider = path + Suffix;
        if (Environment.GetCommandLineArgs()[0] != wider && FileStatus.KindOf(wider) is not null && IsSupported()) // a link to this file would come back here
            Execution.Replace(wider, args);
    }

    private static bool IsSupported()
    {
        try
        {
            using FileStream file = new("/proc/cpuinfo", FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
            Span<byte> text = stackalloc byte[OneProcessor];
            string features = System.Text.Encoding.ASCII.GetString(text[..file.Read(text)]).Replace('\n', ' ');
            return Needed.All(features.Contains);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
