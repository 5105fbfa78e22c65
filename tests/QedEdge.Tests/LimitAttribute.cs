using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using Xunit.Sdk;
using Xunit.v3;

namespace QedEdge.Tests;

/// <summary>Gives a theory a <see cref="LimitTrial"/> below, at and above a limit. <see cref="LimitsTests"/> demands one for each row of docs/limits.md.</summary>
/// <param name="type">The class that has the limit.</param>
/// <param name="constant">Its name.</param>
/// <param name="more">Further arguments of the theory.</param>
[AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
public sealed class LimitAttribute(Type type, string constant, params object[] more) : DataAttribute
{
    /// <summary>What is between two lengths that can be, where not all can: of powers of two the next, of even numbers 2.</summary>
    public int Step { get; init; } = 1;

    /// <summary>The constant as docs/limits.md names it.</summary>
    internal string Name => $"{type.Name}.{constant}";

    public override ValueTask<IReadOnlyCollection<ITheoryDataRow>> GetData(MethodInfo testMethod, DisposalTracker disposalTracker)
    {
        FieldInfo field = type.GetField(constant, BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic) ?? throw new MissingFieldException(type.Name, constant);
        long most = Convert.ToInt64(field.GetRawConstantValue(), CultureInfo.InvariantCulture);
        return new([.. new[] { most - Step, most, most + Step }.Select(length => new TheoryDataRow([new LimitTrial(most, length), .. more]))]);
    }

    public override bool SupportsDiscoveryEnumeration() => false; // a trial is made where it is run
}

/// <summary>A length to try.</summary>
/// <param name="Most">The limit.</param>
/// <param name="Length">The length: below it, it, or above it.</param>
public sealed record LimitTrial(long Most, long Length)
{
    /// <summary>The length as a number of things that there can be.</summary>
    internal int Count => checked((int)Length);

    /// <summary>The length beyond the limit is refused in one line that names the limit; others are taken.</summary>
    /// <param name="read">Reads something of the length.</param>
    /// <param name="words">How the limit is named; null for its number.</param>
    internal void Check(Action read, string? words = null) => Check(read, words, static error => Assert.Fail(error.ToString()));

    /// <summary>As <see cref="Check(Action, string)"/>, for what is not sound otherwise: a length within the limit may be refused for something else.</summary>
    internal void CheckLengthAlone(Action read, string? words = null) => Check(read, words,
        error => Assert.DoesNotMatch($@"(?<!\w){Regex.Escape(Words(words))}(?!\w)", Assert.IsType<QedException>(error, exactMatch: false).Message)); // a temporary folder's name may hold the digits

    private void Check(Action read, string? words, Action<Exception> within)
    {
        Exception? error = Record.Exception(read);
        if (Length > Most)
        {
            string message = Assert.IsType<QedException>(error, exactMatch: false).Message;
            Assert.True(message.Contains(Words(words), StringComparison.Ordinal), message);
            Assert.DoesNotContain('\n', message);
        }
        else if (error is not null)
            within(error);
    }

    private string Words(string? words) => words ?? Most.ToString(CultureInfo.InvariantCulture);
}
