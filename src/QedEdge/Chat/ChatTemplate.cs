using System.Text;
using QedEdge.Gguf;
using QedEdge.Machine;
using QedEdge.Templates;
using QedEdge.Text;

namespace QedEdge.Chat;

/// <summary>
/// A model's chat template: makes the prompt of a conversation, in the model's own format. Immutable, for any number of threads. What was typed into a conversation never becomes a
/// special token.
/// </summary>
public sealed class ChatTemplate
{
    /// <summary>QED's format, for its files that have no template: for each message its role as a tag, its content, and the tag of an answer. The tags are ordinary text.</summary>
    internal const string Qed =
        "{{ bos_token }}{% for message in messages %}{{ '<|' + message['role'] + '|>\\n' + message['content'] + '\\n' }}{% endfor %}"
        + "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}";

    /// <summary>The name of a second template, for conversations with tools.</summary>
    internal const string ToolUse = "tool_use";

    private readonly string _file;
    private readonly Tokenizer _tokenizer;
    private readonly Template _template;
    private readonly Template? _toolUse;
    private string[]? _stopTexts;

    private ChatTemplate(GgufFile file, Tokenizer tokenizer, string source, string? toolUse)
    {
        (_file, _tokenizer) = (file.Name, tokenizer);
        _template = Parse(source);
        _toolUse = toolUse is null ? null : Parse(toolUse);
    }

    /// <summary>The chat template of a model's file, or null where it has none.</summary>
    /// <param name="file">The file.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <exception cref="QedException">The template cannot be run; the message names line and feature.</exception>
    public static ChatTemplate? Open(GgufFile file, Tokenizer tokenizer)
    {
        GgufMetadata keys = file.Metadata;
        string? source = keys.FindString(GgufKeys.ChatTemplate) ?? (keys.FindString(GgufKeys.Architecture) == GgufKeys.Qed ? Qed : null);
        return source is null ? null : new ChatTemplate(file, tokenizer, source, keys.FindString($"{GgufKeys.ChatTemplate}.{ToolUse}"));
    }

    /// <summary>
    /// What ends an answer besides the model's own end token: what the template puts behind one. The text of a special token stands for that token
    /// (<see cref="Generation.GeneratedText"/>).
    /// </summary>
    public IReadOnlyList<string> StopTexts => _stopTexts ??= TurnProbe.StopTexts(this, _tokenizer);

    /// <summary>A conversation's text.</summary>
    /// <param name="conversation">The messages and what goes with them.</param>
    /// <param name="addGenerationPrompt">Whether what asks for an answer comes last.</param>
    /// <param name="cancellation">Ends the work.</param>
    /// <exception cref="QedException">The template refuses the conversation, or takes too much.</exception>
    public RenderedText Render(Conversation conversation, bool addGenerationPrompt = true, CancellationToken cancellation = default) =>
        Render(ConversationVariables.Of(conversation, addGenerationPrompt), conversation.Now, cancellation);

    /// <summary>A conversation's token ids. A begin-of-text token is there where the template writes it or the model's file asks for one.</summary>
    /// <param name="conversation">The messages and what goes with them.</param>
    /// <param name="addGenerationPrompt">Whether what asks for an answer comes last.</param>
    /// <param name="cancellation">Ends the work.</param>
    /// <exception cref="QedException">The template refuses the conversation, or takes too much.</exception>
    public int[] Encode(Conversation conversation, bool addGenerationPrompt = true, CancellationToken cancellation = default) =>
        Encode(Render(conversation, addGenerationPrompt, cancellation));

    /// <summary>A rendered conversation's token ids.</summary>
    /// <param name="text">What <see cref="Render(Conversation, bool, CancellationToken)"/> gave.</param>
    public int[] Encode(RenderedText text)
    {
        var ids = new List<int>();
        _tokenizer.Encode(text.Text, text.Typed, ids, _tokenizer.PromptOptions & ~EncodeOptions.AddEos);
        return [.. ids];
    }

    /// <summary>The token ids that conversations with a system message begin with, up to where the first user's words stand.</summary>
    /// <param name="system">The message.</param>
    /// <exception cref="QedException">The template has no system messages, or puts other things before them.</exception>
    public int[] EncodeSystem(string system) => TurnProbe.EncodeSystem(this, system)
        ?? throw new QedException($"{_file}: the chat template puts no system message before what a user says; bake a prompt instead");

    /// <summary>The text of variables, as 'qed render' has them.</summary>
    internal RenderedText Render(DictValue variables, DateTime? now, CancellationToken cancellation)
    {
        DateTime time = ConversationVariables.TimeOf(variables) ?? now ?? LocalTime.Now;
        var all = new DictValue();
        Token("bos_token", _tokenizer.BosId);
        Token("eos_token", _tokenizer.EosId);
        Token("pad_token", _tokenizer.PadId);
        Token("unk_token", _tokenizer.UnkId);
        ConversationVariables.Copy(variables, all);
        bool hasTools = variables.TryGet("tools", out object? tools) && Values.Truth(tools);
        try
        {
            return new RenderedText((hasTools && _toolUse is not null ? _toolUse : _template).Render(all, time, cancellation));
        }
        catch (TemplateException e)
        {
            throw new QedException($"{_file}: the chat template {(e.IsRaised ? "says" : "fails")}: {e.Message}", e);
        }

        void Token(string name, int id)
        {
            if (id >= 0)
                all.Set(name, new TemplateText(Encoding.UTF8.GetString(_tokenizer.Piece(id))));
        }
    }

    private Template Parse(string source)
    {
        try
        {
            return Template.Parse(source);
        }
        catch (TemplateException e)
        {
            throw new QedException($"{_file}: the chat template cannot be run: {e.Message}; use plain generation, or convert with another template", e);
        }
    }
}
