using System.Text.Json;
using QedEdge.Evaluation;
using QedEdge.Text;

namespace QedEdge.Cli.Json;

/// <summary>A token that was generated, and how likely it and others were.</summary>
/// <param name="Id">The token.</param>
/// <param name="LogProbability">log p, in nats; 0 where it was not asked for.</param>
/// <param name="Likely">The most likely tokens with theirs, or null.</param>
internal readonly record struct TokenRecord(int Id, double LogProbability, (int Id, double LogProbability)[]? Likely)
{
    /// <summary>The record of a token that was chosen from logits.</summary>
    /// <param name="id">The token.</param>
    /// <param name="logits">Logits [vocabulary].</param>
    /// <param name="likely">How many of the most likely tokens beside its own; null for no probabilities.</param>
    public static TokenRecord Of(int id, ReadOnlySpan<float> logits, int? likely)
    {
        if (likely is not { } most)
            return new TokenRecord(id, 0, null);
        double sum = LogSoftmax.Of(logits).LogSum;
        var top = new int[Math.Min(most, logits.Length)];
        LogSoftmax.Top(logits, top);
        var records = new (int, double)[top.Length];
        for (int i = 0; i < top.Length; i++)
            records[i] = (top[i], logits[top[i]] - sum);
        return new TokenRecord(id, logits[id] - sum, records);
    }

    /// <summary>Writes the member <c>logprobs</c>, where probabilities were asked for.</summary>
    public static void Write(Utf8JsonWriter json, IReadOnlyList<TokenRecord> tokens, Tokenizer? tokenizer)
    {
        if (tokens.Count == 0 || tokens[0].Likely is null)
            return;
        json.WriteStartArray("logprobs");
        foreach (TokenRecord token in tokens)
        {
            json.WriteStartObject();
            WriteToken(json, token.Id, token.LogProbability, tokenizer);
            json.WriteStartArray("top");
            foreach ((int id, double logProbability) in token.Likely!)
            {
                json.WriteStartObject();
                WriteToken(json, id, logProbability, tokenizer);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static void WriteToken(Utf8JsonWriter json, int id, double logProbability, Tokenizer? tokenizer)
    {
        json.WriteNumber("id", id);
        if (tokenizer is not null && id < tokenizer.VocabSize)
            json.WriteString("token", tokenizer.Decode([id], SpecialTokenText.Keep, continues: true));
        json.WriteFinite("logprob", logProbability);
    }
}
