namespace QedEdge.Fuzz;

/// <summary>
/// A reader that is given changed inputs. A new format is a new class in Targets/: it is found by itself.
/// Inputs are bytes; what takes several files packs them (<see cref="Mutation.FileSet"/>).
/// </summary>
internal abstract class Target
{
    /// <summary>Its name on the command line; its class's without "Target", in small letters.</summary>
    public string Name => GetType().Name.Replace("Target", "", StringComparison.Ordinal).ToLowerInvariant();

    /// <summary>Its share of a run's executions, beside the other targets'.</summary>
    public virtual int Share => 15;

    /// <summary>Managed bytes that an execution may allocate beyond those of <see cref="BytesPerByte"/>.</summary>
    public virtual long FixedBytes => 4 << 20;

    /// <summary>Managed bytes that an execution may allocate for each byte of input.</summary>
    public virtual long BytesPerByte => 200;

    /// <summary>Whether none of the seeds may be refused.</summary>
    public virtual bool SeedsAreSound => true;

    /// <summary>Inputs to begin with, and prepares what executions need.</summary>
    /// <param name="folder">A folder of the target's own, in memory.</param>
    public abstract IEnumerable<byte[]> Seeds(string folder);

    /// <summary>Changes an input.</summary>
    /// <param name="random">The source of all choices.</param>
    /// <param name="input">What is changed; stays as it is.</param>
    /// <param name="other">Another input, to take parts of.</param>
    public abstract byte[] Mutate(Random random, byte[] input, byte[] other);

    /// <summary>Reads an input as a program does, uses what came of it, and closes it.</summary>
    /// <param name="input">The input.</param>
    /// <returns>What happened, in a few words that are the same for inputs of one kind.</returns>
    /// <exception cref="Exception">Those that <see cref="Judge"/> allows, else a fault is found.</exception>
    public abstract string Execute(Input input);

    /// <summary>All targets, by name.</summary>
    public static IReadOnlyList<Target> All { get; } = [.. typeof(Target).Assembly.GetTypes()
        .Where(type => type.IsSubclassOf(typeof(Target)) && !type.IsAbstract)
        .Select(type => (Target)Activator.CreateInstance(type)!).OrderBy(target => target.Name, StringComparer.Ordinal)];
}

/// <summary>What an execution reads.</summary>
/// <param name="bytes">The input.</param>
/// <param name="memory">The same bytes outside the managed heap, up to a page that cannot be read.</param>
internal readonly unsafe struct Input(byte[] bytes, byte* memory)
{
    public byte[] Bytes => bytes;

    /// <summary>The bytes as a resource is given.</summary>
    public UnmanagedMemoryStream Stream() => new(memory, bytes.Length);
}
