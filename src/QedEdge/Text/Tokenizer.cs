using System.Buffers;
using System.Text;
using System.Text.Unicode;
using QedEdge.Gguf;

namespace QedEdge.Text;

/// <summary>
/// An exact byte-pair encoding, of bytes as GPT-2's or of code points as SentencePiece's: the same ids and texts as Hugging Face's tokenizers give. Immutable, for any number of
/// threads.
/// </summary>
public sealed class Tokenizer
{
    private readonly TokenizerData _data;
    private readonly TokenTable _tokens;
    private readonly TextEncoder _encoder;

    /// <summary>Prepares a tokenizer for use.</summary>
    internal Tokenizer(TokenizerData data)
    {
        _data = data;
        _tokens = data.Tokens;
        Pieces = new PieceDecoder(_tokens, data.Rules);
        _encoder = new TextEncoder(data, Pieces);
    }

    /// <summary>The number of ids: 0 … <see cref="VocabSize"/> − 1 are valid.</summary>
    public int VocabSize => _tokens.Count;

    /// <summary>The id that begins a text, or -1.</summary>
    public int BosId => _data.BosId;

    /// <summary>The id that is put behind a text, or -1; others may end one too (<c>ModelConfig.EndIds</c>).</summary>
    public int EosId => _data.EosId;

    /// <summary>The id that stands for what is outside the vocabulary, or -1: that vanishes.</summary>
    public int UnkId => _data.UnkId;

    /// <summary>The id that fills a batch's short rows, or -1.</summary>
    public int PadId => _data.PadId;

    /// <summary>How a prompt for generation is encoded: special tokens parsed, begin- and end-of-text as the model file says.</summary>
    public EncodeOptions PromptOptions =>
        EncodeOptions.ParseSpecial | (_data.AddBos ? EncodeOptions.AddBos : 0) | (_data.AddEos ? EncodeOptions.AddEos : 0);

    /// <summary>How a document is encoded whose probability is measured: with the tokens around it that the model was trained with.</summary>
    internal EncodeOptions DocumentOptions => PromptOptions & ~EncodeOptions.ParseSpecial | (_data.EndsDocuments ? EncodeOptions.AddEos : 0);

    /// <summary>Whether the bytes of a text's tokens are the text, one token behind the other: nothing is normalized, and no token takes more than its own text.</summary>
    public bool KeepsText => _data.Rules is { IsByteLevel: true, Normalizer: Normalizer.None } && !Array.Exists(_data.Added, static token => token.StripsLeft || token.StripsRight);

    /// <summary>The chat template as the model file has it, or null.</summary>
    public string? ChatTemplateText => _data.ChatTemplate;

    /// <summary>The pipeline.</summary>
    internal TokenizerRules Rules => _data.Rules;

    /// <summary>What tokens stand for.</summary>
    internal PieceDecoder Pieces { get; }

    /// <summary>The texts of all tokens as a tree, made on first use.</summary>
    internal TokenTrie Trie
    {
        get
        {
            lock (_encoder)
                return field ??= new TokenTrie(this);
        }
    }

    /// <summary>The fewest ids that a text of so many bytes can have: none stands for more than the longest piece, and ill-formed UTF-8 only grows when it is read.</summary>
    internal long FewestTokens(long bytes)
    {
        if (_encoder.MayVanish)
            return 0;
        if (_data.Rules.Normalizer == Normalizer.Nfc)
            bytes /= Nfc.MostBytesForOne;
        return (bytes + Pieces.LongestPiece - 1) / Pieces.LongestPiece;
    }

    /// <summary>Reads the tokenizer from a model file, or returns null where the file has none (it then works with ids only). It uses the file in place, and so only while that is open.</summary>
    /// <param name="file">An open file.</param>
    /// <exception cref="ModelFormatException">A key is missing, damaged, or names what this version does not have.</exception>
    public static Tokenizer? Open(GgufFile file) =>
        TokenizerMetadata.Read(file.Metadata, file.Name) is TokenizerData data ? new Tokenizer(data) : null;

    /// <summary>The ids of a text as the beginning of a context, with the tokens that the model wants around it (<see cref="PromptOptions"/>).</summary>
    /// <param name="text">Any text; special tokens' texts are those tokens.</param>
    public int[] EncodePrompt(ReadOnlySpan<char> text)
    {
        var ids = new List<int>();
        Encode(text, ids, PromptOptions);
        return [.. ids];
    }

    /// <summary>Appends a text's ids.</summary>
    /// <param name="text">UTF-16; lone surrogates are read as U+FFFD.</param>
    /// <param name="destination">Where the ids are appended.</param>
    /// <param name="options">Whether special tokens are parsed, and what is added.</param>
    /// <exception cref="QedException">Begin- or end-of-text is asked for and the vocabulary has none.</exception>
    public void Encode(ReadOnlySpan<char> text, List<int> destination, EncodeOptions options = EncodeOptions.ParseSpecial) => Encode(text, [], destination, options);

    /// <summary>
    /// Appends the ids of a text of which users typed parts: the text of a special token is that token, unless anything of it was typed. Nothing else changes there: merges
    /// go over the borders, and added tokens that are not special are found everywhere.
    /// </summary>
    /// <param name="text">UTF-16; lone surrogates are read as U+FFFD.</param>
    /// <param name="typed">The parts that were typed, in order, none overlapping another.</param>
    /// <param name="destination">Where the ids are appended.</param>
    /// <param name="options">What is parsed outside of these parts, and what is added.</param>
    /// <exception cref="ArgumentOutOfRangeException">A part is not within the text, or before the end of the one before.</exception>
    /// <exception cref="QedException">Begin- or end-of-text is asked for and the vocabulary has none.</exception>
    public void Encode(ReadOnlySpan<char> text, ReadOnlySpan<Range> typed, List<int> destination, EncodeOptions options = EncodeOptions.ParseSpecial)
    {
        byte[] utf8 = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetByteCount(text));
        int bytes = Encoding.UTF8.GetBytes(text, utf8);
        EncodeWellFormed(new MarkedText(utf8.AsSpan(0, bytes), MarkedText.Marks(text, typed, bytes)), destination, options);
        ArrayPool<byte>.Shared.Return(utf8);
    }

    /// <summary>Appends a text's ids.</summary>
    /// <param name="utf8">UTF-8; ill-formed sequences are read as U+FFFD.</param>
    /// <param name="destination">Where the ids are appended.</param>
    /// <param name="options">Whether special tokens are parsed, and what is added.</param>
    /// <exception cref="QedException">Begin- or end-of-text is asked for and the vocabulary has none.</exception>
    public void Encode(ReadOnlySpan<byte> utf8, List<int> destination, EncodeOptions options = EncodeOptions.ParseSpecial)
    {
        if (Utf8.IsValid(utf8))
            EncodeWellFormed(new MarkedText(utf8), destination, options);
        else
            Encode(Encoding.UTF8.GetString(utf8), destination, options);
    }

    /// <summary>The text of a sequence of ids. Ill-formed UTF-8 becomes U+FFFD.</summary>
    /// <param name="ids">Valid ids.</param>
    /// <param name="special">What to do with special tokens.</param>
    /// <param name="continues">Whether they follow others: a space at the beginning is kept, which some tokenizers leave out of a text of its own.</param>
    /// <exception cref="InvalidOptionException">An id is outside the vocabulary.</exception>
    public string Decode(ReadOnlySpan<int> ids, SpecialTokenText special = SpecialTokenText.Skip, bool continues = false)
    {
        var decoder = new StreamingDecoder(this, special, continues);
        var text = new StringBuilder();
        foreach (int id in ids)
            text.Append(decoder.Append(id));
        return text.Append(decoder.Flush()).ToString();
    }

    /// <summary>The bytes that an id stands for (often no whole character); a special token's are those of its name.</summary>
    /// <param name="id">A token of the vocabulary.</param>
    /// <exception cref="InvalidOptionException">The id is outside the vocabulary.</exception>
    public byte[] Piece(int id) => Pieces.Piece(Checked(id));

    /// <summary>The id that stands for exactly these bytes, or -1. A special token is found by its name.</summary>
    /// <param name="piece">A token's bytes.</param>
    public int Find(ReadOnlySpan<byte> piece) => Pieces.Find(piece);

    /// <summary>Whether an id is a special token, which decoding leaves out.</summary>
    /// <param name="id">A token of the vocabulary.</param>
    /// <exception cref="InvalidOptionException">The id is outside the vocabulary.</exception>
    public bool IsSpecial(int id) => _tokens.IsSpecial(Checked(id));

    /// <summary>How many bytes of a text an id stands for: none for a special token, and one for the unknown token, which takes the place of a byte.</summary>
    /// <param name="id">A token of the vocabulary.</param>
    /// <exception cref="InvalidOptionException">The id is outside the vocabulary.</exception>
    public int TextBytes(int id) => id == UnkId ? 1 : IsSpecial(id) ? 0 : Pieces.Piece(id).Length;

    /// <summary>Whether any of some ids gives text, as special tokens do not: what follows it is no text of its own.</summary>
    internal bool HasText(ReadOnlySpan<int> ids)
    {
        foreach (int id in ids)
        {
            if ((uint)id < (uint)VocabSize && !IsSpecial(id))
                return true;
        }
        return false;
    }

    /// <summary>Whether an id is one of the vocabulary's; it is returned.</summary>
    /// <exception cref="InvalidOptionException">It is not.</exception>
    internal int Checked(int id) =>
        (uint)id < (uint)_tokens.Count ? id : throw new InvalidOptionException($"token id {id} is outside the vocabulary of {_tokens.Count} entries");

    private void EncodeWellFormed(MarkedText text, List<int> destination, EncodeOptions options)
    {
        if (options.HasFlag(EncodeOptions.AddBos))
            destination.Add(BosId >= 0 ? BosId : throw new QedException("the vocabulary has no begin-of-text token"));
        if (options.HasFlag(EncodeOptions.AddEos) && EosId < 0)
            throw new QedException("the vocabulary has no end-of-text token");
        int begin = destination.Count;
        _encoder.Encode(text, options.HasFlag(EncodeOptions.ParseSpecial), destination);
        if (options.HasFlag(EncodeOptions.AddBos) && destination.Count > begin && destination[begin] == BosId)
            destination.RemoveAt(begin);
        if (options.HasFlag(EncodeOptions.AddEos))
            destination.Add(EosId);
    }
}
