using QedEdge.CommandLine;
using QedEdge.Memory;

namespace QedEdge.Cli;

/// <summary>The option for a picture, page or report, and its file.</summary>
/// <param name="name">The option's name.</param>
/// <param name="ending">What the file's name ends with, where it has an ending: what is written is of that kind.</param>
/// <param name="description">What is written.</param>
/// <param name="or">Another ending, of another kind, or null.</param>
/// <param name="beside">Another output of the same command, whose --force is for both; or null.</param>
internal sealed class PictureOutput(string name, string ending, string description, string? or = null, PictureOutput? beside = null)
{
    private readonly TextOption _file = new(name)
    {
        ValueName = "FILE" + ending,
        Description = description,
        IsWritten = true,
        Check = path => Path.GetExtension(path) is var other && (other == "" || other.Equals(ending, StringComparison.OrdinalIgnoreCase) || other.Equals(or, StringComparison.OrdinalIgnoreCase))
            ? null
            : $"{name} writes {ending[1..].ToUpperInvariant()}{(or is null ? "" : " or " + or[1..].ToUpperInvariant())}: give it the name of a file that ends with {ending}{(or is null ? "" : " or " + or)}, not {other}",
    };
    private readonly Flag _force = beside?._force ?? new("--force") { Description = "Replace an existing output file" };

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        command.AddGroup(OptionGroups.Output, _file);
        if (beside is null)
            command.AddGroup(OptionGroups.Output, _force);
    }

    /// <summary>The file's name, or null where none was asked for.</summary>
    public string? Name(ParseResult parsed) => parsed.GetValue(_file);

    /// <summary>Fails early where the file could not be created.</summary>
    /// <exception cref="QedException">As <see cref="AtomicFile"/>.</exception>
    public void Check(ParseResult parsed)
    {
        if (parsed.GetValue(_file) is { } path)
            AtomicFile.Check(path, parsed.GetValue(_force));
    }

    /// <summary>Writes the file, where it was asked for; it appears whole or not at all.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="draw">Makes what is to be written.</param>
    /// <exception cref="QedException">It cannot be written.</exception>
    public void Write(ParseResult parsed, Func<Action<TextWriter>> draw)
    {
        if (parsed.GetValue(_file) is not { } path)
            return;
        Action<TextWriter> write = draw();
        using var file = new AtomicFile(path, parsed.GetValue(_force));
        file.Fill(stream =>
        {
            using var output = new StreamWriter(stream, leaveOpen: true); // UTF-8
            write(output);
        });
    }
}
