namespace QedEdge.Native;

/// <summary>
/// What C programs hold: numbers, not addresses. The upper half of a handle is a number that is never given twice, with the highest bit set, as in no address of a process; the
/// lower half is a slot. So a closed handle and a number from anywhere are refused.
/// </summary>
internal static class Handles
{
    private static readonly Lock Gate = new();
    private static Entry?[] _entries = new Entry?[16];
    private static uint _last = 0x8000_0000;

    /// <summary>Takes an object in; <see cref="Close"/> disposes it.</summary>
    /// <param name="target">The object.</param>
    /// <param name="shared">Whether several calls may use it at a time.</param>
    public static nint Add(object target, bool shared)
    {
        lock (Gate)
        {
            int slot = Array.IndexOf(_entries, null);
            if (slot < 0)
            {
                slot = _entries.Length;
                Array.Resize(ref _entries, 2 * slot);
            }
            _last = _last == uint.MaxValue ? 0x8000_0001 : _last + 1;
            nint handle = (nint)(((ulong)_last << 32) | (uint)slot);
            _entries[slot] = new Entry(handle, target, shared);
            return handle;
        }
    }

    /// <summary>The object of a handle, for one call.</summary>
    /// <exception cref="StatusException">It is no open handle of this kind, or another call has its object.</exception>
    public static Lease<T> Use<T>(nint handle) where T : class
    {
        lock (Gate)
        {
            Entry entry = Find<T>(handle);
            if (!entry.Shared && entry.Users > 0)
                throw Busy<T>();
            var lease = new Lease<T>(entry, entry.Target is Session session ? session.Hold() : default);
            entry.Users++;
            return lease;
        }
    }

    /// <summary>
    /// Closes a handle. Calls that use its object are done undisturbed, but for a session's: it is cancelled and waited for, unless it is the one that this is called from.
    /// </summary>
    /// <exception cref="StatusException">It is no open handle of this kind.</exception>
    public static void Close<T>(nint handle) where T : class
    {
        if (handle == 0)
            return;
        Entry entry;
        lock (Gate)
        {
            entry = Find<T>(handle);
            _entries[Slot(handle)] = null;
            entry.Users++;
        }
        (entry.Target as Session)?.Dispose();
        Leave(entry, closing: true);
    }

    private static void Leave(Entry entry, bool closing = false)
    {
        bool last;
        lock (Gate)
        {
            entry.Closed |= closing;
            last = --entry.Users == 0 && entry.Closed;
        }
        if (last)
            (entry.Target as IDisposable)?.Dispose();
    }

    private static int Slot(nint handle) => (int)((ulong)handle & uint.MaxValue);

    private static Entry Find<T>(nint handle) where T : class
    {
        if (handle == 0)
            throw new StatusException(Status.Handle, $"the {Kind<T>()} handle is null");
        uint slot = (uint)Slot(handle);
        return slot < (uint)_entries.Length && _entries[slot] is { } entry && entry.Handle == handle && entry.Target is T ? entry
            : throw new StatusException(Status.Handle, $"this is no open {Kind<T>()}: it was closed, or never opened");
    }

    private static StatusException Busy<T>() => new(Status.Busy, $"another call is using the {Kind<T>()}");

    private static string Kind<T>() => typeof(T) == typeof(QedModel) ? "model" : typeof(T) == typeof(Session) ? "session" : "sampler";

    /// <summary>An open object.</summary>
    internal sealed class Entry(nint handle, object target, bool shared)
    {
        public nint Handle { get; } = handle;

        public object Target { get; } = target;

        public bool Shared { get; } = shared;

        public int Users { get; set; }

        public bool Closed { get; set; }
    }

    /// <summary>A call's lease of an object.</summary>
    public readonly ref struct Lease<T>(Entry entry, Engine.Use hold) where T : class
    {
        private readonly Engine.Use _hold = hold; // of a session

        public T Target => (T)entry.Target;

        /// <summary>Releases it.</summary>
        public void Dispose()
        {
            _hold.Dispose();
            Leave(entry);
        }
    }
}
