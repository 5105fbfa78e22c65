namespace QedEdge.Tests.Published;

/// <summary>What the command-line contract asks of every failure.</summary>
internal static class OneLine
{
    /// <summary>An exit code, nothing on stdout, and one line on stderr that is no stack trace.</summary>
    public static void AssertError(int exitCode, ProgramResult result)
    {
        Assert.True(exitCode == result.ExitCode, $"{result.ExitCode}: {result.Error}");
        Assert.Equal("", result.Output);
        Assert.StartsWith("error: ", result.Error);
        Assert.EndsWith("\n", result.Error);
        Assert.DoesNotContain('\n', result.Error[..^1]);
        Assert.DoesNotContain(result.Error, static c => char.IsControl(c) && c != '\n');
        Assert.DoesNotContain("Exception", result.Error);
        Assert.DoesNotContain("   at ", result.Error);
    }
}
