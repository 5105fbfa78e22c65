using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace QedEdge.Native;

/// <summary>Sessions of qed.h.</summary>
internal static unsafe class SessionFunctions
{
    [UnmanagedCallersOnly(EntryPoint = "qed_session_open")]
    public static int Open(nint model, NativeSessionOptions* options, nint* session)
    {
        try
        {
            Text.Require(session, "where to put the session");
            *session = 0;
            using Handles.Lease<QedModel> lease = Handles.Use<QedModel>(model);
            *session = Handles.Add(lease.Target.CreateSession(Options(options)), shared: false);
            return (int)Status.Ok;
        }
        catch (Exception e)
        {
            return LastError.Set(e);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "qed_session_close")]
    public static int Close(nint session)
    {
        try
        {
            Handles.Close<Session>(session);
            return (int)Status.Ok;
        }
        catch (Exception e)
        {
            return LastError.Set(e);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "qed_get_session_info")]
    public static int GetInfo(nint session, SessionInfo* info)
    {
        try
        {
            using Handles.Lease<Session> lease = Handles.Use<Session>(session);
            Session own = lease.Target;
            Versioned.Write(info, new SessionInfo
            {
                Position = own.Position,
                Capacity = own.Capacity,
                Threads = own.Threads,
                KvType = (int)own.KvType,
                Overflow = (int)own.Overflow,
                HasLogits = own.HasLogits ? 1 : 0,
                VocabSize = own.VocabSize,
            }, "the session info");
            return (int)Status.Ok;
        }
        catch (Exception e)
        {
            return LastError.Set(e);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "qed_position")]
    public static long GetPosition(nint session)
    {
        try
        {
            using Handles.Lease<Session> lease = Handles.Use<Session>(session);
            return lease.Target.Position;
        }
        catch (Exception e)
        {
            return LastError.Set(e);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "qed_rollback")]
    public static int Rollback(nint session, int position)
    {
        try
        {
            using Handles.Lease<Session> lease = Handles.Use<Session>(session);
            if (position < 0 || position > lease.Target.Position)
                throw new StatusException(Status.Argument, $"the position must be 0 to {lease.Target.Position}, got {position}");
            lease.Target.Rollback(position);
            return (int)Status.Ok;
        }
        catch (Exception e)
        {
            return LastError.Set(e);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "qed_feed")]
    public static int Feed(nint session, int* ids, nuint count)
    {
        try
        {
            using Handles.Lease<Session> lease = Handles.Use<Session>(session);
            lease.Target.Feed(Text.Read(ids, count, "the ids"));
            return (int)Status.Ok;
        }
        catch (Exception e)
        {
            return LastError.Set(e);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "qed_logits")]
    public static long GetLogits(nint session, float* buffer, nuint capacity)
    {
        try
        {
            using Handles.Lease<Session> lease = Handles.Use<Session>(session);
            return Text.Write(lease.Target.Logits, buffer, capacity);
        }
        catch (Exception e)
        {
            return LastError.Set(e);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "qed_logits_view")]
    public static long ViewLogits(nint session, float** logits)
    {
        try
        {
            using Handles.Lease<Session> lease = Handles.Use<Session>(session);
            Text.Require(logits, "where to put the address");
            ReadOnlySpan<float> own = lease.Target.Logits;
            *logits = (float*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(own)); // unmanaged memory
            return own.Length;
        }
        catch (Exception e)
        {
            return LastError.Set(e);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "qed_session_save")]
    public static int Save(nint session, byte* path, int overwrite)
    {
        try
        {
            using Handles.Lease<Session> lease = Handles.Use<Session>(session);
            lease.Target.Save(Text.Name(path, "the path"), Flag(overwrite, "overwrite"));
            return (int)Status.Ok;
        }
        catch (Exception e)
        {
            return LastError.Set(e);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "qed_session_restore")]
    public static int Restore(nint session, byte* path)
    {
        try
        {
            using Handles.Lease<Session> lease = Handles.Use<Session>(session);
            lease.Target.Restore(Text.Name(path, "the path"));
            return (int)Status.Ok;
        }
        catch (Exception e)
        {
            return LastError.Set(e);
        }
    }

    /// <summary>A number that says yes or no.</summary>
    /// <exception cref="StatusException">It is neither.</exception>
    public static bool Flag(int value, string name) => value is 0 or 1 ? value == 1 : throw new StatusException(Status.Argument, $"{name} must be 0 or 1, got {value}");

    private static SessionOptions Options(NativeSessionOptions* given)
    {
        NativeSessionOptions options = Versioned.Read(given, default, "the options");
        if (options.KvType is < 0 or > (int)KvCacheType.Q8_0)
            throw new StatusException(Status.Argument, $"the type of keys and values must be 0 to {(int)KvCacheType.Q8_0}, got {options.KvType}");
        return new SessionOptions
        {
            Threads = options.Threads == 0 ? null : options.Threads,
            ContextLength = options.ContextLength == 0 ? null : options.ContextLength,
            KvType = (KvCacheType)options.KvType,
            Overflow = Flag(options.Overflow, "the overflow") ? ContextOverflow.Slide : ContextOverflow.Stop,
            Sinks = options.Sinks switch { 0 => null, -1 => 0, _ => options.Sinks },
        };
    }
}
