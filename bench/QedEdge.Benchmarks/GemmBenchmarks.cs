using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Running;
using QedEdge.Kernels;
using QedEdge.Memory;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Benchmarks;

/// <summary>
/// One thread and one matrix with 384 columns, as most of QED-75M's: decoding is bound by memory (16 MB of weights, one token), prefill by
/// arithmetic (1024 rows, which stay in cache, 128 tokens). Run with
/// <c>dotnet run --project bench/QedEdge.Benchmarks -c Release -- --filter *Gemm*</c>.
/// </summary>
[Config(typeof(Columns))]
public class GemmBenchmarks
{
    private const int Cols = 384;
    private const int PrefillRows = 1024;
    private const int PrefillTokens = 128;
    private const int DecodeBytes = 16 << 20;

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

    [Params(1, PrefillTokens)]
    public int Tokens { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        BlockFormat format = Enum.Parse<BlockFormat>(Format);
        _kernels = KernelRegistry.Select(Set);
        int rows = Rows(format, Tokens);
        _weights = new AlignedBuffer<byte>(format.Info().MatrixBytes(rows, Cols));
        _weights.Span.Fill(0x11); // finite scales, small values
        _matrix = new PackedMatrix(format, rows, Cols, _weights.View);
        _input = new Activations(Tokens, Cols);
        for (int t = 0; t < Tokens; t++)
        {
            _input.Row(t).Fill(0.5f);
            _kernels.Quantize(_input, t, Cols);
        }
        _output = new float[Tokens * rows];
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _weights.Dispose();
        _input.Dispose();
    }

    [Benchmark]
    public void Gemm() => _kernels.Gemm(new(_matrix, _input, Tokens, 0, _matrix.Groups, _output, _matrix.Rows));

    private static int Rows(BlockFormat format, int tokens) =>
        tokens == 1 ? (int)(DecodeBytes / format.Info().GroupBytes(Cols)) * PackedLayout.GroupRows : PrefillRows;

    /// <summary>What a run reads and multiplies.</summary>
    private sealed class Columns : ManualConfig
    {
        public Columns() => AddColumn(
            new RateColumn("GB/s of weights", run => Of(run).Format.Info().MatrixBytes(Of(run).Rows, Cols)),
            new RateColumn("products/cycle", run => (double)Of(run).Rows * Cols * Of(run).Tokens / ProcessorClock.Gigahertz));

        private static (BlockFormat Format, int Rows, int Tokens) Of(BenchmarkCase run)
        {
            BlockFormat format = Enum.Parse<BlockFormat>((string)run.Parameters[nameof(Format)]);
            int tokens = (int)run.Parameters[nameof(Tokens)];
            return (format, Rows(format, tokens), tokens);
        }
    }
}
