namespace QedEdge.Architectures;

/// <summary>
/// Where hyperparameters come from: a GGUF file's metadata or a checkpoint's config.json. Keys are those of a GGUF file of architecture "qed" (<see cref="Gguf.GgufKeys"/>); a
/// source knows what it calls them itself. Values of a wrong type are its errors.
/// </summary>
internal interface IHyperparameterSource
{
    /// <summary>Whether what is absent has the defaults of Hugging Face's configurations; a GGUF file must say it.</summary>
    bool HasDefaults { get; }

    /// <summary>A whole number from 0 on, or null where it is absent.</summary>
    uint? FindNumber(string key);

    /// <summary>A real number, or null.</summary>
    float? FindReal(string key);

    /// <summary>True or false, or null.</summary>
    bool? FindFlag(string key);

    /// <summary>A word, or null.</summary>
    string? FindText(string key);

    /// <summary>A list of flags, or null.</summary>
    bool[]? FindFlags(string key);

    /// <summary>Whether the matrices of a slot have biases; null where the source does not say.</summary>
    bool? HasBias(Slot slot);

    /// <summary>Whether there is a head of its own beside the embedding; null where the source does not know.</summary>
    bool? HasHead();

    /// <summary>Whether logits get a bias; null where the source does not know.</summary>
    bool? HasHeadBias();

    /// <summary>The frequencies' divisors: whether rotary positions are scaled by a table.</summary>
    bool HasRotaryFactors();

    /// <summary>The error for a value that cannot be used.</summary>
    ModelFormatException Wrong(string key, string problem);

    /// <summary>The error for a value that asks for what is not supported.</summary>
    ModelFormatException Unsupported(string key, string problem);
}
