using QedEdge.CommandLine;

namespace QedEdge.Tests.CommandLine;

/// <summary>What happens to a program becomes an exit code and at most one line.</summary>
public sealed class ShellTests
{
    private readonly List<string> _said = [];

    public static TheoryData<Exception, int, string> Errors => new()
    {
        { new UsageException("usage"), ExitCode.Usage, "usage" },
        { new OperationCanceledException(), ExitCode.Interrupted, "interrupted; nothing was written" },
        { new OutOfMemoryException(), ExitCode.Failed, "memory is short" },
        { new IOException("disk"), ExitCode.Failed, "disk" },
        { new UnauthorizedAccessException("access"), ExitCode.Failed, "access" },
        { new TypeInitializationException("T", new TypeInitializationException("U", new UsageException("inside"))), ExitCode.Usage, "inside" },
        { new FormatException("the program's own"), ExitCode.Model, "the program's own" },
        { new InvalidOperationException("x"), ExitCode.Failed, "unexpected: InvalidOperationException: x" },
    };

    [Theory]
    [MemberData(nameof(Errors), DisableDiscoveryEnumeration = true)]
    public void AnError_IsAnExitCodeAndALine(Exception error, int exitCode, string line)
    {
        Assert.Equal(exitCode, Create(_said.Add).Run(() => throw error));
        Assert.Equal([line], _said);
    }

    [Theory]
    [InlineData(-1, 999)]
    [InlineData(0, 1000)]
    [InlineData(1, 1000)]
    public void ALongMessage_LosesItsMiddle(int beyond, int said)
    {
        Create(_said.Add).Run(() => throw new UsageException($"'{new string('x', 1000 + beyond - 6)}' end"));
        Assert.Equal(said, _said.Single().Length);
        Assert.Equal(beyond > 0, _said[0].Contains('…'));
        Assert.EndsWith("x' end", _said[0]);
    }

    [Fact]
    public void WhatTheProgramReturns_IsTheExitCode()
    {
        Assert.Equal(7, Create(_said.Add).Run(() => 7));
        Assert.Empty(_said);
    }

    [Fact]
    public void AReaderThatHasGone_IsNoFailure()
    {
        Assert.Equal(ExitCode.Done, Create(_said.Add).Run(() => throw new IOException("Broken pipe", 32)));
        Assert.Empty(_said);
    }

    [Fact]
    public void WhereNothingCanBeSaid_TheExitCodeRemains() => Assert.Equal(ExitCode.Failed, Create(_ => throw new IOException()).Run(() => throw new IOException("disk")));

    private static Shell Create(Action<string> say) => new(e => e is FormatException ? new Failure(ExitCode.Model, e.Message) : null, say);
}
