using QedEdge.Cli.Batch;
using QedEdge.Cli.Evaluation;
using QedEdge.Fuzz.Mutation;
using QedEdge.Generation;
using QedEdge.Json;

namespace QedEdge.Fuzz.Targets;

/// <summary>A line of <c>qed batch</c>, read and begun; and the same line as a question of an evaluation.</summary>
internal sealed class BatchTarget : Target
{
    private const int MostTokens = 2; // of generation: what a line asks for is not the matter here
    private QedModel _model = null!;

    public override int Share => 8;

    public override IEnumerable<byte[]> Seeds(string folder)
    {
        _model = QedModel.Open(Samples.Model(folder));
        return
        [
            .. """
            {"id":"a","prompt":"ab ab","max_tokens":3,"temperature":0.7,"top_k":5,"top_p":0.9,"min_p":0.1,"typical":0.9,"seed":7,"stop":["b","aa"],"logprobs":2}
            {"id":7,"messages":[{"role":"system","content":"ab"},{"role":"user","content":"a b"}],"repeat_penalty":1.1,"presence_penalty":0.1,"frequency_penalty":0.2,"repeat_last_n":8,"ignore_eos":true}
            {"tokens":[1,7,3],"logit_bias":{"2":-1.5,"3":"-inf"},"stop":"b"}
            {"prompt":"ab","choices":["a"," b"]}
            {"score":"ab ab"}
            {"id":"q","question":"ab?","question_concept":"ab","choices":{"text":["a","b"],"label":["A","B"]},"answerKey":"B"}
            {"ind":4,"activity_label":"a","ctx_a":"ab","ctx_b":"b","ctx":"ab b","endings":["a","b","ab","b"],"label":"3"}
            {"sentence":"a _ b","option1":"a","option2":"b","answer":"1","subject":"ab","question":"a","choices":["a","b","c","d"]}
            """.Split('\n').Select(System.Text.Encoding.UTF8.GetBytes),
        ];
    }

    public override byte[] Mutate(Random random, byte[] input, byte[] other) => JsonChanges.Mutate(random, input, other);

    public override string Execute(Input input)
    {
        BatchLine.IdOf(1, input.Bytes);
        JsonValue json = JsonValue.ParseObject(input.Bytes);
        string questions = string.Join(", ", EvaluationTask.All.Select(task => Question(task, json)).Where(static name => name is not null));
        try
        {
            return Run(json);
        }
        catch (QedException) when (questions != "")
        {
            return $"a question of {questions}";
        }
    }

    private static string? Question(EvaluationTask task, JsonValue json)
    {
        try
        {
            task.Read(json, PromptStyle.Cloze);
            task.Read(json, default);
            return task.Name;
        }
        catch (QedException exception) when (Judge.Problem(exception) is null)
        {
            return null;
        }
    }

    private string Run(JsonValue json)
    {
        BatchLine line = BatchLine.Read(json, _model, _model.Config.ContextLength, GenerationOptions.Of(_model), []);
        if (line.Choices is not null || line.Score is not null)
            return "to be scored";
        using Session session = _model.CreateSession(new SessionOptions { Threads = 1 });
        var shown = new GeneratedText(_model.Tokenizer, line.Stops, static _ => { });
        GenerationResult result = new Generator(session, line.Options with { MaxTokens = Math.Min(line.Options.MaxTokens, MostTokens) }).Run(line.Tokens, (id, _) => shown.Append(id));
        shown.End();
        return $"generated, {result.Finish}";
    }
}
