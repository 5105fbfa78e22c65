using System.Globalization;
using QedEdge.CommandLine;
using QedEdge.Gguf;

namespace QedEdge.Cli;

/// <summary>A file's tensors in lines: each, or those of all layers that differ in the layer alone in one line.</summary>
internal static class TensorList
{
    private const string LayerPrefix = "blk.";

    /// <summary>Each tensor: name, type, shape [outermost first], bytes.</summary>
    public static IEnumerable<string> All(GgufFile file)
    {
        foreach (GgufTensorInfo tensor in file.Tensors)
            yield return Line(tensor.Name, tensor, tensor.Bytes);
    }

    /// <summary>Tensors of the same name, type and shape in several layers together, where the first of them stands: <c>blk.0-11.ffn_up.weight</c>, with the bytes of all.</summary>
    public static IEnumerable<string> Folded(GgufFile file)
    {
        var layers = new Dictionary<string, List<int>>();
        var bytes = new Dictionary<string, long>();
        foreach (GgufTensorInfo tensor in file.Tensors)
        {
            if (Split(tensor) is not var (layer, kind))
                continue;
            if (!layers.TryGetValue(kind, out List<int>? known))
                layers[kind] = known = [];
            known.Add(layer);
            bytes[kind] = bytes.GetValueOrDefault(kind) + tensor.Bytes;
        }
        foreach (GgufTensorInfo tensor in file.Tensors)
        {
            if (Split(tensor) is not var (_, kind))
                yield return Line(tensor.Name, tensor, tensor.Bytes);
            else if (layers.Remove(kind, out List<int>? all))
                yield return Line($"{LayerPrefix}{Ranges(all)}.{kind[..kind.IndexOf(' ', StringComparison.Ordinal)]}", tensor, bytes[kind]);
        }
    }

    /// <summary>The layer of a tensor, and what it has in common with others: its name there, type and shape.</summary>
    private static (int Layer, string Kind)? Split(GgufTensorInfo tensor)
    {
        string[] parts = tensor.Name.Split('.', 3);
        return parts is [_, var number, var rest] && tensor.Name.StartsWith(LayerPrefix, StringComparison.Ordinal) && !rest.Contains(' ') && int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int layer)
            ? (layer, $"{rest} {(uint)tensor.Type} {Shape(tensor)}") : null;
    }

    /// <summary>Numbers in order, neighbours as a range: 0-3,5,7-9.</summary>
    private static string Ranges(List<int> numbers)
    {
        numbers.Sort();
        string text = "";
        for (int begin = 0, end; begin < numbers.Count; begin = end)
        {
            end = begin + 1;
            while (end < numbers.Count && numbers[end] == numbers[end - 1] + 1)
                end++;
            text += $"{(begin > 0 ? "," : "")}{numbers[begin]}{(end > begin + 1 ? $"-{numbers[end - 1]}" : "")}";
        }
        return text;
    }

    private static string Line(string name, GgufTensorInfo tensor, long bytes) =>
        $"{TerminalText.OneLine(name),-28} {TensorTypes.Name(tensor.Type),-12} {Shape(tensor),-16} {bytes,12}";

    private static string Shape(GgufTensorInfo tensor) => $"[{string.Join(", ", tensor.Dimensions)}]";
}
