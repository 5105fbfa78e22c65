using System.Diagnostics;

namespace QedEdge.Tests;

/// <summary>What a finished program left behind. Whatever else a test looks at: an error that the programs did not think of fails it.</summary>
internal sealed record ProgramResult(int ExitCode, string Output, string Error)
{
    public string Error { get; init; } = Error.Contains("unexpected:", StringComparison.Ordinal) ? throw new InvalidOperationException(Error) : Error;
}

/// <summary>Programs outside .NET that some tests need: absent ones skip a test, unless QED_REQUIRE_TOOLS says that none may be absent.</summary>
internal static class Tools
{
    private static readonly bool Required = Environment.GetEnvironmentVariable("QED_REQUIRE_TOOLS") == "1";

    /// <summary>Skips the running test, with the reason, where a program or path is missing.</summary>
    public static void Require(params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
        {
            bool present = Path.IsPathRooted(name) ? Path.Exists(name) : Find(name) is not null;
            if (!present && Required)
                Assert.Fail($"'{name}' is not on this machine, and QED_REQUIRE_TOOLS asks for it");
            Assert.SkipUnless(present, $"'{name}' is not on this machine");
        }
    }

    /// <summary>Runs a program to its end.</summary>
    public static ProgramResult Run(string program, IEnumerable<string> arguments, Action<ProcessStartInfo>? configure = null)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        configure?.Invoke(start);
        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        Assert.True(process.WaitForExit(TimeSpan.FromMinutes(10)), $"{program} does not end");
        return new ProgramResult(process.ExitCode, output, error.Result);
    }

    private static string? Find(string name) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);
}
