namespace QedEdge.Cli.LineEditing;

/// <summary>What somebody presses, by what it does.</summary>
internal enum Key
{
    /// <summary>Characters to be inserted: <see cref="KeyDecoder.Text"/>.</summary>
    Text,
    Enter,
    Left,
    Right,
    WordLeft,
    WordRight,
    Up,
    Down,
    Home,
    End,
    Backspace,
    Delete,
    DeleteToEnd,
    DeleteToStart,
    DeleteWordLeft,
    DeleteWordRight,
    ClearScreen,

    /// <summary>Ctrl-C.</summary>
    Interrupt,

    /// <summary>Ctrl-D: the end where nothing is typed, else as <see cref="Delete"/>.</summary>
    EndOfInput,

    /// <summary>Ctrl-Z.</summary>
    Suspend,
}
