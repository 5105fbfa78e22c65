using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Running;
using QedEdge.Kernels;
using QedEdge.Memory;
using QedEdge.Quantization;

BenchmarkSwitcher.FromAssembly(typeof(QedEdge.Benchmarks.GemvBenchmarks).Assembly).Run(args);

namespace QedEdge.Benchmarks
{
    /// <summary>
    /// One thread, one matrix of QED-75M's feed-forward part [1024, 384] repeated to 16 MB, one token: what a kernel makes of memory.
    /// Run with <c>dotnet run --project bench/QedEdge.Benchmarks -c Release -- --filter *Gemv*</c>.
    /// </summary>
    public class GemvBenchmarks
    {
        private const int Cols = 384;
        private const int Bytes = 16 << 20;

        private AlignedBuffer<byte> _weights = null!;
        private PackedMatrix _matrix;
        private Activations _input = null!;
        private float[] _output = null!;
        private KernelSet _kernels = null!;

        public static IEnumerable<string> Sets => KernelRegistry.Available.Select(set => set.Name).Where(name => name != "scalar");

        [ParamsSource(nameof(Sets))]
        public string Set { get; set; } = "";

        [Params("Q4_0", "Q8_0", "F16")]
        public string Format { get; set; } = "";

        [GlobalSetup]
        public void Setup()
        {
            BlockFormat format = Enum.Parse<BlockFormat>(Format);
            _kernels = KernelRegistry.Select(Set);
            int rows = (int)(Bytes / PackedLayout.GroupBytes(format, Cols)) * PackedLayout.GroupRows;
            _weights = new AlignedBuffer<byte>(PackedLayout.MatrixBytes(format, rows, Cols));
            _weights.Span.Fill(0x11); // finite scales, small values
            _matrix = new PackedMatrix(format, rows, Cols, _weights.View);
            _input = new Activations(1, Cols);
            _input.Row(0).Fill(0.5f);
            _kernels.Quantize(_input, 0, Cols);
            _output = new float[rows];
        }

        [GlobalCleanup]
        public void Cleanup()
        {
            _weights.Dispose();
            _input.Dispose();
        }

        /// <summary>Time per pass over 16 MB: 1 ms is 16.8 GB/s.</summary>
        [Benchmark]
        public void Gemv() => _kernels.Gemm(_matrix, _input, 1, 0, _matrix.Groups, _output, _output.Length);
    }
}
