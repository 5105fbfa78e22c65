namespace QedEdge.Native;

/// <summary>Results of functions, <c>enum qed_status</c>.</summary>
internal enum Status
{
    Ok = 0,
    Argument = -1,
    Handle = -2,
    Busy = -3,
    Model = -4,
    Context = -5,
    State = -6,
    Failed = -7,
    Memory = -8,
    Version = -9,
    Internal = -10,
    Cancelled = -11,
}

/// <summary>A failure that this layer finds itself.</summary>
internal sealed class StatusException(Status status, string message) : Exception(message)
{
    public Status Status { get; } = status;
}
