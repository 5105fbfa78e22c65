using System.Buffers.Binary;
using QedEdge.Conversion.Checkpoints;

namespace QedEdge.Tests.Conversion;

public class SafetensorsHeaderTests
{
    private const string Good = """{"__metadata__":{"format":"pt"},"b":{"dtype":"F16","shape":[2,2],"data_offsets":[8,16]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"e":{"dtype":"I64","shape":[0,4],"data_offsets":[16,16]}} """;

    [Fact]
    public void Read_GoodFile_GivesTheTensorsInOrder()
    {
        var tensors = Read(CheckpointFolder.Safetensors(Good, 16));
        Assert.Equal(["a", "b", "e"], tensors.Select(static tensor => tensor.Name));
        Assert.Equal([2L, 2L], tensors[1].Shape);
        Assert.Equal((8 + Good.Length + 8, 8L), (tensors[1].Offset, tensors[1].Bytes));
    }

    [Theory]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""", "ascending")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,9]}}""", "ascending")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}""", "whole numbers")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[12,20]}}""", "download")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,9223372036854775807]}}""", "download")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,9223372036854775808]}}""", "whole numbers")]
    [InlineData("""{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""", "does not take 8 bytes")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4611686018427387906],"data_offsets":[0,8]}}""", "does not take 8 bytes")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4294967296,4294967296,0],"data_offsets":[0,8]}}""", "does not take 8 bytes")]
    [InlineData("""{"a":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}}""", "dtype 'F33'")]
    [InlineData("""{"a":{"dtype":7,"shape":[2],"data_offsets":[0,8]}}""", "dtype is no string")]
    [InlineData("""{"a":{"dtype":"F32","shape":2,"data_offsets":[0,8]}}""", "shape is no array")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}}""", "whole numbers")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2],"data_offsets":[0,8]}}""", "more than 16")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2]}}""", "lacks")]
    [InlineData("""{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", "occurs twice")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}""", "twice")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", "overlap")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", "overlap")]
    [InlineData("""{"a":[]}""", "no JSON object")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}""", "no valid JSON")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}} x""", "no valid JSON")]
    [InlineData("""{"__metadata__":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":1}}}}}}}}}""", "no valid JSON")]
    [InlineData("""{"\ud800":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", "no valid JSON")]
    public void Read_DamagedHeader_IsRefused(string header, string expected) =>
        Assert.Contains(expected, Refuse(CheckpointFolder.Safetensors(header, 16)).Message);

    [Fact]
    public void Read_ForeignOrShortFiles_AreRefusedByName()
    {
        Assert.Equal(ModelFault.ShortFile, Refuse([]).Fault);
        Assert.Equal(ModelFault.ShortFile, Refuse([1, 0, 0, 0, 0, 0, 0]).Fault);
        Assert.Contains("Git-LFS", Refuse("version https://git-lfs.github.com/spec/v1\noid x"u8.ToArray()).Message);
        Assert.Contains("web page", Refuse("<!DOCTYPE html><html></html>"u8.ToArray()).Message);
        Assert.Contains("zip", Refuse("PK\u0003\u0004 and so on and on"u8.ToArray()).Message);
        byte[] huge = CheckpointFolder.Safetensors(Good, 16);
        BinaryPrimitives.WriteUInt64LittleEndian(huge, ulong.MaxValue);
        Assert.Contains("limit", Refuse(huge).Message);
    }

    [Fact]
    public void Read_EveryTruncation_IsRefused()
    {
        byte[] file = CheckpointFolder.Safetensors(Good, 16);
        for (int length = 0; length < file.Length; length++)
            Refuse(file[..length]);
    }

    [Fact]
    public void Read_EverySingleByteFlip_IsReadOrRefused()
    {
        byte[] file = CheckpointFolder.Safetensors(Good, 16);
        for (int i = 0; i < 8 + Good.Length; i++)
        {
            byte[] flipped = [.. file];
            flipped[i] ^= (byte)(1 << (i % 8));
            try
            {
                Read(flipped);
            }
            catch (ModelFormatException exception)
            {
                Assert.DoesNotContain('\n', exception.Message);
            }
        }
    }

    private static ModelFormatException Refuse(byte[] bytes) => Assert.Throws<ModelFormatException>(() => Read(bytes));

    private static List<SafetensorsTensor> Read(byte[] bytes)
    {
        using var folder = new CheckpointFolder();
        File.WriteAllBytes(folder["x.safetensors"], bytes);
        return SafetensorsHeader.Read(folder["x.safetensors"]);
    }
}
