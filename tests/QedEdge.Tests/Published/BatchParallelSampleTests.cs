namespace QedEdge.Tests.Published;

/// <summary>samples/batch-parallel: its README's commands as printed, and what the cluster manifests would run.</summary>
public sealed class BatchParallelSampleTests : IDisposable
{
    private static readonly string Sample = Path.Combine(TestData.Root, "samples", "batch-parallel");

    private readonly string _folder = Directory.CreateTempSubdirectory("qed").FullName;

    public BatchParallelSampleTests()
    {
        foreach (string file in Directory.EnumerateFiles(Sample))
            File.Copy(file, Path.Combine(_folder, Path.GetFileName(file)));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void TheReadmesCommands_GiveTheSameLines_HoweverTheyAreSplit()
    {
        Tools.Require("parallel");
        string[] commands = [.. File.ReadAllText(Path.Combine(Sample, "README.md")).Split("```sh\n")[1..].Select(block => block.Split("\n```")[0])];
        Assert.Equal(3, commands.Length);
        foreach (string command in commands)
            Run(command);
        string answers = Read("answers.jsonl");
        Assert.Equal(12, answers.Count(c => c == '\n'));
        Assert.DoesNotContain("\"error\"", answers);
        Assert.Equal(answers, Read("answers-all.jsonl"));
        Run(commands[1]); // once more: nothing to do
        Assert.Equal(answers, Read("answers-all.jsonl"));
    }

    [Fact]
    public void TheManifests_RunTheirShards()
    {
        Run("qed batch -i prompts.jsonl -o answers.jsonl --seed 1");
        string manifest = File.ReadAllText(Path.Combine(Sample, "job.yaml"));
        int begin = manifest.IndexOf(">-\n", StringComparison.Ordinal) + 3, end = manifest.IndexOf("          resources:", StringComparison.Ordinal);
        string command = string.Join(' ', manifest[begin..end].Split('\n', StringSplitOptions.TrimEntries));
        foreach (int index in new[] { 0, 1, 2 })
            Run($"export JOB_COMPLETION_INDEX={index}; {command}");
        AssertShards();
        foreach (int task in new[] { 1, 2, 3 })
        {
            File.Delete(Path.Combine(_folder, $"answers-{task}.jsonl"));
            Run($"SLURM_ARRAY_TASK_ID={task} bash array.sbatch");
        }
        AssertShards();

        void AssertShards()
        {
            string[] answers = Read("answers.jsonl").TrimEnd('\n').Split('\n');
            for (int shard = 0; shard < 3; shard++)
                Assert.Equal(answers.Where((_, i) => i % 3 == shard), Read($"answers-{shard + 1}.jsonl").TrimEnd('\n').Split('\n'));
        }
    }

    private string Read(string file) => File.ReadAllText(Path.Combine(_folder, file));

    private void Run(string command)
    {
        string program = PublishedPrograms.File("qed", "x64");
        ProgramResult result = Tools.Run("bash", ["-c", command], start =>
        {
            start.WorkingDirectory = _folder;
            start.Environment["PATH"] = $"{Path.GetDirectoryName(program)}:{start.Environment["PATH"]}";
            start.Environment["HOME"] = _folder; // where parallel keeps its files
        });
        Assert.True(result.ExitCode == 0, command + "\n" + result.Output + result.Error);
    }
}
