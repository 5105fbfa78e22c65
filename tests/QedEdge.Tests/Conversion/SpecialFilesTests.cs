using System.Net.Sockets;
using QedEdge.Conversion;
using QedEdge.Conversion.Checkpoints;
using QedEdge.Quantization;

namespace QedEdge.Tests.Conversion;

/// <summary>Pipes, sockets and devices in the place of any file that a conversion reads: refused at once, for whoever opened one would wait or read without end.</summary>
public sealed class SpecialFilesTests : IDisposable
{
    private const string Weights = "model.safetensors";

    private readonly CheckpointFolder _folder = new();

    public SpecialFilesTests() => Assert.SkipWhen(OperatingSystem.IsWindows(), "named pipes have no place among files there");

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("tied-f32", CheckpointConfig.FileName)]
    [InlineData("tied-f32", GenerationConfig.FileName)]
    [InlineData("tied-f32", TokenizerJson.FileName)]
    [InlineData("tied-f32", TokenizerConfig.FileName)]
    [InlineData("tied-f32", "special_tokens_map.json")]
    [InlineData("tied-f32", "chat_template.jinja")]
    [InlineData("tied-f32", Weights)]
    [InlineData("sharded-f16-model-prefix", Weights + ".index.json")]
    [InlineData("sharded-f16-model-prefix", "model-00002-of-00003.safetensors")]
    public async Task Convert_ACheckpointsFile_IsRefused(string golden, string name)
    {
        _folder.With(golden);
        if (name != TokenizerJson.FileName)
            File.Copy(Path.Combine(TestData.TinyQed, TokenizerJson.FileName), _folder[TokenizerJson.FileName]);
        await AssertRefused(_folder[name], () => CheckpointConverter.Convert(_folder.Path, _folder["out.gguf"], new()));
    }

    [Theory]
    [InlineData("adapter_config.json")]
    [InlineData("adapter_model.safetensors")]
    public async Task Convert_AnAdaptersFile_IsRefused(string name)
    {
        using var folder = new AdapterFolder();
        folder.Add("layers.0.attention.q_proj", AdapterFolder.Width, AdapterFolder.Width).Save();
        await AssertRefused(Path.Combine(folder.Adapter, name), () => CheckpointConverter.Convert(folder.Model, _folder["out.gguf"], new() { LoraFolder = folder.Adapter }));
    }

    [Fact]
    public Task Random_ItsConfiguration_IsRefused() =>
        AssertRefused(_folder["c.json"], () => RandomCheckpoint.Write(_folder["c.json"], _folder["random"], 0, CheckpointType.F16, overwrite: false));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public Task Convert_AText_IsRefused(bool calibrates) => AssertRefused(_folder["text"], () => CheckpointConverter.Convert(TestData.TinyQed, _folder["out.gguf"],
        new() { Type = BlockFormat.Q4_0, CalibrationText = calibrates ? _folder["text"] : null, MeasureText = calibrates ? null : _folder["text"] }));

    private static async Task AssertRefused(string file, Action convert)
    {
        foreach (string kind in (string[])["pipe", "link to a pipe", "socket", "endless device", "empty device", "empty file"])
        {
            string other = file + ".other";
            File.Delete(file);
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            if (kind == "socket")
                socket.Bind(new UnixDomainSocketEndPoint(file));
            else if (kind == "empty file")
                File.WriteAllBytes(file, []);
            else if (kind.EndsWith("device", StringComparison.Ordinal))
                File.CreateSymbolicLink(file, kind == "endless device" ? "/dev/zero" : "/dev/null");
            else
                Tools.Run("mkfifo", [kind == "pipe" ? file : other]);
            if (kind == "link to a pipe")
                File.CreateSymbolicLink(file, other);
            // Of its own, lest one that waits for ever holds a thread that other tests need.
            Task<QedException> refused = Task.Factory.StartNew(() => Assert.ThrowsAny<QedException>(convert), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
            string message = (await refused.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken)).Message;
            Assert.True(message.StartsWith(file, StringComparison.Ordinal) && message.Contains("empty, or a pipe or device", StringComparison.Ordinal), $"{kind}: {message}");
            File.Delete(other);
        }
    }
}
