using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using QedEdge.Conversion;
using QedEdge.Tests.Published;
using QedEdge.Text;

#pragma warning disable xUnit1051 // nothing here needs to be cancelled

namespace QedEdge.Tests.Conversion;

/// <summary>The published converter's resident memory: at most three times the largest tensor and 64 MB, however large the checkpoint is.</summary>
public class ConversionMemoryTests
{
    private const long Constant = 64 << 20;

    [Theory]
    // A checkpoint larger than the bound, and an embedding that is small beside what its tokenizer needs.
    [InlineData("""{"model_type":"qed","vocab_size":8192,"d_model":256,"n_layers":32,"n_heads":4,"ffn_hidden_dim":1024,"max_seq_len":256}""", 8192 * 256, false)]
    [InlineData("""{"model_type":"qed","vocab_size":49152,"d_model":32,"n_layers":2,"n_heads":1,"ffn_hidden_dim":64,"max_seq_len":256,"bos_token_id":1}""", 49152 * 32, true)]
    public void Convert_Published_StaysWithinItsMemory(string config, int largest, bool withTokenizer)
    {
        string program = PublishedPrograms.File("qed-convert", "x64");
        using var folder = new CheckpointFolder();
        File.WriteAllText(folder["c.json"], config);
        long weights = RandomCheckpoint.Write(folder["c.json"], folder["model"], 1, CheckpointType.F32, overwrite: false);
        long bound = (3L * 4 * largest) + Constant;
        if (withTokenizer)
            File.WriteAllText(Path.Combine(folder["model"], "tokenizer.json"), LargeTokenizer(49152));
        else
            Assert.True(weights > bound, "a converter that reads all of it would pass");
        foreach (string layout in (string[])["packed", "plain"])
            Assert.InRange(PeakMemory(program, folder["model"], "-o", folder[layout], "--type", "q4_0", "--layout", layout), 1, bound);
    }

    /// <summary>Runs the program and asks Linux for the largest resident size, which never shrinks, until the program has ended.</summary>
    private static long PeakMemory(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        var error = process.StandardError.ReadToEndAsync();
        long peak = 0;
        while (!process.WaitForExit(TimeSpan.FromMilliseconds(1)))
        {
            try
            {
                string? line = File.ReadLines($"/proc/{process.Id}/status").FirstOrDefault(static line => line.StartsWith("VmHWM:", StringComparison.Ordinal));
                if (line is not null)
                    peak = 1024 * long.Parse(line.AsSpan(6).Trim(" \tkB"), CultureInfo.InvariantCulture);
            }
            catch (IOException)
            {
                // It has ended in between.
            }
        }
        Assert.True(process.ExitCode == 0, error.Result);
        return peak;
    }

    /// <summary>All bytes, and each piece with one more byte behind it, as many as there is room for.</summary>
    private static string LargeTokenizer(int vocabSize)
    {
        string[] special = ["<pad>", "<bos>", "<eos>", "<unk>"];
        var pieces = new List<string>();
        var merges = new List<string[]>();
        Span<byte> symbol = stackalloc byte[ByteAlphabet.MaxSymbolBytes];
        for (int b = 0; b < 256; b++)
            pieces.Add(Encoding.UTF8.GetString(symbol[..ByteAlphabet.Encode([(byte)b], symbol)]));
        for (int i = 0; pieces.Count < vocabSize - special.Length; i++)
        {
            merges.Add([pieces[i / 2], pieces[i % 2]]);
            pieces.Add(string.Concat(merges[i]));
        }
        string[] tokens = [.. special, .. pieces];
        return JsonSerializer.Serialize(new
        {
            added_tokens = special.Select((content, id) => new { id, content, special = true }),
            pre_tokenizer = new { type = "ByteLevel", add_prefix_space = false },
            decoder = new { type = "ByteLevel" },
            model = new { type = "BPE", unk_token = "<unk>", vocab = tokens.Index().ToDictionary(entry => entry.Item, entry => entry.Index), merges },
        });
    }
}
