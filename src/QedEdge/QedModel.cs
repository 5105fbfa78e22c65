using QedEdge.Chat;
using QedEdge.Gguf;
using QedEdge.Kernels;
using QedEdge.Model;
using QedEdge.Text;

namespace QedEdge;

/// <summary>
/// A QED model, opened from a memory-mapped file: read-only, shared by any number of sessions and threads.
/// <code>
/// using var model = QedModel.Open("qed.gguf");
/// using Session session = model.CreateSession();
/// session.Feed(model.Tokenizer!.EncodePrompt("Once upon a time"));
/// ReadOnlySpan&lt;float&gt; logits = session.Logits;
/// </code>
/// </summary>
public sealed class QedModel : IDisposable
{
    private readonly Lock _users = new();
    private int _userCount = 1; // the owner and every open session or batch
    private readonly FileWeights _weights;
    private bool _disposed;

    /// <summary>A model of any description, on any kernel set; the file is the model's from now on.</summary>
    internal QedModel(GgufFile file, ModelConfig config, KernelSet kernels, Action<double>? progress = null)
    {
        File = file;
        Config = config;
        Kernels = kernels;
        BakedPrefix = BakedPrefix.Find(file, Config);
        _weights = new FileWeights(file, Config, progress);
    }

    /// <summary>The file's metadata and tensor table.</summary>
    public GgufFile File { get; }

    /// <summary>The model's dimensions.</summary>
    public ModelConfig Config { get; }

    /// <summary>
    /// The tokenizer, built on first use; null when the file takes token ids only: it has none, or it is another tool's and has one that cannot
    /// be used here (<see cref="TokenizerProblem"/> says why).
    /// </summary>
    /// <exception cref="ModelFormatException">The tokenizer of a file of architecture "qed" is damaged.</exception>
    public Tokenizer? Tokenizer
    {
        get
        {
            lock (Weights)
            {
                if (field is not null || TokenizerProblem is not null)
                    return field;
                try
                {
                    return field = Tokenizer.Open(File);
                }
                catch (ModelFormatException problem) when (!File.IsOwn)
                {
                    TokenizerProblem = problem;
                    return null;
                }
            }
        }
    }

    /// <summary>Why <see cref="Tokenizer"/> is null although the file has one; known once that was asked for.</summary>
    public ModelFormatException? TokenizerProblem { get; private set; }

    /// <summary>The tokenizer, for what cannot be done without one.</summary>
    /// <exception cref="QedException">There is none, or none that can be used: <see cref="TokenizerProblem"/> itself.</exception>
    public Tokenizer RequireTokenizer() => Tokenizer ?? throw TokenizerProblem ?? new QedException($"{File.Name} has no tokenizer");

    /// <summary>How the model's conversations are written, made on first use; null where the file has no chat template.</summary>
    /// <exception cref="QedException">The file has no tokenizer, or the template cannot be run; the message names line and feature.</exception>
    public ChatTemplate? ChatTemplate
    {
        get
        {
            Tokenizer tokenizer = RequireTokenizer();
            lock (Weights)
                return field ??= ChatTemplate.Open(File, tokenizer);
        }
    }

    /// <summary>The chat template, for what cannot be done without one.</summary>
    /// <exception cref="QedException">There is none, or none that can be run.</exception>
    public ChatTemplate RequireChatTemplate() => ChatTemplate ?? throw new QedException($"{File.Name} has no chat template: it continues text; use plain generation");

    /// <summary>
    /// Refuses a text that cannot fit into a context, before memory and time are spent on encoding it: no token stands for more bytes than the longest does. What passes may
    /// still be too long.
    /// </summary>
    /// <param name="bytes">The text's bytes in UTF-8.</param>
    /// <param name="capacity">Tokens that the context holds (<see cref="Session.Capacity"/>).</param>
    /// <param name="past">Those of them that are taken.</param>
    /// <exception cref="ContextLengthException">It cannot fit.</exception>
    public void RequireFits(long bytes, int capacity, int past = 0)
    {
        long fewest = Tokenizer?.FewestTokens(bytes) ?? 0;
        if (fewest - 1 > capacity - past) // the last token of a text that is scored is not fed
            throw new ContextLengthException(past, (int)Math.Min(fewest, int.MaxValue), capacity, Config.ContextLength, isEstimate: true);
    }

    /// <summary>The prompt's beginning whose keys and values the file holds, or null; <see cref="Session.TakeBaked"/> uses it.</summary>
    public BakedPrefix? BakedPrefix { get; }

    /// <summary>The name of the kernel set in use.</summary>
    public string InstructionSet => Kernels.Name;

    /// <summary>Bytes of weights that decoding one token reads.</summary>
    public long WeightBytesPerToken => Weights.Matrices().Sum(matrix => matrix.Data.Length);

    internal KernelSet Kernels { get; }

    /// <summary>What keys and values depend on: this version's storage, and all tensors, by the checksums that the file carries or, where it has none, by their data.</summary>
    internal ulong Fingerprint
    {
        get
        {
            lock (Weights)
                return field != 0 ? field : field = ModelFingerprint.Of(File, Config.Architecture);
        }
    }

    internal ModelWeights Weights => _weights.Weights;

    /// <summary>Opens a model file.</summary>
    /// <param name="path">A GGUF file, or an executable with a model behind it.</param>
    /// <param name="options">Kernels and how the file is read; null is the defaults.</param>
    /// <exception cref="ModelFormatException">The file cannot be used; the message says why.</exception>
    /// <exception cref="QedException">The instruction set asked for is not available.</exception>
    public static QedModel Open(string path, ModelOptions? options = null) => Open(GgufFile.Open(path), options);

    /// <summary>Opens a model from its file, of which nothing but the header need have been read.</summary>
    /// <param name="file">The file; the model's from now on.</param>
    /// <param name="options">Kernels and how the file is read; null is the defaults.</param>
    /// <exception cref="ModelFormatException">The file cannot be used; the message says why.</exception>
    /// <exception cref="QedException">The instruction set asked for is not available.</exception>
    internal static QedModel Open(GgufFile file, ModelOptions? options) => Create(options?.Loading == ModelLoading.Memory ? file.InMemory() : file, options);

    /// <summary>Opens a model that is part of the program: a resource stream over unmanaged memory, used in place.</summary>
    /// <param name="resource">A manifest resource of a GGUF file; used in place.</param>
    /// <param name="name">What error messages call it.</param>
    /// <param name="options">Kernels; null is the defaults.</param>
    /// <exception cref="ModelFormatException">The resource cannot be used.</exception>
    public static QedModel Open(UnmanagedMemoryStream resource, string name, ModelOptions? options = null) =>
        Create(GgufFile.Open(resource, name), options);

    /// <summary>Opens a session: a context of its own with all its memory.</summary>
    /// <param name="options">Threads, context length, storage of keys and values; null is the defaults.</param>
    /// <exception cref="QedException">An option is out of range.</exception>
    public Session CreateSession(SessionOptions? options = null) => new(new Engine(this, options ?? new SessionOptions(), 1), ownsEngine: true);

    /// <summary>Opens sessions that are fed together.</summary>
    /// <param name="count">How many, 1 to 128.</param>
    /// <param name="options">Of each; the threads are shared.</param>
    /// <exception cref="QedException">An option is out of range.</exception>
    public SessionBatch CreateBatch(int count, SessionOptions? options = null) => new(this, count, options ?? new SessionOptions());

    /// <summary>Closes the model: no session can be opened any more, and with the last one that is open the file is closed.</summary>
    public void Dispose()
    {
        lock (_users)
        {
            if (_disposed)
                return;
            _disposed = true;
        }
        Release();
    }

    /// <summary>Keeps the file open for a session.</summary>
    /// <exception cref="ObjectDisposedException">The model was closed.</exception>
    internal void Retain()
    {
        lock (_users)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _userCount++;
        }
    }

    /// <summary>Ends what <see cref="Retain"/> began.</summary>
    internal void Release()
    {
        lock (_users)
        {
            if (--_userCount > 0)
                return;
        }
        _weights.Dispose();
        File.Dispose();
    }

    private static QedModel Create(GgufFile file, ModelOptions? options)
    {
        try
        {
            return new QedModel(file, ModelConfig.Read(file), KernelRegistry.Select(options?.InstructionSet), options?.OnProgress);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }
}
