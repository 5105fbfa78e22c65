using System.IO.Hashing;
using System.Text;
using QedEdge.Memory;

namespace QedEdge.Gguf;

/// <summary>
/// The checksums of QedEdge's files. <c>qed.checksum.header</c> is the XXH3-64 of all bytes before the tensor data, its own 8 bytes
/// taken as zero; it is compared whenever a file is opened. <c>qed.checksum.tensors</c> holds the XXH3-64 of each tensor's data, in
/// the table's order; comparing them reads the whole file, so that is left to <see cref="Verify"/>. Padding is not covered.
/// </summary>
public static class GgufChecksums
{
    /// <summary>Whether a file carries checksums of its tensors.</summary>
    /// <param name="file">An open file.</param>
    public static bool Present(GgufFile file) => file.Metadata.Contains(GgufKeys.TensorChecksums);

    /// <summary>Recomputes every tensor's checksum.</summary>
    /// <param name="file">A file with checksums.</param>
    /// <param name="progress">Called with the bytes done so far; the last call has the sum of all tensors' bytes.</param>
    /// <param name="cancellation">Stops between two parts of a tensor.</param>
    /// <returns>The names of the tensors whose data do not match; none where the file is sound.</returns>
    /// <exception cref="ModelFormatException">The file has no checksums, or not one for each tensor.</exception>
    public static IReadOnlyList<string> Verify(GgufFile file, Action<long>? progress = null, CancellationToken cancellation = default)
    {
        var array = file.Metadata.FindArray(GgufKeys.TensorChecksums)
            ?? throw new ModelFormatException(ModelFault.Unsupported, file.Name, "the file carries no checksums, so its tensors cannot be verified; files written by qed-convert do", GgufKeys.TensorChecksums);
        if (array.Count != file.Tensors.Count)
            throw new ModelFormatException(ModelFault.Damaged, file.Name, $"{array.Count} checksums for {file.Tensors.Count} tensors", GgufKeys.TensorChecksums);

        var stored = array.UInt64();
        var damaged = new List<string>();
        long done = 0;
        for (int i = 0; i < file.Tensors.Count; i++)
        {
            if (Checksum.Of(file.Data(file.Tensors[i]), part => progress?.Invoke(done += part), cancellation) != stored[i])
                damaged.Add(file.Tensors[i].Name);
        }
        return damaged;
    }

    /// <summary>Compares one tensor's data with their checksum, where the file carries checksums.</summary>
    /// <exception cref="ModelFormatException">They do not match.</exception>
    internal static void Check(GgufFile file, GgufTensorInfo tensor, NativeView data)
    {
        if (file.Metadata.FindArray(GgufKeys.TensorChecksums) is not { } stored)
            return;
        if (stored.Count != file.Tensors.Count || stored.UInt64()[file.IndexOf(tensor)] != Checksum.Of(data))
            throw new ModelFormatException(ModelFault.Damaged, file.Name, "the data do not match their checksum; copy or convert the file again", tensor: tensor.Name);
    }

    /// <summary>Adds names, types and checksums of all tensors that are weights to a hash; a file without checksums is read for them.</summary>
    internal static void AppendTensors(GgufFile file, XxHash3 hash)
    {
        ReadOnlySpan<ulong> stored = file.Metadata.FindArray(GgufKeys.TensorChecksums) is { } array && array.Count == file.Tensors.Count ? array.UInt64() : default;
        for (int i = 0; i < file.Tensors.Count; i++)
        {
            GgufTensorInfo tensor = file.Tensors[i];
            if (tensor.IsBaked)
                continue; // no weights
            hash.Append(Encoding.UTF8.GetBytes(tensor.Name));
            hash.Append(BitConverter.GetBytes((uint)tensor.Type));
            hash.Append(BitConverter.GetBytes(stored.IsEmpty ? Checksum.Of(file.Data(tensor)) : stored[i]));
        }
    }

    /// <summary>The checksum of a header.</summary>
    /// <param name="header">All bytes before the tensor data.</param>
    /// <param name="checksumOffset">Where the 8 bytes of the checksum itself lie in it.</param>
    internal static ulong Header(ReadOnlySpan<byte> header, int checksumOffset)
    {
        var hash = new XxHash3();
        hash.Append(header[..checksumOffset]);
        hash.Append(stackalloc byte[8]);
        hash.Append(header[(checksumOffset + 8)..]);
        return hash.GetCurrentHashAsUInt64();
    }
}
