namespace QedEdge.Cli.LineEditing;

/// <summary>What was typed before, to go back to.</summary>
internal sealed class LineHistory
{
    private readonly List<string> _lines;
    private int _at;
    private string _typed = ""; // where one came from

    /// <param name="lines">Those of earlier sessions, the last one last.</param>
    public LineHistory(IEnumerable<string> lines)
    {
        _lines = [.. lines];
        _at = _lines.Count;
    }

    /// <summary>Takes what was typed, and is at the end again. What is empty or the same as before is not kept; returns whether it was.</summary>
    public bool Add(string line)
    {
        bool keep = line.Length > 0 && (_lines.Count == 0 || _lines[^1] != line);
        if (keep)
            _lines.Add(line);
        _at = _lines.Count;
        return keep;
    }

    /// <summary>The line before, or null where there is none.</summary>
    /// <param name="typed">What is being typed.</param>
    public string? Back(string typed)
    {
        if (_at == 0)
            return null;
        if (_at == _lines.Count)
            _typed = typed;
        return _lines[--_at];
    }

    /// <summary>The line behind, at last what was being typed; null where one is there.</summary>
    public string? Forward()
    {
        if (_at == _lines.Count)
            return null;
        return ++_at == _lines.Count ? _typed : _lines[_at];
    }

    /// <summary>Goes to the end.</summary>
    public void GoToEnd() => _at = _lines.Count;
}
