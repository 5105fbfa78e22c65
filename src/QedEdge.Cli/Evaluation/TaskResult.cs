using QedEdge.Json;

namespace QedEdge.Cli.Evaluation;

/// <summary>A task's right answers so far.</summary>
internal sealed class TaskResult(EvaluationTask task)
{
    private readonly Dictionary<string, Share> _groups = [];

    /// <summary>The task.</summary>
    public EvaluationTask Task => task;

    /// <summary>Answers by the likelihood of a choice.</summary>
    public Share Accuracy { get; } = new();

    /// <summary>Answers by the likelihood divided by the number of characters of the choice, a space before it not counted.</summary>
    public Share NormalizedAccuracy { get; } = new();

    /// <summary>The mean of the groups' accuracies; null for a task without groups.</summary>
    public double? MeanOfGroups => _groups.Count > 0 ? _groups.Values.Average(share => share.Mean) : null;

    /// <summary>Accuracy by group.</summary>
    public IReadOnlyDictionary<string, Share> Groups => _groups;

    /// <summary>Adds an answered question.</summary>
    /// <param name="record">Its record.</param>
    public void Add(JsonValue record) => Add(record.Get("correct").Boolean(), record.Get("correct_normalized").Boolean(), record.Find("group")?.String());

    /// <summary>Adds an answered question.</summary>
    public void Add(bool correct, bool correctNormalized, string? group)
    {
        Accuracy.Add(correct);
        NormalizedAccuracy.Add(correctNormalized);
        if (group is null)
            return;
        if (!_groups.TryGetValue(group, out Share? share))
            _groups[group] = share = new Share();
        share.Add(correct);
    }

    /// <summary>A share of right answers.</summary>
    internal sealed class Share
    {
        private long _right;

        public long Count { get; private set; }

        public double Mean => (double)_right / Count;

        /// <summary>The standard error of <see cref="Mean"/>; not a number for one question.</summary>
        public double Error => Count < 2 ? double.NaN : Math.Sqrt(Mean * (1 - Mean) / (Count - 1));

        public void Add(bool right)
        {
            Count++;
            _right += right ? 1 : 0;
        }
    }
}
