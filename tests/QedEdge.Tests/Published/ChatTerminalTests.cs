namespace QedEdge.Tests.Published;

/// <summary>qed chat on a terminal with a screen: what is typed there, how it is shown, and how the terminal is left.</summary>
public sealed class ChatTerminalTests : IDisposable
{
    private const string Answers = "chat --greedy -n 1 -t 1", GoesOn = "chat --seed 1 -n 100000 --ignore-eos -t 1 --isa scalar";

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    private string History => Path.Combine(_folder, "state", "qed", "chat-history");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Keys_EditTheLine()
    {
        using TmuxTerminal terminal = Start(Answers);
        terminal.WaitForEnd("\n>");
        Steps(terminal,
            ("one three", "> one three"), ("<C-Left>", "> one three"), ("two ", "> one two three"), ("<Home>", "> one two three"), ("<Delete>", "> ne two three"), ("O", "> One two three"),
            ("<End>", "> One two three"), ("!漢字😀", "> One two three!漢字😀"), ("<Left>", "> One two three!漢字😀"), ("<BSpace>", "> One two three!漢😀"));
        Assert.Equal("1,18", terminal.Cursor); // a wide character takes two columns
        Steps(terminal,
            ("e\u0301", "> One two three!漢e\u0301😀"), ("<C-e>", "> One two three!漢e\u0301😀"), ("<BSpace>", "> One two three!漢e\u0301"), ("<BSpace>", "> One two three!漢e"),
            ("<C-w>", "> One two"), ("<M-b>", "> One two"), ("<C-k>", "> One"), ("<C-u>", ">"), ("/status", "> /status"), ("<C-b>", "> /status"), ("<C-f>", "> /status"), ("<C-a>", "> /status"), ("<Enter>", "0 %)\n>"));
        Assert.Contains("> /status\n0 messages, ", terminal.Screen);
        terminal.Press("C-d");
        terminal.WaitFor("exit 0");
    }

    [Fact]
    public void WhatWasTyped_ComesBackInTheNextSession()
    {
        using (TmuxTerminal first = Start(Answers))
        {
            first.WaitForEnd("\n>");
            Steps(first, ("Hello", "> Hello"), ("<Enter>", "\n>"), ("/exit", "> /exit"));
            first.Press("Enter");
            first.WaitFor("exit 0");
        }
        Assert.Equal("Hello\n/exit\n", File.ReadAllText(History));
        Assert.Equal("-rw-------", Tools.Run("stat", ["-c", "%A", History]).Output.Trim());
        using TmuxTerminal second = Start(Answers);
        second.WaitForEnd("\n>");
        Steps(second, ("dra", "> dra"), ("<Up>", "> /exit"), ("<Up>", "> Hello"), ("<Up>", "> Hello"), ("<Down>", "> /exit"), ("<Down>", "> dra"), ("ft", "> draft"), ("<C-c>", "ends)\n>"));
        second.Press("C-d");
        second.WaitFor("exit 0");
    }

    [Fact]
    public void ASessionWithoutHistory_LeavesNone()
    {
        using TmuxTerminal terminal = Start(Answers + " --no-history");
        terminal.WaitForEnd("\n>");
        Steps(terminal, ("/reset", "> /reset"), ("<Enter>", "\n>"), ("<Up>", "> /reset"), ("<C-u>", "\n>"), ("<C-d>", "done"));
        Assert.False(File.Exists(History));
    }

    [Fact]
    public void APaste_IsOneMessage()
    {
        using TmuxTerminal terminal = Start(Answers);
        terminal.WaitForEnd("\n>");
        terminal.Paste("/first line\nsecond\n");
        terminal.WaitForEnd("> /first line\n… second\n…");
        Steps(terminal, ("<BSpace>", "… second"), ("!", "… second!"), ("<Up>", "… second!"), ("?", "> /first ?line\n… second!"));
        terminal.Press("Enter");
        terminal.WaitForEnd("\n>");
        Steps(terminal, ("/status", "> /status"), ("<Enter>", ")\n>"));
        Assert.Contains("2 messages, ", terminal.Screen); // the paste and its answer: no command, and no two lines
        terminal.Press("Up", "Up");
        terminal.WaitForEnd("> /first ?line\n… second!");
        terminal.Press("C-c");
        terminal.WaitForEnd("ends)\n>");
    }

    [Fact]
    public void AResize_ShowsAllAgain()
    {
        const string text = "/TheQuickBrownFoxJumpsOverTheLazyDog,And漢字Too;ThenItSleepsUntilTheEveningComes,AndWhenItHasComeItGoesOn.";
        using TmuxTerminal terminal = Start(Answers, columns: 60);
        terminal.WaitForEnd("\n>");
        terminal.Type(text);
        foreach (int columns in new[] { 60, 30, 100, 25, 60 })
        {
            terminal.Resize(columns, 20);
            terminal.WaitForEnd("\n" + LastRow("> " + text, columns - 1));
            string screen = terminal.Screen;
            Assert.Equal("> " + text, screen[screen.LastIndexOf("> /The", StringComparison.Ordinal)..].Replace("\n", ""));
            Assert.Contains("besidesmessages,Ctrl-Dends", terminal.All.Replace("\n", "").Replace(" ", "")); // what stood above is there still, however it is broken
        }
        terminal.Press("C-a");
        terminal.Type("x");
        terminal.WaitFor("> x/The");
        terminal.Press("BSpace", "Enter");
        terminal.WaitFor("error: unknown: /The");
    }

    [Fact]
    public void CtrlC_StopsAnAnswer_ClearsTheLine_AndLeavesTheSecondTime()
    {
        using TmuxTerminal terminal = Start(GoesOn);
        terminal.WaitForEnd("\n>");
        Steps(terminal, ("Hello", "> Hello"), ("<Enter>", "a")); // some of the answer
        Steps(terminal, ("<C-c>", "\n>"), ("abc", "> abc"), ("<C-c>", "> abc^C\n(Ctrl-C again or Ctrl-D ends)\n>"), ("x", "> x"), ("<C-c>", "ends)\n>")); // another key between: the first time again
        terminal.Press("C-c");
        terminal.WaitForEnd("> ^C\nexit 130\ndone");
        AssertLeftAsFound();
    }

    /// <summary>The Ctrl-C that stops an answer is the first of two, also where lines are not edited.</summary>
    [Theory]
    [InlineData("", "> ^C\nexit 130\ndone")]
    [InlineData("TERM=dumb", "exit 130\ndone")]
    public void CtrlC_TwiceInAnAnswer_Leaves(string setting, string end)
    {
        using TmuxTerminal terminal = Start(GoesOn, setting: setting);
        terminal.WaitForEnd("\n>");
        Steps(terminal, ("Hello", "> Hello"), ("<Enter>", "a"), ("<C-c>", "\n>"), ("<C-c>", end));
        AssertLeftAsFound();
    }

    [Fact]
    public void CtrlC_Twice_LeavesWhereLinesAreNotEdited()
    {
        using TmuxTerminal terminal = Start(Answers, setting: "TERM=dumb");
        terminal.WaitForEnd("\n>");
        Steps(terminal, ("<C-c>", "(Ctrl-C again or Ctrl-D ends)\n>"), ("/status", "> /status"), ("<Enter>", ")\n>"), ("<C-c>", "ends)\n>"), ("<C-c>", "done"));
        Assert.Contains("> ^Cexit 130\n", terminal.Screen); // ended by the signal itself
    }

    /// <summary>In an answer too, whose signals end it.</summary>
    [Theory]
    [InlineData("/exit", null, "exit 0")]
    [InlineData("<C-d>", null, "exit 0")]
    [InlineData("half a line", "TERM", "exit 143")]
    [InlineData("", "HUP", "exit 129")]
    [InlineData("Hello\n", "TERM", "exit 130")]
    [InlineData("Hello\n", "ABRT", "exit 134")] // as when a thread of the model fails
    public void TheTerminal_IsLeftAsItWasFound(string keys, string? signal, string exit)
    {
        using TmuxTerminal terminal = Start(GoesOn);
        terminal.WaitForEnd("\n>");
        if (keys.StartsWith('<'))
            terminal.Press(keys.Trim('<', '>'));
        else
            terminal.Type(keys.TrimEnd('\n'));
        if (keys.EndsWith('\n') || signal is null)
            terminal.Press("Enter");
        if (keys.EndsWith('\n'))
            terminal.WaitForEnd("a");
        else if (signal is not null)
            terminal.WaitForEnd(("> " + keys).TrimEnd());
        if (signal is not null)
            Assert.Equal(0, Tools.Run("kill", [$"-{signal}", File.ReadAllText(Path.Combine(_folder, "pid")).Trim()]).ExitCode);
        terminal.WaitFor("done");
        Assert.Contains("\n" + exit, terminal.Screen);
        AssertLeftAsFound();
    }

    [Fact]
    public void CtrlZ_StopsTheJob_WhichGoesOnWhereItWas()
    {
        using var terminal = new TmuxTerminal(_folder, $"PS1='$ ' exec env XDG_STATE_HOME={_folder}/state bash --norc -i");
        terminal.WaitForEnd("$");
        terminal.Type($"{PublishedPrograms.File("qed", "x64")} {Answers}");
        terminal.Press("Enter");
        terminal.WaitForEnd("\n>");
        Steps(terminal, ("some words", "> some words"), ("<C-Left>", "> some words"));
        terminal.Press("C-z");
        terminal.WaitForEnd("$");
        Assert.Contains("> some words^Z\n", terminal.Screen);
        terminal.Type("fg");
        terminal.Press("Enter");
        terminal.WaitForEnd("\n> some words");
        Steps(terminal, ("more ", "> some more words"), ("<C-c>", "ends)\n>"));
        terminal.Press("C-d");
        terminal.WaitForEnd("$");
    }

    [Fact]
    public void ATerminalThatCanDoNothing_GivesLines()
    {
        using TmuxTerminal terminal = Start(Answers, setting: "TERM=dumb");
        terminal.WaitForEnd("\n>");
        Steps(terminal, ("/status", "> /status"), ("<Enter>", ")\n>"));
        Assert.False(File.Exists(History));
        terminal.Press("C-d");
        terminal.WaitFor("exit 0");
        AssertLeftAsFound();
    }

    private TmuxTerminal Start(string arguments, int columns = 80, string setting = "") =>
        new(_folder, $"(echo $BASHPID >pid; exec env --default-signal {setting} XDG_STATE_HOME={_folder}/state {PublishedPrograms.File("qed", "x64")} {arguments})", columns);

    /// <summary>Types text, or presses a key, and waits for what the screen ends with.</summary>
    private static void Steps(TmuxTerminal terminal, params ReadOnlySpan<(string Keys, string Shown)> steps)
    {
        foreach ((string keys, string shown) in steps)
        {
            if (keys is ['<', .., '>'])
                terminal.Press(keys[1..^1]);
            else
                terminal.Type(keys);
            terminal.WaitForEnd(shown);
        }
    }

    private void AssertLeftAsFound() => Assert.Equal(File.ReadAllText(Path.Combine(_folder, "before")), File.ReadAllText(Path.Combine(_folder, "after")));

    private static string LastRow(string text, int columns)
    {
        int width = 0, begin = 0;
        for (int i = 0; i < text.Length; i++)
        {
            int unit = text[i] > 0x2000 ? 2 : 1;
            if (width + unit > columns)
                (width, begin) = (0, i);
            width += unit;
        }
        return text[begin..];
    }
}
