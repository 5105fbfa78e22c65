using System.Diagnostics;

namespace QedEdge.Tests.Published;

/// <summary>A terminal with a screen that can be looked at, typed into and resized: tmux's.</summary>
internal sealed class TmuxTerminal : IDisposable
{
    private readonly string _socket;

    /// <param name="folder">Where the command runs, and the terminal's own files are.</param>
    /// <param name="command">What a shell runs in it; the screen stays when it has ended.</param>
    /// <param name="columns">Columns.</param>
    /// <param name="rows">Rows.</param>
    public TmuxTerminal(string folder, string command, int columns = 80, int rows = 24)
    {
        Tools.Require("tmux");
        _socket = Path.Combine(folder, $"tmux-{Guid.NewGuid():N}"); // the server of another may not be gone yet
        string script = Path.Combine(folder, "run.sh");
        // A Ctrl-C that ends the command does not end the shell. What is printed behind it says that the command has ended; how it left the terminal is written by then.
        File.WriteAllText(script, $"trap : INT\nstty -g >before\n{command}\ncode=$?\nstty -g >after\necho \"exit $code\"\necho done\nsleep 600\n");
        Tmux("-f", "/dev/null", "-u", "new-session", "-d", "-x", $"{columns}", "-y", $"{rows}", $"cd {folder}; exec bash {script}");
    }

    /// <summary>All rows, joined by line ends, without those at the end that are empty.</summary>
    public string Screen => Tmux("capture-pane", "-p").TrimEnd('\n');

    /// <summary>As <see cref="Screen"/>, with all that has left it at the top.</summary>
    public string All => Tmux("capture-pane", "-p", "-S", "-").TrimEnd('\n');

    /// <summary>The cursor's row and column.</summary>
    public string Cursor => Tmux("display-message", "-p", "#{cursor_y},#{cursor_x}").TrimEnd('\n');

    /// <summary>Types text.</summary>
    public void Type(string text) => Tmux("send-keys", "-l", text);

    /// <summary>Presses keys by tmux's names: Left, C-a, M-b, Enter.</summary>
    public void Press(params string[] keys) => Tmux(["send-keys", .. keys]);

    /// <summary>Pastes text, between marks where the program asks for them.</summary>
    public void Paste(string text)
    {
        Tmux("set-buffer", text);
        Tmux("paste-buffer", "-p");
    }

    /// <summary>Gives the terminal another size.</summary>
    public void Resize(int columns, int rows) => Tmux("resize-window", "-x", $"{columns}", "-y", $"{rows}");

    /// <summary>Waits until something stands at the end of the screen.</summary>
    public void WaitForEnd(string expected) => WaitFor(screen => screen.EndsWith(expected, StringComparison.Ordinal), expected);

    /// <summary>Waits until something stands on the screen.</summary>
    public void WaitFor(string expected) => WaitFor(screen => screen.Contains(expected, StringComparison.Ordinal), expected);

    public void Dispose() => Tmux("kill-server");

    private void WaitFor(Func<string, bool> isThere, string expected)
    {
        long start = Stopwatch.GetTimestamp();
        string screen;
        while (!isThere(screen = Screen))
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromMinutes(1), $"'{expected}' does not appear:\n{screen}");
            Thread.Sleep(20);
        }
    }

    private string Tmux(params string[] arguments)
    {
        ProgramResult result = Tools.Run("tmux", ["-S", _socket, .. arguments]);
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        return result.Output;
    }
}
