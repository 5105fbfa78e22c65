using System.Text;
using System.Text.Json;

namespace QedEdge.Conversion.Checkpoints;

/// <summary>A token that a checkpoint's <c>tokenizer_config.json</c> names.</summary>
/// <param name="Key">The key that names it.</param>
/// <param name="Text">Its text.</param>
/// <param name="File">The file, for errors.</param>
internal sealed record NamedToken(string Key, string Text, string File)
{
    /// <summary>The id that the file gives it, or null.</summary>
    public int? Id { get; init; }

    /// <summary>Whether decoding leaves it out.</summary>
    public bool Special { get; init; } = true;

    /// <summary>Whether it is looked for only behind the tokens that are not normalized.</summary>
    public bool Normalized { get; init; }

    /// <summary>Whether white space before it belongs to it.</summary>
    public bool StripsLeft { get; init; }

    /// <summary>Whether white space behind it does.</summary>
    public bool StripsRight { get; init; }
}

/// <summary>
/// What a checkpoint says of its tokenizer beside tokenizer.json: <c>tokenizer_config.json</c>, <c>special_tokens_map.json</c> where the
/// former is of the old form without <c>added_tokens_decoder</c>, <c>chat_template.jinja</c> and <c>additional_chat_templates/</c>. All of them may be absent.
/// </summary>
internal sealed class TokenizerConfig
{
    /// <summary>The file's name in a checkpoint.</summary>
    public const string FileName = "tokenizer_config.json";

    /// <summary>The key of a space that is put before every text.</summary>
    public const string PrefixSpaceKey = "add_prefix_space";

    private const string Decoder = "added_tokens_decoder";
    private const string MapFile = "special_tokens_map.json";
    private const string TemplateFile = "chat_template.jinja";
    private const string TemplateFolder = "additional_chat_templates", TemplateExtension = ".jinja";
    private const string TemplateKey = "chat_template";
    private const string DefaultTemplate = "default";

    private static readonly string[] Roles = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

    private readonly Dictionary<string, NamedToken> _roles = [];
    private readonly List<NamedToken> _others = [];
    private readonly List<(string Name, string Text)> _furtherTemplates = [];

    private TokenizerConfig(string folder)
    {
        string path = Path = System.IO.Path.Combine(folder, FileName), map = System.IO.Path.Combine(folder, MapFile);
        string template = System.IO.Path.Combine(folder, TemplateFile);
        using var document = CheckpointJson.FindObject(path, CheckpointLimits.TokenizerConfigBytes);
        JsonValues? config = document is null ? null : new JsonValues(document.RootElement, path);
        if (config is { } json)
        {
            ReadTokens(json, path);
            if (json.FindBool("split_special_tokens") == true)
                throw new ModelFormatException(ModelFault.Unsupported, path, "text cannot be tokenized so; it must be false", "split_special_tokens");
            AddsPrefixSpace = json.FindBool(PrefixSpaceKey) == true;
            AddBos = json.FindBool("add_bos_token");
            AddEos = json.FindBool("add_eos_token");
        }
        if (config?.Contains(Decoder) != true)
        {
            using var old = CheckpointJson.FindObject(map, CheckpointLimits.TokenizerConfigBytes);
            if (old is not null)
                ReadTokens(new JsonValues(old.RootElement, map), map);
        }
        bool hasFiles = ReadTemplateFolder(System.IO.Path.Combine(folder, TemplateFolder));
        ChatTemplate = CheckpointFiles.Exists(template) ? ReadTemplateFile(template)
            : hasFiles ? throw new ModelFormatException(ModelFault.Unsupported, template, $"there is no such file, and {TemplateFolder} has others ({string.Join(", ", _furtherTemplates.Select(further => further.Name))}); copy the one to take to {TemplateFile}")
            : config is { } values ? ReadTemplate(values) : null;
        foreach (string text in _furtherTemplates.Select(further => further.Text).Prepend(ChatTemplate ?? ""))
        {
            if (Encoding.UTF8.GetByteCount(text) is > CheckpointLimits.ChatTemplateBytes and var bytes)
                throw new ModelFormatException(ModelFault.Unsupported, path, $"the template has {bytes} bytes, more than the {CheckpointLimits.ChatTemplateBytes} that one may have", TemplateKey);
        }
    }

    /// <summary>The path of tokenizer_config.json.</summary>
    public string Path { get; }

    /// <summary>All tokens that are named: Hugging Face makes each of them an added token.</summary>
    public IEnumerable<NamedToken> Tokens => _others.Concat(_roles.Values);

    /// <summary><c>add_bos_token</c>, or null.</summary>
    public bool? AddBos { get; }

    /// <summary><c>add_eos_token</c>, or null.</summary>
    public bool? AddEos { get; }

    /// <summary><c>add_prefix_space</c>.</summary>
    public bool AddsPrefixSpace { get; }

    /// <summary>The chat template: chat_template.jinja, or the key's text, or of several the one named "default"; or null.</summary>
    public string? ChatTemplate { get; }

    /// <summary>Names and texts of the other templates, such as <c>tool_use</c>.</summary>
    public IReadOnlyList<(string Name, string Text)> FurtherTemplates => _furtherTemplates;

    /// <summary>Reads what there is in a checkpoint's folder.</summary>
    /// <exception cref="ModelFormatException">A file cannot be read, or a value is of a wrong kind or asks for something this version cannot do exactly.</exception>
    public static TokenizerConfig ReadFolder(string folder) => new(folder);

    /// <summary>The token that has a role such as <c>bos_token</c>, or null.</summary>
    public NamedToken? Find(string role) => _roles.GetValueOrDefault(role);

    private void ReadTokens(JsonValues json, string path)
    {
        foreach (string role in Roles)
        {
            if (json.Find(role) is { } value)
                _roles[role] = Token(value, role, path);
        }
        foreach (string key in (ReadOnlySpan<string>)["additional_special_tokens", "extra_special_tokens"])
        {
            if (json.Find(key) is not { } list)
                continue;
            _others.AddRange(list.ValueKind switch
            {
                JsonValueKind.Array => list.EnumerateArray().Select(value => Token(value, key, path)),
                JsonValueKind.Object => list.EnumerateObject().Select(entry => Token(entry.Value, key, path)),
                _ => throw json.Wrong(key, "the value is no list of tokens"),
            });
            RequireFew(key, path);
        }
        if (json.Find(Decoder) is not { } decoder)
            return;
        if (decoder.ValueKind != JsonValueKind.Object)
            throw json.Wrong(Decoder, "the value is no object");
        foreach (var entry in decoder.EnumerateObject())
        {
            if (!int.TryParse(entry.Name, out int id))
                throw json.Wrong(Decoder, $"'{ModelFormatException.OneLine(entry.Name)}' is no token id");
            _others.Add(Token(entry.Value, Decoder, path) with { Id = id });
        }
        RequireFew(Decoder, path);
    }

    private void RequireFew(string key, string path)
    {
        if (_others.Count > CheckpointLimits.AddedTokens)
            throw AddedTokens.TooMany(path, key);
    }

    /// <summary>A token is written as its text, or as an object with its text and how it is looked for.</summary>
    private static NamedToken Token(JsonElement value, string key, string path)
    {
        if (value.ValueKind != JsonValueKind.Object)
            return new NamedToken(key, new JsonValues(value, path).Text(value, key), path);
        var json = new JsonValues(value, path);
        string text = json.FindString("content") ?? throw json.Wrong(key, "the token has no content");
        if (json.FindBool("single_word") == true)
            throw new ModelFormatException(ModelFault.Unsupported, path, $"'{ModelFormatException.OneLine(text)}' with single_word cannot be tokenized exactly and is not supported", key);
        // A token with a role is special, whatever its object says.
        return new NamedToken(key, text, path)
        {
            Special = key != Decoder || json.FindBool("special") == true,
            Normalized = json.FindBool("normalized") == true,
            StripsLeft = json.FindBool("lstrip") == true,
            StripsRight = json.FindBool("rstrip") == true,
        };
    }

    private string? ReadTemplate(JsonValues json)
    {
        if (json.Find(TemplateKey) is not { ValueKind: JsonValueKind.Array } list)
            return json.FindString(TemplateKey);
        string? text = null;
        var names = new List<string>();
        foreach (var entry in list.EnumerateArray())
        {
            var template = json.Object(entry, TemplateKey);
            if (entry.ValueKind != JsonValueKind.Object || template.FindString("name") is not { } name || template.FindString("template") is not { } value)
                throw json.Wrong(TemplateKey, "an element of the list is no object with name and template");
            names.Add(ModelFormatException.OneLine(name));
            if (name == DefaultTemplate)
                text = value;
            else
                AddTemplate(name, value);
        }
        return text ?? throw json.Wrong(TemplateKey, $"none of the templates ({string.Join(", ", names)}) is named '{DefaultTemplate}'; name the one to take so");
    }

    /// <summary>Reads the templates beside chat_template.jinja, which like that one go before tokenizer_config.json's; false where there are none.</summary>
    private bool ReadTemplateFolder(string folder)
    {
        foreach (string path in CheckpointFiles.List(folder, TemplateExtension))
            AddTemplate(System.IO.Path.GetFileNameWithoutExtension(path), ReadTemplateFile(path));
        return _furtherTemplates.Count > 0;
    }

    private void AddTemplate(string name, string text)
    {
        if (name.Length is > 0 and <= CheckpointLimits.TemplateName && name.All(static c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-') && _furtherTemplates.All(other => other.Name != name))
            _furtherTemplates.Add((name, text)); // what is no key of a file is nobody's
    }

    /// <summary>The file as it is: whoever runs the template does with its line ends what Jinja does.</summary>
    private static string ReadTemplateFile(string path)
    {
        try
        {
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(CheckpointFiles.ReadBytes(path, CheckpointLimits.ChatTemplateBytes).Span);
        }
        catch (DecoderFallbackException exception)
        {
            throw new ModelFormatException(ModelFault.Damaged, path, "the template is no valid UTF-8", inner: exception);
        }
    }
}
