using System.Runtime.InteropServices;
using QedEdge.Chat;

namespace QedEdge.Native;

/// <summary>Conversations of qed.h.</summary>
internal static unsafe class ChatFunctions
{
    [UnmanagedCallersOnly(EntryPoint = "qed_chat")]
    public static long Chat(nint model, byte* conversation, nuint length, int* ids, nuint capacity)
    {
        try
        {
            using Handles.Lease<QedModel> lease = Handles.Use<QedModel>(model);
            TextFunctions.Of(lease.Target);
            Text.Buffer(ids, capacity);
            Conversation read = Conversation.Parse(Text.Read(conversation, length, "the conversation").ToArray());
            return Text.Write<int>(lease.Target.RequireChatTemplate().Encode(read), ids, capacity);
        }
        catch (Exception e)
        {
            return LastError.Set(e);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "qed_chat_stop")]
    public static long ChatStop(nint model, nuint index, byte* buffer, nuint capacity)
    {
        try
        {
            using Handles.Lease<QedModel> lease = Handles.Use<QedModel>(model);
            TextFunctions.Of(lease.Target);
            IReadOnlyList<string> stops = lease.Target.RequireChatTemplate().StopTexts;
            return Text.Write(index < (nuint)stops.Count ? stops[(int)index] : "", buffer, capacity);
        }
        catch (Exception e)
        {
            return LastError.Set(e);
        }
    }
}
