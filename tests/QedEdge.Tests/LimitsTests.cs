using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;

namespace QedEdge.Tests;

/// <summary>docs/limits.md says what the constants say, and each of its rows is tried (<see cref="LimitAttribute"/>).</summary>
public sealed partial class LimitsTests
{
    private static readonly Assembly[] Assemblies = [typeof(QedModel).Assembly, Assembly.Load("QedEdge.Conversion")];

    private static readonly Dictionary<string, long> Rows =
        RowPattern().Matches(File.ReadAllText(Path.Combine(TestData.Root, "docs", "limits.md"))).ToDictionary(row => row.Groups[2].Value, row => long.Parse(row.Groups[1].Value, NumberStyles.AllowThousands, CultureInfo.InvariantCulture));

    public static TheoryData<string> Names => [.. Rows.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void ARow_HasItsConstantsValue(string name)
    {
        string[] parts = name.Split('.');
        Type type = Assert.Single(Assemblies.SelectMany(assembly => assembly.GetTypes()), type => type.Name == parts[0]);
        FieldInfo field = type.GetField(parts[1], BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic) ?? throw new MissingFieldException(parts[0], parts[1]);
        Assert.True(field.IsLiteral);
        Assert.Equal(Convert.ToInt64(field.GetRawConstantValue(), CultureInfo.InvariantCulture), Rows[name]);
    }

    [Fact]
    public void EveryLimit_HasARow() => Assert.Empty(
        Assemblies.SelectMany(assembly => assembly.GetTypes()).Where(type => type.Name.EndsWith("Limits", StringComparison.Ordinal))
            .SelectMany(type => type.GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic).Where(field => field.IsLiteral).Select(field => $"{type.Name}.{field.Name}"))
            .Except(Rows.Keys));

    [Fact]
    public void EveryRow_IsTried() => Assert.Empty(Rows.Keys.Except(
        typeof(LimitsTests).Assembly.GetTypes().SelectMany(type => type.GetMethods()).SelectMany(method => method.GetCustomAttributes<LimitAttribute>()).Select(limit => limit.Name)));

    [Fact]
    public void EveryRow_IsRead() => Assert.Equal(File.ReadLines(Path.Combine(TestData.Root, "docs", "limits.md")).Count(line => line.StartsWith("| ", StringComparison.Ordinal) && line.Contains('`', StringComparison.Ordinal) && line.EndsWith("` |", StringComparison.Ordinal)), Rows.Count);

    [GeneratedRegex(@"^\| .* \| ([\d,]+) \| `(\w+\.\w+)` \|$", RegexOptions.Multiline)]
    private static partial Regex RowPattern();
}
