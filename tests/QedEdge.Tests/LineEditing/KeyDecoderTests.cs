using System.Text;
using CsCheck;
using QedEdge.Cli.LineEditing;

namespace QedEdge.Tests.LineEditing;

/// <summary>What terminals send for keys.</summary>
public sealed class KeyDecoderTests
{
    /// <summary>Of xterm, VT220, rxvt, Linux's console; what says nothing is left out.</summary>
    public static TheoryData<string, string> Sequences => new()
    {
        { "a", "'a'" },
        { "漢字😀", "'漢字😀'" },
        { "\e[A\e[B\e[C\e[D", "Up Down Right Left" },
        { "\eOA\eOB\eOC\eOD\eOH\eOF", "Up Down Right Left Home End" },
        { "\e[H\e[F\e[1~\e[4~\e[7~\e[8~", "Home End Home End Home End" },
        { "\e[3~\x7f\b", "Delete Backspace Backspace" },
        { "\e[1;5C\e[1;5D\e[1;3C\e[1;3D\eOc\eOd\e\e[C\e\e[D\ef\eb", "WordRight WordLeft WordRight WordLeft WordRight WordLeft WordRight WordLeft WordRight WordLeft" },
        { "\e[1;2C", "Right" }, // with Shift
        { "\e[3;5~\ed\e\x7f\x17", "DeleteWordRight DeleteWordRight DeleteWordLeft DeleteWordLeft" },
        { "\x01\x02\x05\x06\x0b\x15\x0e\x10\x0c", "Home Left End Right DeleteToEnd DeleteToStart Down Up ClearScreen" },
        { "\r\n\x03\x04\x1a", "Enter Enter Interrupt EndOfInput Suspend" },
        { "a\e\rb", "'a' '\n' 'b'" }, // Alt-Enter
        { "\e[200~one\rtwo\r\nthree\n\e[201~x", "'one\ntwo\nthree\n' 'x'" },
        { "\e[200~tab\t \e[31m\x03 漢\e[201~\r", "'tab\t [31m 漢' Enter" }, // no control character gets in
        { "\e[200~\e[201~", "''" },
        { "\e[15~\e[[Aa\e[M\eOP\e[?1;2cb", "'a' 'b'" }, // keys that say nothing here
        { "\e[9999999999999C\e[;C\e[5;C", "Right Right Right" },
        { "\x00\x07\x1c\t", "" },
    };

    [Theory]
    [MemberData(nameof(Sequences))]
    public void Sequence_IsItsKeys_WhereverItIsCut(string sent, string keys)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(sent);
        Assert.Equal(keys, Keys(bytes));
        for (int cut = 1; cut < bytes.Length; cut++)
            Assert.Equal(keys.Replace("' '", ""), Keys(bytes[..cut], bytes[cut..]).Replace("' '", "")); // a text may come in two
    }

    [Fact]
    public void AnyBytes_GiveTheSameKeys_HoweverTheyAreCut()
    {
        Gen<byte> bytes = Gen.OneOfConst<byte>(0x1B, (byte)'[', (byte)'O', (byte)'2', (byte)'0', (byte)'1', (byte)'~', (byte)';', (byte)'5', (byte)'C', (byte)'a', 0xC3, 0xA9, 0xF0, 0x9F, 0x98, 0x80, 3, 13);
        Gen.Select(bytes.Array[0, 60], Gen.Int[1, 7]).Sample((sent, size) => Assert.Equal(Joined(Keys(sent)), Joined(Keys([.. sent.Chunk(size)]))), iter: 20000);

        static string Joined(string keys) => keys.Replace("' '", "");
    }

    [Fact]
    public void APasteThatIsTooLong_LosesItsEnd_AndWhatComesBehindItIsRead()
    {
        byte[] sent = [.. "\e[200~"u8, .. Enumerable.Repeat((byte)'a', 1000), .. "\e[201~\r"u8];
        foreach (int size in new[] { 1, 7, 2000 })
        {
            var keys = new KeyDecoder(mostPasted: 100);
            Assert.Equal($"'{new string('a', 100)}' Enter", Keys(keys, [.. sent.Chunk(size)]));
        }
    }

    private static string Keys(params byte[][] pieces) => Keys(new KeyDecoder(), pieces);

    private static string Keys(KeyDecoder keys, params byte[][] pieces)
    {
        var found = new List<string>();
        foreach (byte[] piece in pieces)
        {
            keys.Feed(piece);
            while (keys.TryRead(out Key key))
                found.Add(key == Key.Text ? $"'{keys.Text}'" : key.ToString());
        }
        return string.Join(' ', found);
    }
}
