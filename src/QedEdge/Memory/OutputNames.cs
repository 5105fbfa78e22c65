using System.IO.Hashing;
using System.Text;

namespace QedEdge.Memory;

/// <summary>
/// The names beside an output that belong to it while it is made. They are fixed, so that a run takes over what a killed one has left. They lie in the folder of the file that the
/// output becomes: where its name is a link, of the one that this leads to.
/// </summary>
internal static class OutputNames
{
    /// <summary>A name of more bytes is not extended, but replaced by its hash: file systems allow 255, encrypted ones 143.</summary>
    public const int LongestExtended = 120;

    /// <summary>Where a file is put together that appears only when whole.</summary>
    public static string Temporary(string output) => Beside(output, ".", ".qed-tmp");

    /// <summary>Where records are kept until all are there.</summary>
    public static string Part(string output) => Beside(output, "", ".part");

    /// <summary>Where a calibration keeps what is done.</summary>
    public static string Work(string output) => Beside(output, ".", ".work");

    /// <summary>Where a calibration has the float32 model; only its temporary name is ever used.</summary>
    public static string Exact(string output) => Beside(output, ".", ".f32");

    /// <summary>The output's own name and all those beside it.</summary>
    public static string[] All(string output) => [output, Temporary(output), Part(output), Work(output), Temporary(Exact(output))];

    private static string Beside(string output, string before, string after)
    {
        string full = Path.GetFullPath(FileLinks.Resolve(output)), name = Path.GetFileName(full);
        byte[] bytes = Encoding.UTF8.GetBytes(name);
        if (bytes.Length > LongestExtended)
            name = XxHash3.HashToUInt64(bytes).ToString("x16");
        return Path.Combine(Path.GetDirectoryName(full) ?? full, before + name + after);
    }
}
