using System.Runtime.InteropServices;
using System.Text;

namespace QedEdge.Native;

/// <summary>Hands text to a program's callback. Nothing is allocated per token once the buffer has its size.</summary>
internal sealed unsafe class TextReceiver(delegate* unmanaged<nint, byte*, nuint, int, int> callback, nint user) : IDisposable
{
    private byte* _buffer;
    private int _capacity;

    /// <summary>Whether the callback asked to stop.</summary>
    public bool HasStopped { get; private set; }

    /// <summary>Shows a token's text.</summary>
    public void Show(ReadOnlySpan<char> text, int id)
    {
        int most = Encoding.UTF8.GetMaxByteCount(text.Length) + 1;
        if (most > _capacity)
        {
            _buffer = (byte*)NativeMemory.Realloc(_buffer, (nuint)most);
            _capacity = most;
        }
        int length = Encoding.UTF8.GetBytes(text, new Span<byte>(_buffer, _capacity));
        _buffer[length] = 0;
        HasStopped = callback(user, _buffer, (nuint)length, id) != 0;
    }

    /// <summary>Frees the buffer.</summary>
    public void Dispose() => NativeMemory.Free(_buffer);
}
