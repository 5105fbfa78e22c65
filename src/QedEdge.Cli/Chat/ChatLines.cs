using QedEdge.Chat;
using QedEdge.Cli.Json;
using QedEdge.Generation;
using QedEdge.Json;

namespace QedEdge.Cli.Chat;

/// <summary>
/// A conversation with a program: a message as JSON in OpenAI's form for each line of standard input, and a line of JSON for each. A user's message is answered, and a tool's result when no
/// call is without one; others are taken only.
/// </summary>
/// <param name="conversation">The conversation.</param>
/// <param name="settings">How answers are generated.</param>
/// <param name="signals">What stops an answer.</param>
internal sealed class ChatLines(Dialogue conversation, ChatSettings settings, ChatSignals signals)
{
    private const string StandardInput = "-";

    /// <summary>Reads and answers to the end of the input.</summary>
    /// <returns>How many lines could not be used.</returns>
    public long Run()
    {
        long errors = 0;
        foreach ((long number, byte[] line) in JsonLines.Read(StandardInput))
        {
            try
            {
                Take(JsonValue.ParseObject(line));
            }
            catch (QedException e) when (e is not OutputException)
            {
                errors++;
                Terminal.WriteJson(json => json.WriteString("error", $"line {number}: {(e is ContextLengthException context ? ContextMessage.Of(context, "conversation", slides: true) : e.Message)}"));
            }
            if (signals.IsEnding)
                break;
        }
        return errors;
    }

    private void Take(JsonValue line)
    {
        ChatMessage message = ConversationReader.ReadMessage(line, ConversationReader.Beside);
        Conversation beside = ConversationReader.ReadBeside(line);
        var (tools, thinks, variables) = (conversation.Tools, conversation.Thinks, conversation.Variables);
        if (line.Find("tools") is not null) // an empty list takes them away
            conversation.Tools = beside.Tools;
        conversation.Thinks = beside.EnableThinking ?? thinks;
        conversation.Variables = beside.Variables ?? variables;
        try
        {
            Take(message);
        }
        catch
        {
            (conversation.Tools, conversation.Thinks, conversation.Variables) = (tools, thinks, variables); // nothing of the line was taken
            throw;
        }
    }

    private void Take(ChatMessage message)
    {
        bool answers = message.Role == "user" || (message.Role == "tool" && conversation.OpenCalls <= 1);
        if (!answers)
        {
            conversation.Add(message);
            Terminal.WriteJson(json => json.WriteNumber("messages", conversation.Count));
            return;
        }
        GenerationOptions options = settings.Options();
        ChatResult result = signals.Run(cancellation => conversation.Answer(message, options, null, cancellation));
        Terminal.WriteJson(json =>
        {
            MessagesText.WriteAnswer(json, result.Answer);
            GenerationRecord.Write(json, result.Generation, options.Sampling.Seed);
            json.WriteNumber("messages", conversation.Count);
        });
    }
}
