namespace QedEdge.Cli.Evaluation;

/// <summary>A multiple-choice question as the model gets it.</summary>
/// <param name="Prompt">What all choices follow.</param>
/// <param name="Choices">The texts that may follow.</param>
/// <param name="Gold">The right one's index.</param>
/// <param name="Group">The part of the task it belongs to (MMLU's subject), or null.</param>
internal sealed record Question(string Prompt, string[] Choices, int Gold, string? Group = null);

/// <summary>How questions are put.</summary>
internal enum PromptStyle
{
    /// <summary>LightEval's own prompts (v0.12 and later, without examples): CommonsenseQA, HellaSwag and MMLU list their choices and ask for the letter.</summary>
    LightEval,
    /// <summary>The prompts with which SmolLM2 was measured: the choices' texts themselves follow the question.</summary>
    Cloze,
}
