using System.Text.Json;
using QedEdge.Evaluation;

namespace QedEdge.Cli.Json;

/// <summary>What is said of choices that were compared.</summary>
internal static class ChoiceRecord
{
    /// <summary>Writes scores as the members of a JSON object.</summary>
    public static void Write(Utf8JsonWriter json, IReadOnlyList<string> choices, ChoiceScore[] scores)
    {
        double[] shares = Shares(scores);
        json.WriteNumber("best", Best(scores, score => score.Sum));
        json.WriteNumber("best_per_character", Best(scores, score => score.PerCharacter));
        json.WriteStartArray("choices");
        for (int i = 0; i < scores.Length; i++)
        {
            json.WriteStartObject();
            json.WriteString("choice", choices[i]);
            json.WriteFinite("logprob", scores[i].Sum);
            json.WriteNumber("tokens", scores[i].Tokens);
            json.WriteFinite("logprob_per_token", scores[i].PerToken);
            json.WriteFinite("logprob_per_character", scores[i].PerCharacter);
            json.WriteFinite("share", shares[i]);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    /// <summary>The probabilities of the choices among themselves.</summary>
    public static double[] Shares(ChoiceScore[] scores)
    {
        double max = scores.Max(score => score.Sum), sum = scores.Sum(score => Math.Exp(score.Sum - max));
        return [.. scores.Select(score => Math.Exp(score.Sum - max) / sum)];
    }

    private static int Best(ChoiceScore[] scores, Func<ChoiceScore, double> value) => Array.IndexOf(scores, scores.MaxBy(value));
}
