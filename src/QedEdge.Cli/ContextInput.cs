using QedEdge.CommandLine;

namespace QedEdge.Cli;

/// <summary>The options that say what happens beyond the context.</summary>
internal sealed class ContextInput(string overflow)
{
    private readonly TextOption _overflow = new("--overflow") { ValueName = "HOW", Description = "When the context is full: stop, or slide: forget the oldest tokens and go on", Words = ["stop", "slide"], Default = overflow };
    private readonly IntegerOption _sinks = new("--sinks") { ValueName = "N", Description = "First tokens that --overflow slide keeps (default: 4)" };

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command) => command.AddGroup(OptionGroups.Machine, _overflow, _sinks);

    /// <summary>Whether what is too long for the context slides through it.</summary>
    public bool Slides(ParseResult parsed) => parsed.GetValue(_overflow) == "slide";

    /// <summary>A session's options with these.</summary>
    /// <exception cref="UsageException">They contradict each other.</exception>
    public SessionOptions Apply(ParseResult parsed, SessionOptions options)
    {
        bool slides = Slides(parsed);
        if (!slides && parsed.GetValue(_sinks) is not null)
            throw new UsageException("--sinks goes with --overflow slide");
        return options with { Overflow = slides ? ContextOverflow.Slide : ContextOverflow.Stop, Sinks = parsed.GetValue(_sinks) };
    }
}
