using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;
using QedEdge.Cli;
using QedEdge.CommandLine;
using QedEdge.Fuzz.Mutation;
using QedEdge.Gguf;

namespace QedEdge.Fuzz.Targets;

/// <summary>A bundle: its footer, the model in it, its default options as the program takes them.</summary>
internal sealed class BundleTarget : Target
{
    private const int FooterBytes = 64, Fields = 8, DefaultsLength = 4, DefaultsSum = 6, FooterSum = 7;
    private string _file = "", _defaults = "";
    private Command _root = null!;

    public override int Share => 4;

    public override IEnumerable<byte[]> Seeds(string folder)
    {
        _root = Cli.Program.BuildRoot();
        _file = Path.Combine(folder, "bundle");
        _defaults = Path.Combine(folder, "defaults.json");
        string program = Path.Combine(folder, "program"), model = Samples.Model(folder);
        File.WriteAllBytes(program, [.. "\u007FELF"u8, .. new byte[100]]);
        foreach (string defaults in new[] { "", """{"command":"chat","temp":0.5,"system":"ab","max-tokens":8,"ignore-eos":true,"stop":["a","b"]}""", """{"greedy":true,"seed":7,"prompt":"ab"}""" })
        {
            ModelBundle.Write(program, model, Encoding.UTF8.GetBytes(defaults), _file, overwrite: true);
            yield return File.ReadAllBytes(_file);
        }
    }

    public override byte[] Mutate(Random random, byte[] input, byte[] other)
    {
        if (input.Length < FooterBytes || random.Next(16) == 0)
            return Bytes.Change(random, input, other);
        byte[] footer = input[^FooterBytes..];
        int length = (int)Math.Clamp(BinaryPrimitives.ReadInt64LittleEndian(footer.AsSpan(8 * DefaultsLength)), 0, input.Length - FooterBytes);
        byte[] before = input[..(input.Length - FooterBytes - length)], defaults = input[before.Length..^FooterBytes];
        if (random.Next(3) == 0)
        {
            for (int left = 1 + random.Next(3); left > 0; left--)
                Bytes.Renumber(random, footer.AsSpan(8 * (1 + random.Next(Fields - 1))), 8);
        }
        else
        {
            defaults = JsonChanges.Mutate(random, defaults.Length == 0 ? "{}"u8.ToArray() : defaults, defaults);
            BinaryPrimitives.WriteInt64LittleEndian(footer.AsSpan(8 * DefaultsLength), defaults.Length);
            BinaryPrimitives.WriteUInt64LittleEndian(footer.AsSpan(8 * DefaultsSum), XxHash3.HashToUInt64(defaults));
        }
        if (random.Next(20) > 0)
            BinaryPrimitives.WriteUInt64LittleEndian(footer.AsSpan(8 * FooterSum), XxHash3.HashToUInt64(footer.AsSpan(0, 8 * FooterSum)));
        return [.. before, .. defaults, .. footer];
    }

    public override string Execute(Input input)
    {
        File.WriteAllBytes(_file, input.Bytes);
        if (ModelBundle.Find(_file) is not { } bundle)
            return "no bundle";
        bundle.Verify();
        if (bundle.Defaults.Length > 0)
        {
            File.WriteAllBytes(_defaults, bundle.Defaults);
            Bundled.ReadDefaults(_root, _defaults);
        }
        using GgufFile file = GgufFile.Open(_file);
        return "a bundle";
    }
}
