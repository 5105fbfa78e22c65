using System.Runtime.InteropServices;
using System.IO.MemoryMappedFiles;

namespace QedEdge.Fuzz;

/// <summary>What a worker is at, in a file in memory that outlives it: the input that ended it is still there.</summary>
internal sealed unsafe class SharedState : IDisposable
{
    /// <summary>No input is longer.</summary>
    public const int LongestInput = 1 << 22;

    private const string FileName = "state";
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private readonly byte* _start;

    public SharedState(string folder)
    {
        _file = MemoryMappedFile.CreateFromFile(Path.Combine(folder, FileName), FileMode.OpenOrCreate, null, sizeof(Fields) + LongestInput);
        _view = _file.CreateViewAccessor();
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _start);
    }

    /// <summary>The numbers.</summary>
    public ref Fields Now => ref *(Fields*)_start;

    /// <summary>The input that is run.</summary>
    public byte[] Input
    {
        get => new ReadOnlySpan<byte>(_start + sizeof(Fields), Now.InputLength).ToArray();
        set
        {
            Now.InputLength = value.Length;
            value.CopyTo(new Span<byte>(_start + sizeof(Fields), LongestInput));
        }
    }

    public void Dispose()
    {
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _file.Dispose();
    }

    /// <summary>Numbers that both sides see.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Fields
    {
        /// <summary>Executions of all targets.</summary>
        public long Executions;

        /// <summary>Executions of the target that runs.</summary>
        public long OfTarget;

        /// <summary>Which target runs.</summary>
        public int Target;

        /// <summary>Faults found.</summary>
        public int Faults;

        public int InputLength;
    }
}
