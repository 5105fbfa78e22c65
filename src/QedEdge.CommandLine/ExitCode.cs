namespace QedEdge.CommandLine;

/// <summary>Exit codes of the command-line contract.</summary>
public static class ExitCode
{
    /// <summary>All went well.</summary>
    public const int Done = 0;

    /// <summary>The run failed: the disk is full, the output exists.</summary>
    public const int Failed = 1;

    /// <summary>The command line makes no sense.</summary>
    public const int Usage = 2;

    /// <summary>The model or checkpoint cannot be used.</summary>
    public const int Model = 3;

    /// <summary>Ctrl-C, or another signal that ends a program.</summary>
    public const int Interrupted = 130;
}
