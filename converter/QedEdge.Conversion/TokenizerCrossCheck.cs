using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.ML.Tokenizers;
using QedEdge.Conversion.Checkpoints;
using QedEdge.Text;

namespace QedEdge.Conversion;

/// <summary>
/// A second opinion on a byte-level tokenizer: Microsoft.ML.Tokenizers' byte-pair encoding with the regular expressions that the runtime does without. Both must give the same ids
/// for the probes, otherwise the conversion stops. The package knows no tokens that are taken instead of merges, nor unknown ones that are joined: these rules
/// are left out of both.
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
    private readonly Text.Normalizer _normalizer;

    /// <summary>Builds both from the same data.</summary>
    public TokenizerCrossCheck(TokenizerData data)
    {
        _normalizer = data.Rules.Normalizer;
        _own = new Text.Tokenizer(data with { Rules = data.Rules with { IgnoresMerges = false, FusesUnknown = false } });
        var special = new Dictionary<string, int>();
        foreach (AddedToken token in data.Added)
            special[PieceText((uint)token.Id)] = token.Id;
        var vocabulary = new List<KeyValuePair<string, int>>();
        for (int id = 0; id < data.Tokens.Count; id++)
        {
            if (data.Tokens.Type(id) != TokenType.Unused)
                vocabulary.Add(new(PieceText((uint)id), id));
        }
        var merges = new List<string>();
        for (int rank = 0; rank < data.Merges.Count; rank++)
            merges.Add($"{PieceText(data.Merges.Pairs[2 * rank])} {PieceText(data.Merges.Pairs[2 * rank + 1])}");
        _package = BpeTokenizer.Create(new BpeOptions(vocabulary)
        {
            Merges = merges,
            ByteLevel = true,
            PreTokenizer = new Splitter(special.Keys, data.Rules.PreTokenizer),
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
        // Where tokens take white space with them, or are looked for twice, the package has no equal.
        if (!data.Rules.IsByteLevel || data.Added.Any(static token => token.StripsLeft || token.StripsRight) || data.Added.DistinctBy(static token => token.IsNormalized).Count() > 1)
            return;
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

    /// <summary>The package's ids; ill-formed text is mended first, since the package cannot, and it is normalized, which .NET does with other data.</summary>
    public IReadOnlyList<int> PackageIds(string text)
    {
        using var normalized = new NormalizedText(_normalizer, new MarkedText(Encoding.UTF8.GetBytes(text)));
        return _package.EncodeToIds(Encoding.UTF8.GetString(normalized.Text.Bytes));
    }

    /// <summary>The runtime's ids.</summary>
    public List<int> OwnIds(string text)
    {
        var ids = new List<int>();
        _own.Encode(text, ids);
        return ids;
    }

    /// <summary>The expressions as tokenizer.json has them, over text in which each character outside the basic plane is one of its kind within it; special tokens leftmost-longest before.</summary>
    private sealed class Splitter(ICollection<string> special, Text.PreTokenizer rule) : Microsoft.ML.Tokenizers.PreTokenizer
    {
        private const string Gpt2 = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
        private const char Letter = 'ª', Number = '²', Other = '§';
        private readonly SortedTexts _special = new(special);
        private readonly SearchValues<char> _first = SearchValues.Create([.. special.Select(static token => token[0]).Distinct()]);
        private readonly Regex _words = new(rule switch
        {
            Text.PreTokenizer.Llama3 => TokenizerRulesJson.Llama3,
            Text.PreTokenizer.Qwen2 => TokenizerRulesJson.Qwen2,
            _ => Gpt2,
        }, RegexOptions.CultureInvariant);

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

        public override IEnumerable<(int Offset, int Length)> PreTokenize(ReadOnlySpan<char> text) => PreTokenize(text.ToString());

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

        private IEnumerable<(int Offset, int Length)> Plain(string text, int begin, int end)
        {
            int start = begin;
            for (int i = begin; rule == Text.PreTokenizer.DigitsThenGpt2 && i < end;)
            {
                int length = char.IsSurrogatePair(text, i) ? 2 : 1;
                if (Kind(text, i) == Number)
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

        private IEnumerable<(int Offset, int Length)> Words(string text, int begin, int end)
        {
            var kinds = new StringBuilder();
            var offsets = new List<int>();
            for (int i = begin; i < end; i += char.IsSurrogatePair(text, i) ? 2 : 1)
            {
                offsets.Add(i);
                kinds.Append(char.IsSurrogatePair(text, i) ? Kind(text, i) : text[i]);
            }
            offsets.Add(end);
            for (Match match = _words.Match(kinds.ToString()); match.Success; match = match.NextMatch())
                yield return (offsets[match.Index], offsets[match.Index + match.Length] - offsets[match.Index]);
        }

        private static char Kind(string text, int i) => CharUnicodeInfo.GetUnicodeCategory(text, i) switch
        {
            UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => Letter,
            UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Number,
            _ => Other,
        };
    }
}
