using System.Text.Json;
using QedEdge.Generation;

namespace QedEdge.Cli.Json;

/// <summary>What is said of how something was generated.</summary>
internal static class GenerationRecord
{
    /// <summary>Writes it as members of a JSON object.</summary>
    public static void Write(Utf8JsonWriter json, GenerationResult result, ulong seed)
    {
        json.WriteString("finish_reason", JsonWriting.Name(result.Finish));
        json.WriteNumber("prompt_tokens", result.PromptTokens);
        json.WriteNumber("cached_tokens", result.CachedTokens);
        json.WriteNumber("generated_tokens", result.GeneratedTokens);
        json.WriteNumber("prefill_tokens_per_second", Math.Round(PerSecond(result.PromptTokens - result.CachedTokens, result.PrefillTime), 2));
        json.WriteNumber("decode_tokens_per_second", Math.Round(PerSecond(result.GeneratedTokens, result.DecodeTime), 2));
        json.WriteNumber("seed", seed);
    }

    /// <summary>Tokens in a second; 0 where it took no time.</summary>
    public static double PerSecond(int tokens, TimeSpan time) => time > TimeSpan.Zero ? tokens / time.TotalSeconds : 0;
}
