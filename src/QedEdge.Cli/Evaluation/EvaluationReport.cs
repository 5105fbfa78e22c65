using System.Globalization;
using QedEdge.Cli.Json;
using QedEdge.Evaluation;

namespace QedEdge.Cli.Evaluation;

/// <summary>A run's figures, and beside them what was published of the model.</summary>
/// <param name="run">The run.</param>
/// <param name="model">Its model.</param>
/// <param name="protocol">What of a choice was counted.</param>
/// <param name="style">How questions were put.</param>
internal sealed class EvaluationReport(EvaluationRun run, QedModel model, ChoiceProtocol protocol, PromptStyle style)
{
    private readonly PublishedModel? _published = PublishedModel.Find(model.Config);

    /// <summary>Whether the run was made as the published ones were.</summary>
    private bool Compares => (EvaluationRun.Name(protocol), EvaluationRun.Name(style)) == (PublishedModel.Protocol, PublishedModel.Prompts);

    /// <summary>Prints a table.</summary>
    public void WriteTable()
    {
        Line($"{model.File.Name}, protocol {EvaluationRun.Name(protocol)}, prompts {EvaluationRun.Name(style)}, no examples");
        Line($"{"task",-15} {"questions",9}  {"acc",-16}  {"acc_norm",-16}{Beside(_published is null ? "" : "published")}");
        foreach (TaskResult result in run.Results)
            Line($"{result.Task.Name,-15} {result.Accuracy.Count,9}  {Share(result.Accuracy),-16}  {Share(result.NormalizedAccuracy),-16}{Beside(Number(Published(result.Task)))}");
        if (run.IsWhole)
            Line($"{"average",-15} {"",9}  {run.Results.Average(result => result.Accuracy.Mean),-16:0.0000}  {run.Results.Average(result => result.NormalizedAccuracy.Mean),-16:0.0000}{Beside(Number(_published?.Average))}");
        foreach (TaskResult result in run.Results.Where(result => result.MeanOfGroups is not null))
            Line($"{result.Task.Name}: the mean of {result.Groups.Count} subjects' accuracies is {result.MeanOfGroups:0.0000}");
        string averages = string.Join(", ", PublishedModel.All.Select(each => $"{each.Name} {Number(each.Average)}"));
        Line($"published averages (QED-75M's model card; protocol {PublishedModel.Protocol}, prompts {PublishedModel.Prompts}, no examples): {averages}");
        string which = _published is null ? "this model is known as none of them"
            : PublishedModel.IsNamed(model.Config) ? $"this model is {_published.Name} by its name" : $"this model has the shape of {_published.Name}";
        Line($"{which}{(Compares ? "" : "; this run was made in another way, and does not compare with them")}");

        static string Beside(string text) => text.Length == 0 ? "" : $"  {text}";
        static string Number(double? value) => value?.ToString("0.000000", CultureInfo.InvariantCulture) ?? "";
        static string Share(TaskResult.Share share) => string.Create(CultureInfo.InvariantCulture, $"{share.Mean:0.0000}{(share.Count > 1 ? $" ± {share.Error:0.0000}" : "")}");
        static void Line(FormattableString text) => Terminal.WriteLine(text.ToString(CultureInfo.InvariantCulture).TrimEnd());
    }

    /// <summary>Prints it as JSON.</summary>
    public void WriteJson() => Terminal.WriteJson(json =>
    {
        json.WriteString("model", model.File.Name);
        json.WriteString("protocol", EvaluationRun.Name(protocol));
        json.WriteString("prompts", EvaluationRun.Name(style));
        json.WriteStartArray("tasks");
        foreach (TaskResult result in run.Results)
        {
            json.WriteStartObject();
            json.WriteString("task", result.Task.Name);
            json.WriteNumber("questions", result.Accuracy.Count);
            json.WriteFinite("acc", result.Accuracy.Mean);
            json.WriteFinite("acc_error", result.Accuracy.Error);
            json.WriteFinite("acc_norm", result.NormalizedAccuracy.Mean);
            json.WriteFinite("acc_norm_error", result.NormalizedAccuracy.Error);
            if (Published(result.Task) is { } published)
                json.WriteFinite("published", published);
            if (result.MeanOfGroups is { } mean)
            {
                json.WriteFinite("acc_mean_of_groups", mean);
                json.WriteStartObject("groups");
                foreach ((string group, TaskResult.Share share) in result.Groups)
                    json.WriteFinite(group, share.Mean);
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        json.WriteEndArray();
        if (run.IsWhole)
            json.WriteFinite("average", run.Results.Average(result => result.Accuracy.Mean));
        if (_published is { } known)
        {
            json.WriteString("published_model", known.Name);
            json.WriteString("published_model_by", PublishedModel.IsNamed(model.Config) ? "name" : "shape");
            json.WriteFinite("published_average", known.Average);
        }
        json.WriteString("published_protocol", PublishedModel.Protocol);
        json.WriteString("published_prompts", PublishedModel.Prompts);
        json.WriteStartObject("published_averages");
        foreach (PublishedModel each in PublishedModel.All)
            json.WriteFinite(each.Name, each.Average);
        json.WriteEndObject();
    });

    private double? Published(EvaluationTask task) => _published is { Accuracies.Length: > 0 } ? _published.Accuracies[Array.IndexOf(EvaluationTask.All, task)] : null;
}
