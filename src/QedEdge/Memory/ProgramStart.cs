namespace QedEdge.Memory;

/// <summary>What a program, and no library, does to its process before anything else.</summary>
internal static class ProgramStart
{
    /// <summary>Takes the numbers of closed standard streams, and makes errors of the signals for a file that may not grow and a mapping that was cut off.</summary>
    public static void Prepare()
    {
        StandardStreams.KeepClosedOnesTaken(); // before anything opens a file, as the next lines do
        FileSizeLimit.BecomeAnError();
        MappingFaults.EndTheProgram();
    }
}
