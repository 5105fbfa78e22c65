namespace QedEdge.Cli.LineEditing;

/// <summary>How an edit came to a stop.</summary>
internal enum EditStop
{
    /// <summary>All keys are used up.</summary>
    NoKeys,

    /// <summary>The text is entered.</summary>
    Entered,

    /// <summary>Ctrl-C.</summary>
    Interrupted,

    /// <summary>Ctrl-D where nothing is typed.</summary>
    Ended,

    /// <summary>Ctrl-Z.</summary>
    Suspended,

    /// <summary>Ctrl-L.</summary>
    Cleared,
}

/// <summary>Types a text: keys in, text and place out. Knows no terminal.</summary>
/// <param name="history">What was typed before.</param>
internal sealed class LineEditor(LineHistory history)
{
    /// <summary>The text so far.</summary>
    public EditBuffer Buffer { get; } = new();

    /// <summary>Whether a key was used since <see cref="Begin"/>.</summary>
    public bool IsUsed { get; private set; }

    /// <summary>Begins a new text.</summary>
    public void Begin()
    {
        Buffer.Set("");
        history.GoToEnd();
        IsUsed = false;
    }

    /// <summary>Uses keys up to one that stops.</summary>
    public EditStop Apply(KeyDecoder keys)
    {
        while (keys.TryRead(out Key key))
        {
            switch (key)
            {
                case Key.Interrupt:
                    return EditStop.Interrupted;
                case Key.Enter:
                    Buffer.GoToEnd();
                    return EditStop.Entered;
                case Key.EndOfInput when Buffer.Text.Length == 0:
                    return EditStop.Ended;
                case Key.Suspend:
                    return EditStop.Suspended;
                case Key.ClearScreen:
                    return EditStop.Cleared;
            }
            IsUsed = true;
            if (key == Key.Text)
                Buffer.Insert(keys.Text);
            else if (!Buffer.Apply(key == Key.EndOfInput ? Key.Delete : key) && (key == Key.Up ? history.Back(Buffer.Text) : history.Forward()) is { } other)
                Buffer.Set(other);
        }
        return EditStop.NoKeys;
    }
}
