namespace QedEdge.CommandLine;

/// <summary>Options or arguments that cannot be used.</summary>
public sealed class UsageException(string message, Exception? inner = null) : Exception(message, inner);
