using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.ML.Tokenizers;
using QedEdge.Text;
using QedTokenizer = QedEdge.Text.Tokenizer;

namespace QedEdge.Extensions.AI;

/// <summary>Gives a model's tokenizer to programs that are written against Microsoft.ML.Tokenizers.</summary>
public static class MicrosoftTokenizers
{
    /// <summary>
    /// The tokenizer behind that package's interface: special tokens are parsed, none are added, as in the package's own BPE. Where in the text a token lies is known of
    /// tokenizers that leave the text as it is; of others <see cref="NotSupportedException"/> says so.
    /// </summary>
    /// <param name="tokenizer">A model's tokenizer.</param>
    public static Microsoft.ML.Tokenizers.Tokenizer AsMicrosoftTokenizer(this QedTokenizer tokenizer) => new MicrosoftTokenizer(tokenizer);
}

internal sealed class MicrosoftTokenizer : Microsoft.ML.Tokenizers.Tokenizer
{
    private readonly QedTokenizer _tokenizer;
    private readonly bool[] _known = new bool[256]; // bytes that the vocabulary has; others give the unknown token, or vanish

    public MicrosoftTokenizer(QedTokenizer tokenizer)
    {
        _tokenizer = tokenizer;
        for (int b = 0; b < _known.Length; b++)
            _known[b] = tokenizer.Find([(byte)b]) >= 0;
    }

    /// <inheritdoc/>
    protected override EncodeResults<EncodedToken> EncodeToTokens(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        ReadOnlySpan<char> chars = text ?? textSpan;
        var (ids, ranges) = EncodeWithRanges(chars, settings);
        int count = CutFromStart(ranges, settings.MaxTokenCount);
        var tokens = new EncodedToken[count];
        for (int i = 0; i < count; i++)
            tokens[i] = new EncodedToken(ids[i], Encoding.UTF8.GetString(_tokenizer.Piece(ids[i])), ranges[i].Chars);
        return new() { Tokens = tokens, CharsConsumed = Consumed(ranges, count, chars.Length) };
    }

    /// <inheritdoc/>
    protected override EncodeResults<int> EncodeToIds(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        ReadOnlySpan<char> chars = text ?? textSpan;
        var ids = new List<int>();
        EncodeForPackage(chars, settings, ids);
        if (ids.Count <= settings.MaxTokenCount)
            return new() { Tokens = ids, CharsConsumed = chars.Length };
        var ranges = Ranges(chars, ids);
        int count = CutFromStart(ranges, settings.MaxTokenCount);
        return new() { Tokens = ids.GetRange(0, count), CharsConsumed = Consumed(ranges, count, chars.Length) };
    }

    /// <inheritdoc/>
    protected override int CountTokens(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings) =>
        EncodeToIds(text, textSpan, settings).Tokens.Count;

    /// <inheritdoc/>
    protected override int GetIndexByTokenCount(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings, bool fromEnd,
        out string? normalizedText, out int tokenCount)
    {
        ReadOnlySpan<char> chars = text ?? textSpan;
        var (_, ranges) = EncodeWithRanges(chars, settings);
        normalizedText = null;
        if (!fromEnd)
        {
            tokenCount = CutFromStart(ranges, settings.MaxTokenCount);
            return Consumed(ranges, tokenCount, chars.Length);
        }
        int first = Math.Max(0, ranges.Length - settings.MaxTokenCount);
        while (first > 0 && first < ranges.Length && !ranges[first - 1].EndsWhole)
            first++;
        tokenCount = ranges.Length - first;
        return first == 0 ? 0 : first < ranges.Length ? ranges[first].Chars.Start.Value : chars.Length;
    }

    /// <inheritdoc/>
    public override string Decode(IEnumerable<int> ids) => _tokenizer.Decode(CollectionsMarshal.AsSpan(ids as List<int> ?? [.. ids]));

    /// <inheritdoc/>
    /// <remarks>Where the destination is too small, <paramref name="idsConsumed"/> stops at whole characters, so that decoding can go on behind it.</remarks>
    public override OperationStatus Decode(IEnumerable<int> ids, Span<char> destination, out int idsConsumed, out int charsWritten)
    {
        var decoder = new StreamingDecoder(_tokenizer);
        idsConsumed = 0;
        charsWritten = 0;
        int read = 0;
        int written = 0;
        foreach (int id in ids)
        {
            if (!Write(decoder.Append(id), destination, ref written))
                return OperationStatus.DestinationTooSmall;
            read++;
            if (decoder.PendingBytes == 0)
                (idsConsumed, charsWritten) = (read, written);
        }
        if (!Write(decoder.Flush(), destination, ref written))
            return OperationStatus.DestinationTooSmall;
        (idsConsumed, charsWritten) = (read, written);
        return OperationStatus.Done;

        static bool Write(ReadOnlySpan<char> text, Span<char> destination, ref int written)
        {
            if (!text.TryCopyTo(destination[written..]))
                return false;
            written += text.Length;
            return true;
        }
    }

    private void EncodeForPackage(ReadOnlySpan<char> chars, EncodeSettings settings, List<int> ids)
    {
        if (settings.MaxTokenCount <= 0)
            throw new ArgumentOutOfRangeException(nameof(settings), "the maximum number of tokens must be positive");
        if (!settings.ConsiderPreTokenization)
            throw new NotSupportedException("this encoding is not defined without its pre-tokenizer");
        _tokenizer.Encode(chars, ids);
    }

    private (List<int> Ids, TokenRange[] Ranges) EncodeWithRanges(ReadOnlySpan<char> chars, EncodeSettings settings)
    {
        var ids = new List<int>();
        EncodeForPackage(chars, settings, ids);
        return (ids, Ranges(chars, ids));
    }

    /// <summary>The characters that each token covers. A token that holds part of a character covers all of it.</summary>
    private TokenRange[] Ranges(ReadOnlySpan<char> chars, List<int> ids)
    {
        if (!_tokenizer.KeepsText)
            throw new NotSupportedException("this tokenizer normalizes text, so that its tokens have no place in the text that was given");
        byte[] text = new byte[Encoding.UTF8.GetByteCount(chars)];
        Encoding.UTF8.GetBytes(chars, text);
        // charOf[i]: the index of the character that byte i belongs to; one more for the end.
        var charOf = new int[text.Length + 1];
        for (int i = 0, next = 0, current = 0; i < text.Length; i++)
        {
            if ((text[i] & 0xC0) != 0x80)
            {
                current = next;
                next += text[i] >= 0xF0 ? 2 : 1;
            }
            charOf[i] = current;
            charOf[i + 1] = next;
        }

        var ranges = new TokenRange[ids.Count];
        int position = 0;
        for (int i = 0; i < ranges.Length; i++)
        {
            byte[] piece = _tokenizer.Piece(ids[i]);
            bool isUnknown = ids[i] == _tokenizer.UnkId && !text.AsSpan(position).StartsWith(piece);
            // Bytes that vanished lie before a piece, and between those of it that were merged over them.
            while (_tokenizer.UnkId < 0 && position < text.Length && !_known[text[position]] && !text.AsSpan(position).StartsWith(piece))
                position++;
            int start = position;
            for (int taken = 0; position < text.Length && taken < (isUnknown ? 1 : piece.Length); position++)
                taken += isUnknown || text[position] == piece[taken] ? 1 : 0;
            int last = charOf[Math.Max(start, position - 1)];
            int end = position;
            while (end < text.Length && charOf[end] == last)
                end++;
            ranges[i] = new TokenRange(charOf[start]..charOf[end], end == position);
        }
        return ranges;
    }

    /// <summary>The most tokens, up to a limit, that end with a whole character.</summary>
    private static int CutFromStart(TokenRange[] ranges, int limit)
    {
        int count = Math.Min(ranges.Length, limit);
        while (count > 0 && count < ranges.Length && !ranges[count - 1].EndsWhole)
            count--;
        return count;
    }

    private static int Consumed(TokenRange[] ranges, int count, int chars) =>
        count == ranges.Length ? chars : count == 0 ? 0 : ranges[count - 1].Chars.End.Value;

    /// <summary>What a token covers.</summary>
    /// <param name="Chars">UTF-16 indices.</param>
    /// <param name="EndsWhole">Whether the token ends where a character ends.</param>
    private readonly record struct TokenRange(Range Chars, bool EndsWhole);
}
