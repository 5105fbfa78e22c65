using QedEdge.Architectures;
using QedEdge.Model;

namespace QedEdge;

/// <summary>
/// One context of a model: the cached keys and values of the tokens fed so far, and the logits that follow the last of them.
/// A session belongs to one thread at a time; all its memory is allocated when it opens.
/// </summary>
public sealed class Session : IDisposable
{
    private readonly Engine _engine;
    private readonly bool _ownsEngine;
    private volatile bool _disposed;

    internal Session(Engine engine, bool ownsEngine)
    {
        _engine = engine;
        _ownsEngine = ownsEngine;
        try
        {
            Sequence = engine.CreateSequence();
        }
        catch // memory is short: the engine's threads would wait for good
        {
            if (ownsEngine)
                engine.Dispose();
            throw;
        }
    }

    /// <summary>Tokens fed so far, those included that a sliding window left behind.</summary>
    public int Position => Sequence.Count;

    /// <summary>Positions the session can hold; with a sliding window, tokens that the last one sees.</summary>
    public int Capacity => Sequence.Window.Capacity;

    /// <summary>Entries of the vocabulary: the number of logits.</summary>
    public int VocabSize => _engine.Model.Config.VocabSize;

    /// <summary>How keys and values are stored; never <see cref="KvCacheType.Auto"/>.</summary>
    public KvCacheType KvType => _engine.KvType;

    /// <summary>What happens beyond the capacity.</summary>
    public ContextOverflow Overflow => Sequence.Window.Slides ? ContextOverflow.Slide : ContextOverflow.Stop;

    /// <summary>Threads that compute, the caller's included.</summary>
    public int Threads => _engine.Threads;

    /// <summary>Whether another token fits.</summary>
    public bool IsFull => !Sequence.Window.Slides && Position == Capacity;

    /// <summary>Whether there are logits: the last call fed a token and nothing was taken back since.</summary>
    public bool HasLogits => Sequence.HasLogits;

    /// <summary>The logits after the last token fed [VocabSize], in unmanaged memory that stays where it is; overwritten by the next feed.</summary>
    /// <exception cref="InvalidOperationException">Nothing was fed yet.</exception>
    public ReadOnlySpan<float> Logits
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return Held;
        }
    }

    /// <summary><see cref="Logits"/> for who holds the session: they are there to the hold's end, even where the session is closed meanwhile.</summary>
    internal ReadOnlySpan<float> Held => Sequence.HasLogits
        ? Sequence.Logits.Slice(0, VocabSize)
        : throw new InvalidOperationException("there are no logits: feed at least one token first");

    /// <summary>Whether the session was closed during the call that is under way.</summary>
    internal bool IsClosing => _engine.IsClosing;

    /// <summary>The model.</summary>
    public QedModel Model => _engine.Model;

    internal Sequence Sequence { get; }

    /// <summary>Appends tokens and computes the logits after the last one.</summary>
    /// <param name="tokens">Token ids, 0 to the vocabulary's size − 1.</param>
    /// <exception cref="ContextLengthException">They do not fit; nothing was computed or stored.</exception>
    /// <exception cref="InvalidOptionException">An id is outside the vocabulary; nothing was computed or stored.</exception>
    public void Feed(ReadOnlySpan<int> tokens) => Feed(tokens, FeedOptions.Plain);

    /// <summary>Appends tokens with a mask, positions, or a receiver of logits.</summary>
    /// <param name="tokens">Token ids, 0 to the vocabulary's size − 1.</param>
    /// <param name="options">Mask, positions, which logits, chunk size, cancellation.</param>
    /// <exception cref="ContextLengthException">They do not fit; nothing was computed or stored.</exception>
    /// <exception cref="InvalidOptionException">An id, the mask or a position is not usable; nothing was computed or stored.</exception>
    /// <exception cref="NotFiniteException">Results are not finite numbers; the chunks done before stay.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; the chunks done before stay.</exception>
    public void Feed(ReadOnlySpan<int> tokens, FeedOptions options)
    {
        using Engine.Use use = Enter();
        Check(tokens, options);
        Begin(tokens.Length, options);
        int count = tokens.Length;
        Sequence sequence = Sequence;
        _engine.Feed(new(in sequence), new(in count), tokens, new(in options), options.Cancellation);
    }

    /// <summary>
    /// Forgets everything from <paramref name="position"/> on. Layers that see their tokens through a window keep no more than that and a little: where more is
    /// taken back, the tokens that stay are computed again, to the same bits.
    /// </summary>
    /// <param name="position">Tokens to keep.</param>
    /// <exception cref="ArgumentOutOfRangeException">The position is not one of 0..Position.</exception>
    /// <exception cref="InvalidOptionException">A sliding window has left behind what the token there would see; or a layer's own has, and a mask or positions were given, which are not kept.</exception>
    public void Rollback(int position)
    {
        using Engine.Use use = Enter();
        if ((uint)position > (uint)Position)
            throw new ArgumentOutOfRangeException(nameof(position), position, $"must be 0 to {Position}");
        if (Sequence.CanReturn(position))
            Sequence.Truncate(position);
        else if (Sequence.Plain && Sequence.Reach <= Sequence.Window.Slots)
            _engine.Recompute(Sequence, position);
        else
            throw new InvalidOptionException($"position {position} cannot be returned to: the window has slid past what it sees; the earliest is {Sequence.Cache.EarliestReturn(Sequence.Reach)}, or 0");
    }

    /// <summary>
    /// Takes <paramref name="count"/> tokens from <paramref name="position"/> on out of the context; those behind move up to lower positions. Their keys are
    /// turned to these (and rounded again where they are not F32) and nothing is computed anew: like the tokens of a sliding window, they still carry what they
    /// took from those that are gone. The logits stay, unless the last token goes. Where positions were given, all that moves is turned by as many
    /// positions as tokens go, and the caller goes on giving them.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">These are not tokens of the session.</exception>
    /// <exception cref="InvalidOptionException">A sliding window wrapped around already: it makes room by itself; or the model's positions are absolute.</exception>
    public void Shift(int position, int count)
    {
        using Engine.Use use = Enter();
        if (position < 0 || position > Position)
            throw new ArgumentOutOfRangeException(nameof(position), position, $"must be 0 to {Position}");
        if (count < 0 || count > Position - position)
            throw new ArgumentOutOfRangeException(nameof(count), count, $"must be 0 to {Position - position}");
        Architecture architecture = _engine.Model.Config.Architecture;
        if (!architecture.HasRelativePositions && position + count < Position)
            throw new InvalidOptionException($"the positions of the family '{architecture.Name}' are absolute: tokens cannot be taken out of the middle, only from the end on (Rollback)");
        if (Sequence.Reach > Sequence.Window.Slots)
            throw new InvalidOptionException("a sliding window that has begun to overwrite tokens cannot be shifted: it makes room by itself");
        if (Sequence.Reach > Sequence.Cache.LeastSlots)
            throw new InvalidOptionException($"layers with a window have overwritten tokens that would be seen again: tokens can be taken out of the middle of up to {Sequence.Cache.LeastSlots}, not of {Sequence.Reach}");
        if (count == 0)
            return;
        if (position + count == Position)
            Sequence.Truncate(position);
        else
            _engine.Shift(Sequence, position, count);
    }

    /// <summary>Becomes a copy of another session: its tokens, keys, values and logits. What both are fed from now on is their own.</summary>
    /// <param name="other">A session of the same model and options.</param>
    /// <exception cref="InvalidOptionException">The other session is of another model, stores keys and values in another way, or holds more than fits.</exception>
    public void CopyFrom(Session other)
    {
        using Engine.Use use = Enter();
        ObjectDisposedException.ThrowIf(other._disposed, other);
        using Engine.Use theirs = other._engine == _engine ? default : other.Enter();
        if (other._engine.Model != _engine.Model || other.KvType != KvType)
            throw new InvalidOptionException("only a session of the same model and type of keys and values can be copied");
        if (!Sequence.Accepts(other.Sequence.Window, other.Position, other.Sequence.Reach, other.Sequence.Plain))
            throw new InvalidOptionException($"{other.Position} tokens do not fit into a session of {Capacity}, its window is another, or it slides and they have a mask or positions");
        Sequence.CopyFrom(other.Sequence);
    }

    /// <summary>Writes the session's tokens, keys, values and logits to a file, which appears whole or not at all.</summary>
    /// <param name="path">The file.</param>
    /// <param name="overwrite">Whether an existing file is replaced.</param>
    /// <param name="flush">Waits until the disk has it; without, a power cut may leave a file that <see cref="Restore"/> refuses as damaged.</param>
    /// <exception cref="QedException">The file cannot be written.</exception>
    public void Save(string path, bool overwrite = false, bool flush = true) => SaveWithNote(path, overwrite, flush, []);

    /// <summary>As <see cref="Save"/>, with a note: bytes that <see cref="RestoreWithNote"/> gives back.</summary>
    internal void SaveWithNote(string path, bool overwrite, bool flush, byte[] note)
    {
        using Engine.Use use = Enter();
        Sequence.Cache.ClearBehind(_engine.Model.Kernels, Sequence.Count, Sequence.Reach);
        SessionFile.Save(path, overwrite, flush, _engine.Model, Sequence, note);
    }

    /// <summary>Becomes what <see cref="Save"/> wrote; where that is refused the session stays as it was.</summary>
    /// <param name="path">A file of <see cref="Save"/>.</param>
    /// <exception cref="QedException">The file cannot be read, is damaged, belongs to another model, or does not fit this session.</exception>
    public void Restore(string path) => RestoreWithNote(path, null);

    /// <summary>As <see cref="Restore"/>, for who kept a note with it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="take">Receives the note, empty where there is none, before anything changes; an error of its refuses the file.</param>
    internal void RestoreWithNote(string path, Action<byte[]>? take)
    {
        using Engine.Use use = Enter();
        SessionFile.Restore(path, _engine.Model, Sequence, take);
    }

    /// <summary>Whether a file may be replaced by a saved session: it is one, of whatever model and version, or an empty file.</summary>
    internal static bool MayReplace(string path) => SessionFile.MayReplace(path);

    /// <summary>
    /// Fills an empty session with what a prompt has in common with the prefix that is baked into the model file, its last token left out.
    /// The rest is to be fed; the results are those of feeding all of it, to the bit.
    /// </summary>
    /// <param name="prompt">Token ids that will be fed.</param>
    /// <returns>How many of the prompt's tokens the session holds now; 0 where there is no such prefix, it is of another type of keys and values, or it does not fit.</returns>
    /// <exception cref="ContextLengthException">The prompt does not fit.</exception>
    /// <exception cref="InvalidOptionException">An id is outside the vocabulary.</exception>
    /// <exception cref="ModelFormatException">The prefix is damaged or belongs to other weights.</exception>
    public int TakeBaked(ReadOnlySpan<int> prompt)
    {
        using Engine.Use use = Enter();
        Check(prompt, FeedOptions.Plain);
        return _engine.Model.BakedPrefix is { } prefix && prefix.KvType == KvType ? prefix.Take(_engine.Model, Sequence, prompt) : 0;
    }

    /// <summary>
    /// How many tokens at the beginning of the session are those given, with the keys and values that feeding these gives: 0 after a mask, positions,
    /// <see cref="Shift"/> or a window that wrapped around.
    /// </summary>
    /// <param name="tokens">Token ids.</param>
    public int CommonPrefix(ReadOnlySpan<int> tokens) => Sequence.CommonPrefix(tokens);

    /// <summary>
    /// Rolls back to the longest prefix shared with a prompt. Keeps nothing where the file's baked prefix covers more (<see cref="Generation.Generator"/> loads that), all of the prompt where the
    /// session holds the logits after it, and otherwise at most all but the last token, so that feeding that one produces logits.
    /// </summary>
    /// <param name="prompt">Token ids, at least one.</param>
    /// <returns>The prefix's length: how many tokens need not be fed.</returns>
    public int KeepCommonPrefix(ReadOnlySpan<int> prompt)
    {
        using Engine.Use hold = Hold();
        int common = CommonPrefix(prompt);
        if (common == prompt.Length && common == Position && HasLogits)
            return common;
        bool bakedMore = Model.BakedPrefix is { } baked && baked.KvType == KvType && common < baked.Tokens.CommonPrefixLength(prompt);
        common = bakedMore ? 0 : Math.Min(common, prompt.Length - 1);
        if (!Sequence.CanReturn(common))
            common = 0; // it would be computed again anyway
        Rollback(common);
        return common;
    }

    /// <summary>
    /// Frees the memory and ends the threads. A call that another thread makes is cancelled (<see cref="OperationCanceledException"/>) and waited for. From the session's own
    /// callbacks nothing is waited for: the call ends when the callback has returned, and frees then. A member of a batch cancels nothing: it is closed from now on, and freed
    /// when the batch's call has ended. Never throws.
    /// </summary>
    public void Dispose()
    {
        if (_ownsEngine)
            _engine.Dispose();
        _disposed = true;
        _engine.Free(Sequence);
    }

    /// <summary>Refuses what cannot be fed, before anything changes.</summary>
    internal void Check(ReadOnlySpan<int> tokens, FeedOptions options)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        int vocab = VocabSize, context = _engine.Model.Config.ContextLength;
        bool slides = Sequence.Window.Slides;
        if (tokens.Length > (slides ? int.MaxValue - Workspace.BatchSize : Capacity) - Position)
            throw new ContextLengthException(Position, tokens.Length, Capacity, context, isEstimate: false);
        foreach (int id in tokens)
        {
            if ((uint)id >= (uint)vocab)
                throw new InvalidOptionException($"token id {id} is outside the vocabulary of {vocab} entries");
        }
        ReadOnlyMemory<byte> mask = options.AttentionMask;
        if (!mask.IsEmpty)
        {
            if (slides)
                throw new InvalidOptionException("a sliding window takes no attention mask");
            if (mask.Length != Position + tokens.Length)
                throw new InvalidOptionException($"the attention mask has {mask.Length} entries; {Position} past + {tokens.Length} new tokens need {Position + tokens.Length}");
            if (mask.Span.ContainsAnyExceptInRange((byte)0, (byte)1))
                throw new InvalidOptionException("the attention mask may hold only 0 and 1");
        }
        ReadOnlyMemory<int> positions = options.PositionIds;
        if (!positions.IsEmpty)
        {
            if (slides)
                throw new InvalidOptionException("a sliding window takes no position ids");
            if (positions.Length != tokens.Length)
                throw new InvalidOptionException($"{positions.Length} position ids were given for {tokens.Length} tokens");
            if (positions.Span.ContainsAnyExceptInRange(0, context - 1))
                throw new InvalidOptionException($"position ids must be 0 to {context - 1}");
        }
        int before = -1;
        foreach (int index in options.LogitsAt.Span)
        {
            if (index <= before || index >= tokens.Length)
                throw new InvalidOptionException($"logits can be had at ascending indices 0 to {tokens.Length - 1}, not at {index}");
            before = index;
        }
    }

    /// <summary>What a feed that was checked changes at once.</summary>
    internal void Begin(int count, FeedOptions options)
    {
        if (count == 0)
            return;
        if (Position == 0)
            Sequence.Truncate(0); // what a feed that was cancelled may have left
        Sequence.TakeMask(options.AttentionMask.Span, count);
        Sequence.Plain &= options.PositionIds.IsEmpty && !Sequence.Masked;
        Sequence.HasLogits = false;
    }

    /// <summary>As <see cref="Engine.Hold"/>.</summary>
    internal Engine.Use Hold() => Open(_engine.Hold());

    private Engine.Use Enter() => Open(_engine.Enter());

    private Engine.Use Open(Engine.Use use)
    {
        if (!_disposed)
            return use;
        use.Dispose();
        throw new ObjectDisposedException(nameof(Session));
    }
}
