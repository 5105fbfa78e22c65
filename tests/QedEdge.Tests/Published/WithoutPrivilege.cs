namespace QedEdge.Tests.Published;

/// <summary>Runs an executable so that files' permissions count, also where the superuser runs the tests.</summary>
internal static class WithoutPrivilege
{
    private static readonly string[] Dropped = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"];

    /// <summary>Takes permissions away with a command, then runs the program; skips the test where the superuser cannot drop privileges.</summary>
    public static ProgramResult Run(string[] takeAway, string program, params string[] arguments)
    {
        ProgramResult taken = Tools.Run(takeAway[0], takeAway[1..]);
        Assert.True(taken.ExitCode == 0, taken.Error);
        if (!Environment.IsPrivilegedProcess)
            return Tools.Run(program, arguments);
        Tools.Require(Dropped[0]);
        ProgramResult tried = Tools.Run(Dropped[0], [.. Dropped[1..], "true"]);
        Assert.SkipUnless(tried.ExitCode == 0, $"privileges cannot be dropped here: {tried.Error}");
        return Tools.Run(Dropped[0], [.. Dropped[1..], program, .. arguments]);
    }
}
