using System.Globalization;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;

namespace QedEdge.Benchmarks;

/// <summary>An amount divided by the median time in nanoseconds: bytes become GB/s, their thousandfold MB/s, and products over the clock in GHz products a cycle.</summary>
/// <param name="name">The column's name.</param>
/// <param name="amount">The amount of a case.</param>
internal sealed class RateColumn(string name, Func<BenchmarkCase, double> amount) : IColumn
{
    public string Id => name;

    public string ColumnName => name;

    public string Legend => "amount of a run / median time; cycles by a chain of dependent multiplications";

    public bool AlwaysShow => true;

    public ColumnCategory Category => ColumnCategory.Custom;

    public int PriorityInCategory => 0;

    public bool IsNumeric => true;

    public UnitType UnitType => UnitType.Dimensionless;

    public bool IsAvailable(Summary summary) => true;

    public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => false;

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase) => GetValue(summary, benchmarkCase, SummaryStyle.Default);

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style) =>
        summary[benchmarkCase]?.ResultStatistics is { } statistics ? (amount(benchmarkCase) / statistics.Median).ToString("F1", CultureInfo.InvariantCulture) : "-";
}
