using System.Reflection;
using PublicApiGenerator;

namespace QedEdge.Tests;

/// <summary>What programs can use of the packages: a change of it is meant, or it does not happen.</summary>
public sealed class PublicApiTests
{
    [Theory]
    [InlineData("QedEdge")]
    [InlineData("QedEdge.Extensions.AI")]
    public void PublicApi_IsTheRecordedOne(string name)
    {
        string actual = Assembly.Load(name).GeneratePublicApi(new ApiGeneratorOptions { IncludeAssemblyAttributes = false }) + "\n";
        string recorded = Path.Combine(TestData.Root, "src", name, "PublicApi.txt"), found = Path.Combine(TestData.Root, "artifacts", $"{name}.PublicApi.txt");
        if (File.Exists(recorded) && File.ReadAllText(recorded) == actual)
            return;
        File.WriteAllText(found, actual);
        Assert.Fail($"the public interface has changed; where that is meant: cp artifacts/{Path.GetFileName(found)} src/{name}/PublicApi.txt, and CHANGELOG.md says it");
    }
}
