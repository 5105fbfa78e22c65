namespace QedEdge.Tests.Published;

/// <summary>Runs an executable and asks the kernel how much memory it held at most.</summary>
internal static class PeakMemory
{
    // wait4 is call 61 on x64; its rusage has ru_maxrss, in KB, 32 bytes in. Perl is part of every Debian, and what it forks is small.
    private const string Script = """
        $child = fork // die;
        if (!$child) { exec { $ARGV[0] } @ARGV or die }
        $status = pack "i", 0;
        $usage = "\0" x 144;
        syscall 61, $child, $status, 0, $usage;
        print "\n", unpack "x32 q", $usage;
        $status = unpack "i", $status;
        exit($status & 127 ? 128 + ($status & 127) : $status >> 8);
        """;

    /// <summary>The program's result and the bytes that it had resident at most, mapped files included.</summary>
    public static (ProgramResult Result, long Bytes) Run(string program, params string[] arguments)
    {
        Tools.Require("perl");
        ProgramResult result = Tools.Run("perl", ["-e", Script, "--", program, .. arguments]);
        int end = result.Output.LastIndexOf('\n');
        return (result with { Output = result.Output[..end] }, 1024 * long.Parse(result.Output[(end + 1)..]));
    }
}
