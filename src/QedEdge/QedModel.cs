using QedEdge.Gguf;
using QedEdge.Kernels;
using QedEdge.Memory;
using QedEdge.Model;

namespace QedEdge;

/// <summary>
/// A QED model, opened from a memory-mapped file: read-only, shared by any number of sessions and threads.
/// <code>
/// using var model = QedModel.Open("qed.gguf");
/// using Session session = model.CreateSession();
/// session.Feed(model.Tokenizer!.Encode("Once upon a time"));
/// ReadOnlySpan&lt;float&gt; logits = session.Logits;
/// </code>
/// </summary>
public sealed class QedModel : IDisposable
{
    private const string Architecture = "qed";

    private QedModel(GgufFile file, ModelOptions options)
    {
        File = file;
        Config = ModelConfig.Read(file);
        if (!file.Metadata.Contains(GgufKeys.HeaderChecksum))
        {
            throw new ModelFormatException(ModelFault.Damaged, file.Name,
                $"a file of architecture '{Architecture}' must carry the checksum of its header; convert the checkpoint again", key: GgufKeys.HeaderChecksum);
        }
        Kernels = KernelRegistry.Select(options.InstructionSet);
        Weights = new ModelWeights(file, Config);
    }

    /// <summary>The file's metadata and tensor table.</summary>
    public GgufFile File { get; }

    /// <summary>The model's dimensions.</summary>
    public ModelConfig Config { get; }

    /// <summary>The name of the kernel set in use.</summary>
    public string InstructionSet => Kernels.Name;

    internal KernelSet Kernels { get; }

    internal ModelWeights Weights { get; }

    /// <summary>Opens a model file.</summary>
    /// <exception cref="ModelFormatException">The file cannot be used; the message says why.</exception>
    /// <exception cref="QedException">The instruction set asked for is not available.</exception>
    public static QedModel Open(string path, ModelOptions? options = null) => Create(GgufFile.Open(path), options);

    /// <summary>Opens a model that is part of the program: a resource stream over unmanaged memory, used in place.</summary>
    /// <exception cref="ModelFormatException">The resource cannot be used.</exception>
    public static QedModel Open(UnmanagedMemoryStream resource, string name, ModelOptions? options = null) =>
        Create(GgufFile.Open(NativeView.Of(resource), name, resource), options);

    /// <summary>Opens a session: a context of its own with all its memory.</summary>
    /// <exception cref="QedException">An option is out of range.</exception>
    public Session CreateSession(SessionOptions? options = null) => new(this, options ?? new SessionOptions());

    /// <summary>Closes the file; sessions must be closed before.</summary>
    public void Dispose()
    {
        Weights.Dispose();
        File.Dispose();
    }

    private static QedModel Create(GgufFile file, ModelOptions? options)
    {
        try
        {
            return new QedModel(file, options ?? new ModelOptions());
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }
}
