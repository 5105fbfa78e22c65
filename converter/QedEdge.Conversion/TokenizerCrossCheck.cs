using System.Buffers;
using System.Globalization;
using System.Text;
using Microsoft.ML.Tokenizers;
using QedEdge.Text;

namespace QedEdge.Conversion;

/// <summary>
/// A second opinion on a tokenizer: Microsoft.ML.Tokenizers' byte-pair encoding with a splitter written independently of the
/// runtime's. Both must give the same ids for the probes, otherwise the conversion stops.
/// </summary>
internal sealed class TokenizerCrossCheck
{
    /// <summary>Traps: contractions, white space, digits, scripts, emoji, control characters, bytes no vocabulary has.</summary>
    private static readonly string[] Probes =
    [
        "", " ", "  a  b  ", "a\n\n\tb \r\n c\u00a0d\u3000e\u2028f\u0085g", "I'm you're he'LL don't 'tis 've", "x=1234567890; y=3.14e-10, ١٢٣ ½ Ⅷ",
        "Once upon a time, there lived a king who had three sons.", "naïve café Ångström ﬁ Straße ǅ", "Привет, мир! 你好,世界。こんにちは 안녕", "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇩🇪",
        "𝐀𝟙𠀀 𐍈\U0001F600", "\0\u0001\u001f\u007f\u200b\ufeff\ufffd", "<|system|>\nBe brief.\n<|user|>\nHi\n<|assistant|>\n", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "{\"key\": [1, 2.5, null]} // @#$%^&*()_+-=[]{}|;:'\",.<>/?`~", "tab\tseparated\tvalues\n  indented\n    more",
    ];

    private readonly Microsoft.ML.Tokenizers.Tokenizer _package;
    private readonly Text.Tokenizer _own;

    /// <summary>Builds both from the same data.</summary>
    public TokenizerCrossCheck(TokenizerData data)
    {
        _own = new Text.Tokenizer(data);
        var special = new Dictionary<string, int>();
        var vocabulary = new List<KeyValuePair<string, int>>();
        for (int id = 0; id < data.Tokens.Count; id++)
        {
            string text = Encoding.UTF8.GetString(data.Tokens.Text(id));
            if (data.Tokens.IsAdded(id))
                special[text] = id;
            if (data.Tokens.Type(id) != TokenType.Unused)
                vocabulary.Add(new(text, id));
        }
        var merges = new List<string>();
        for (int rank = 0; rank < data.Merges.Count; rank++)
            merges.Add($"{PieceText(data.Merges.Pairs[2 * rank])} {PieceText(data.Merges.Pairs[2 * rank + 1])}");
        _package = BpeTokenizer.Create(new BpeOptions(vocabulary)
        {
            Merges = merges,
            ByteLevel = true,
            PreTokenizer = new Splitter(special.Keys, data.PreTokenizer == Text.PreTokenizer.DigitsThenGpt2),
            SpecialTokens = special,
            UnknownToken = data.UnkId < 0 ? null : PieceText((uint)data.UnkId),
            FuseUnknownTokens = false,
        });

        string PieceText(uint id) => Encoding.UTF8.GetString(data.Tokens.Text((int)id));
    }

    /// <summary>Compares both on the probes and further texts.</summary>
    /// <exception cref="ModelFormatException">They differ.</exception>
    public static void Compare(TokenizerData data, string path, params ReadOnlySpan<string?> more)
    {
        var check = new TokenizerCrossCheck(data);
        foreach (string? text in (ReadOnlySpan<string?>)[.. Probes, .. more])
        {
            if (text is not null && !check.PackageIds(text).SequenceEqual(check.OwnIds(text)))
            {
                throw new ModelFormatException(ModelFault.Unsupported, path,
                    $"two independent tokenizers disagree on '{ModelFormatException.OneLine(text)}'; please report this tokenizer");
            }
        }
    }

    /// <summary>The package's ids; ill-formed text is mended first, since the package cannot.</summary>
    public IReadOnlyList<int> PackageIds(string text) => _package.EncodeToIds(Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)));

    /// <summary>The runtime's ids.</summary>
    public List<int> OwnIds(string text)
    {
        var ids = new List<int>();
        _own.Encode(text, ids);
        return ids;
    }

    /// <summary>GPT-2's expression, alternative by alternative, over code points; special tokens leftmost-longest before it.</summary>
    private sealed class Splitter(ICollection<string> special, bool digitsAlone) : Microsoft.ML.Tokenizers.PreTokenizer
    {
        private readonly SortedTexts _special = new(special);
        private readonly SearchValues<char> _first = SearchValues.Create([.. special.Select(static token => token[0]).Distinct()]);

        public override IEnumerable<(int Offset, int Length)> PreTokenize(string text)
        {
            int at = 0;
            while (at < text.Length)
            {
                (int begin, int length) = Find(text, at);
                foreach ((int Offset, int Length) word in Plain(text, at, begin))
                    yield return word;
                if (length > 0)
                    yield return (begin, length);
                at = begin + length;
            }
        }

        private (int Begin, int Length) Find(string text, int at)
        {
            for (; text.AsSpan(at).IndexOfAny(_first) is >= 0 and var skip; at++)
            {
                at += skip;
                if (_special.LongestBeginning(text.AsSpan(at)) is { } token)
                    return (at, token.Length);
            }
            return (text.Length, 0);
        }

        public override IEnumerable<(int Offset, int Length)> PreTokenize(ReadOnlySpan<char> text) => PreTokenize(text.ToString());

        private IEnumerable<(int Offset, int Length)> Plain(string text, int begin, int end)
        {
            int start = begin;
            for (int i = begin; digitsAlone && i < end;)
            {
                (char kind, int length) = At(text, i);
                if (kind == 'N')
                {
                    foreach ((int Offset, int Length) word in Words(text, start, i))
                        yield return word;
                    yield return (i, length);
                    start = i + length;
                }
                i += length;
            }
            foreach ((int Offset, int Length) word in Words(text, start, end))
                yield return word;
        }

        private static IEnumerable<(int Offset, int Length)> Words(string text, int begin, int end)
        {
            for (int i = begin; i < end;)
            {
                int length = Word(text, i, end);
                yield return (i, length);
                i += length;
            }
        }

        private static int Word(string text, int i, int end)
        {
            foreach (string ending in (ReadOnlySpan<string>)["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"])
            {
                if (end - i >= ending.Length && string.CompareOrdinal(text, i, ending, 0, ending.Length) == 0)
                    return ending.Length;
            }
            int first = text[i] == ' ' && i + 1 < end ? i + 1 : i;
            char kind = At(text, first).Kind;
            if (kind != 'S')
                return Run(text, first, end, kind) - i;
            int stop = Run(text, i, end, 'S');
            if (stop == end)
                return stop - i;
            // \s+(?!\S): all but the last white space, which goes with what follows; a single one stands alone.
            return Math.Max(1, stop - i - 1);
        }

        private static int Run(string text, int i, int end, char kind)
        {
            while (i < end && At(text, i) is (char next, int length) && next == kind)
                i += length;
            return i;
        }

        private static (char Kind, int Length) At(string text, int i)
        {
            int length = char.IsSurrogatePair(text, i) ? 2 : 1;
            if (length == 1 && text[i] is (>= '\t' and <= '\r') or '\u0085')
                return ('S', 1);
            return (CharUnicodeInfo.GetUnicodeCategory(text, i) switch
            {
                UnicodeCategory.SpaceSeparator or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator => 'S',
                UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => 'L',
                UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => 'N',
                _ => 'O',
            }, length);
        }
    }
}
