using System.Text;
using System.Text.RegularExpressions;
using QedEdge.Constraints;

namespace QedEdge.Tests.Constraints;

/// <summary>Regular expressions as automata over bytes.</summary>
public sealed class RegexTests
{
    private const int Patterns = 600, Texts = 40;

    /// <summary>.NET's engine says the same of random texts, and of what the automaton itself leads to.</summary>
    [Fact]
    public void RandomPatterns_MatchWhatTheOracleMatches()
    {
        var random = new Random(5);
        int matches = 0;
        for (int i = 0; i < Patterns; i++)
        {
            string pattern = RandomPattern.Pattern(random);
            var oracle = new Regex($@"\A(?:{pattern})\z", RegexOptions.ECMAScript | RegexOptions.CultureInvariant, TimeSpan.FromSeconds(5));
            Automaton automaton = Constraint.Regex(pattern).Automaton();
            for (int j = 0; j < Texts; j++)
            {
                string text = RandomPattern.Text(random);
                bool expected = oracle.IsMatch(text);
                Assert.True(expected == Accepts(automaton, Encoding.UTF8.GetBytes(text)), $"{pattern} and '{text}'");
                matches += expected ? 1 : 0;
            }
            if (Walk(automaton, random) is { } walked && !walked.Any(c => char.IsSurrogate(c) || c is '\u0130' or '\uFEFF' || (c > 0x7F && char.IsWhiteSpace(c)))) // there a dot is half a pair, white space is ASCII, and \u0130 a letter
                Assert.True(oracle.IsMatch(walked), $"{pattern} and '{walked}'");
        }
        Assert.True(matches > Patterns, $"{matches}");
    }

    [Theory]
    [InlineData(@"^\d{4}-\d{2}$", "2026-11", "2026-1", "x2026-11")]
    [InlineData("^a|b$", "a", "ab", "")]
    [InlineData("[😀-😂]", "😁", "😃", "")]
    [InlineData(@"\ud83d\ude00|\x{1F601}|\u{1F602}", "😁", "😃", "\ud83d")]
    [InlineData(@"[^\x00-\x{10FFFF}]|x", "x", "y", "")]
    [InlineData(@"{""a"":[01]}", @"{""a"":1}", @"{""a"":2}", "")]
    [InlineData(@"a{,2}", "a{,2}", "aa", "")]
    [InlineData(@"(?<year>\d)\/", "1/", "1", "/")]
    [InlineData(@"[\b\]\-]*", "\b]-", "b", "\\")]
    [InlineData(@".\0", "x\0", "\n\0", "\u2028\0")]
    public void ATextThatMatches_AndTwoThatDoNot(string pattern, string matches, string other, string third)
    {
        Automaton automaton = Constraint.Regex(pattern).Automaton();
        Assert.True(Accepts(automaton, Encoding.UTF8.GetBytes(matches)));
        Assert.False(Accepts(automaton, Encoding.UTF8.GetBytes(other)));
        Assert.False(Accepts(automaton, Encoding.UTF8.GetBytes(third)));
    }

    [Theory]
    [InlineData("abc", "xabcx", true)]
    [InlineData("^abc", "abcx", true)]
    [InlineData("^abc", "xabc", false)]
    [InlineData("abc$|^x", "xy", true)]
    [InlineData("abc$|^x", "yabcy", false)]
    public void ASearch_NeedOnlyBeContained(string pattern, string text, bool expected)
    {
        Span<bool> bytes = stackalloc bool[256];
        bytes.Fill(true);
        Assert.Equal(expected, Accepts(new Automaton(ProgramBuilder.Build(RegexParser.Parse(pattern, search: true)), bytes), Encoding.UTF8.GetBytes(text)));
    }

    /// <summary>Every scalar value and every other sequence of bytes: what a dot takes is the well-formed UTF-8, whole.</summary>
    [Fact]
    public void CharactersOfAllLengths_AreWellFormed()
    {
        Automaton automaton = Constraint.Regex(@"[\s\S]").Automaton();
        var bytes = new byte[4];
        for (int scalar = 0; scalar < ScalarSet.End; scalar += scalar is > 0x1000 and < 0xD000 or > 0x11000 ? 17 : 1)
        {
            if (Rune.IsValid(scalar))
                Assert.True(Accepts(automaton, bytes.AsSpan(0, new Rune(scalar).EncodeToUtf8(bytes))));
        }
        var random = new Random(1);
        for (int i = 0; i < 200_000; i++)
        {
            Span<byte> some = bytes.AsSpan(0, random.Next(1, 5));
            random.NextBytes(some);
            some[0] |= 0x80;
            for (int j = 1; j < some.Length; j++)
                some[j] = (byte)(some[j] & 0x7F | (random.Next(4) > 0 ? 0x80 : 0));
            bool expected = Rune.DecodeFromUtf8(some, out _, out int length) == System.Buffers.OperationStatus.Done && length == some.Length;
            Assert.Equal(expected, Accepts(automaton, some));
        }
    }

    [Theory]
    [InlineData("look-around", 2, "a(?=b)")]
    [InlineData("look-around", 1, "(?<!b)")]
    [InlineData("'(?i'", 1, "(?i)a")]
    [InlineData("back-reference", 4, @"(a)\1")]
    [InlineData("back-reference", 1, @"\k<a>")]
    [InlineData("word boundary", 1, @"\bx")]
    [InlineData("Unicode property", 2, @"[\p{L}]")]
    [InlineData("POSIX class", 2, "[[:alpha:]]")]
    [InlineData("escape '\\q'", 1, @"\q")]
    [InlineData("hexadecimal", 1, @"\xg0")]
    [InlineData("hexadecimal", 1, @"\u{}")]
    [InlineData("beyond U+10FFFF", 1, @"\x{110000}")]
    [InlineData("surrogate", 1, @"\ud800a")]
    [InlineData("surrogate", 1, @"\ud800\n")]
    [InlineData("surrogate", 2, @"[\udc00]")]
    [InlineData("anywhere but at an end", 2, "a^b")]
    [InlineData("anywhere but at an end", 2, "($)")]
    [InlineData("repetition of nothing", 1, "*")]
    [InlineData("repetition of a repetition", 3, "a+*")]
    [InlineData("repetition of a repetition", 6, "(a{2}{3})")]
    [InlineData("reversed", 1, "a{3,2}")]
    [InlineData("reversed", 2, "[b-a]")]
    [InlineData("range that ends in a set", 2, @"[a-\d]")]
    [InlineData("empty class", 1, "[]")]
    [InlineData("'[' without ']'", 1, "[a")]
    [InlineData("'[' without ']'", 1, "[a-")]
    [InlineData("'(' without ')'", 2, "a(b")]
    [InlineData("')' without '('", 2, "a)")]
    [InlineData("backslash at the end", 2, @"a\")]
    [InlineData("backslash at the end", 3, @"[a\")]
    public void WhatIsNotSupported_IsNamedWithItsPlace(string what, int character, string pattern)
    {
        string message = Assert.Throws<InvalidOptionException>(() => Constraint.Regex(pattern)).Message;
        Assert.Contains(what, message);
        Assert.EndsWith($", at character {character}", message);
    }

    /// <summary>Random characters are a pattern or an error of ours, and nothing else.</summary>
    [Fact]
    public void AnyCharacters_AreAPatternOrAnError()
    {
        const string Characters = @"()[]{}|\^$.*+?-,:<>=!abdux0123456789éＸ" + "\ud83d\ude00";
        var random = new Random(9);
        int taken = 0;
        for (int i = 0; i < 20_000; i++)
        {
            string pattern = string.Concat(Enumerable.Range(0, random.Next(12)).Select(_ => Characters[random.Next(Characters.Length)]));
            Exception? error = Record.Exception(() => Constraint.Regex(pattern));
            Assert.True(error is null or InvalidOptionException, $"{pattern}: {error}");
            taken += error is null ? 1 : 0;
        }
        Assert.InRange(taken, 1000, 19_000);
    }

    [Theory]
    [InlineData("groups within each other", "(", 60_000)]
    [InlineData("too large", "(a{100}){100}", 40)]
    [InlineData("repetition of more than", "a{2147483648}", 1)]
    [InlineData("too large", "(((){1000}){1000}){1000}", 1)]
    [InlineData("too large", "(((a?){1000}){1000}){1000}", 1)]
    [InlineData("too large", "[a-z€-₿😀-😂]{1000}", 100)]
    public void HostilePatterns_AreRefused(string what, string part, int times) =>
        Assert.Contains(what, Assert.Throws<InvalidOptionException>(() => Constraint.Regex(string.Concat(Enumerable.Repeat(part, times)))).Message);

    /// <summary>The subsets of this one are as many as texts: they are forgotten in time, and the answers stay right.</summary>
    [Fact]
    public void ManyStates_AreForgotten()
    {
        Automaton automaton = Constraint.Regex("[ab]*a[ab]{60}").Automaton();
        var random = new Random(3);
        int most = 0;
        for (int i = 0; i < 60; i++)
        {
            byte[] text = [.. Enumerable.Range(0, 1000).Select(_ => (byte)"ab"[random.Next(2)])];
            Assert.Equal(text[^61] == 'a', Accepts(automaton, text));
            most = Math.Max(most, automaton.StateCount);
        }
        Assert.True(automaton.StateCount < most);
    }

    [Fact]
    public void AChoice_IsOneOfItsTexts()
    {
        Automaton automaton = Constraint.Choice(["yes", "no", "né", ""]).Automaton();
        Assert.All(new[] { "yes", "no", "né", "" }, text => Assert.True(Accepts(automaton, Encoding.UTF8.GetBytes(text))));
        Assert.All(new[] { "ye", "n", "yesno", "n\u00c3" }, text => Assert.False(Accepts(automaton, Encoding.UTF8.GetBytes(text))));
        Assert.Throws<InvalidOptionException>(() => Constraint.Choice([]));
        Assert.Throws<InvalidOptionException>(() => Constraint.Choice(["\ud83d"]));
    }

    [Theory, Limit(typeof(ConstraintLimits), nameof(ConstraintLimits.PatternLength))]
    public void PatternLength(LimitTrial trial) => trial.Check(() => Constraint.Regex(new string('a', trial.Count)));

    [Theory, Limit(typeof(ConstraintLimits), nameof(ConstraintLimits.GroupDepth))]
    public void GroupDepth(LimitTrial trial) => trial.Check(() => Constraint.Regex(new string('(', trial.Count) + new string(')', trial.Count)));

    [Theory, Limit(typeof(ConstraintLimits), nameof(ConstraintLimits.Repetitions))]
    public void Repetitions(LimitTrial trial)
    {
        trial.Check(() => Constraint.Regex($"a{{0,{trial.Length}}}"));
        trial.Check(() => Constraint.Regex($"a{{{trial.Length},}}"));
    }

    [Theory, Limit(typeof(ConstraintLimits), nameof(ConstraintLimits.States))]
    public void States(LimitTrial trial) // one for each character, and the end
        => trial.Check(() => Constraint.Regex(string.Concat(Enumerable.Repeat("(ab){50000}", 2)) + $"(ab){{{(trial.Count - 200_001) / 2}}}" + (trial.Count % 2 == 0 ? "a" : "")));

    internal static bool Accepts(Automaton automaton, ReadOnlySpan<byte> text)
    {
        AutomatonState state = automaton.Start;
        foreach (byte value in text)
        {
            state = automaton.Next(state, value);
            if (state.IsDead)
                return false;
        }
        return state.MayEnd;
    }

    /// <summary>A text that the automaton leads to, towards its end from some length on; null where it allows none.</summary>
    private static string? Walk(Automaton automaton, Random random)
    {
        var text = new List<byte>();
        AutomatonState state = automaton.Start;
        if (state.IsDead)
            return null;
        while (!state.MayEnd || (text.Count < 8 && random.Next(4) > 0))
        {
            AutomatonState[] next = [.. Enumerable.Range(0, 256).Select(value => automaton.Next(state, (byte)value))];
            int[] possible = [.. Enumerable.Range(0, 256).Where(value => !next[value].IsDead && (text.Count < 8 || next[value].BytesToEnd < state.BytesToEnd))];
            if (possible.Length == 0)
            {
                Assert.True(state.MayEnd); // no dead ends
                break;
            }
            text.Add((byte)possible[random.Next(possible.Length)]);
            state = next[text[^1]];
        }
        return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString([.. text]);
    }
}
