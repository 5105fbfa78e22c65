namespace QedEdge.Cli;

/// <summary>Headings of the help.</summary>
internal static class OptionGroups
{
    public const string Conversation = "Conversation", Sampling = "Sampling", Output = "Output", Machine = "Model and machine";
}
