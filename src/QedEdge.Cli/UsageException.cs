namespace QedEdge.Cli;

/// <summary>Options or arguments that cannot be used, found after parsing.</summary>
internal sealed class UsageException(string message) : Exception(message);
