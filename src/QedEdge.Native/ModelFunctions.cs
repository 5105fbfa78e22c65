using System.Runtime.InteropServices;
using System.Text;

namespace QedEdge.Native;

/// <summary>Errors, versions and models of qed.h, which describes every function.</summary>
internal static unsafe class ModelFunctions
{
    private const int Major = 1, Minor = 1; // QED_VERSION_MAJOR, QED_VERSION_MINOR

    private static readonly byte[] Version = VersionText();

    [UnmanagedCallersOnly(EntryPoint = "qed_last_error")]
    public static byte* GetLastError() => LastError.Text;

    [UnmanagedCallersOnly(EntryPoint = "qed_version")]
    public static byte* GetVersion()
    {
        fixed (byte* text = Version)
            return text;
    }

    [UnmanagedCallersOnly(EntryPoint = "qed_check_version")]
    public static int CheckVersion(int version)
    {
        try
        {
            if (version >> 16 != Major || (version & 0xFFFF) > Minor)
                throw new StatusException(Status.Version, $"the library's interface is {Major}.{Minor}, the program needs {version >> 16}.{version & 0xFFFF}");
            return (int)Status.Ok;
        }
        catch (Exception e)
        {
            return LastError.Set(e);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "qed_open")]
    public static int Open(byte* path, OpenOptions* options, nint* model) => Opening(model, () => QedModel.Open(Text.Name(path, "the path"), Options(options)));

    [UnmanagedCallersOnly(EntryPoint = "qed_open_memory")]
    public static int OpenMemory(byte* data, nuint length, OpenOptions* options, nint* model) => Opening(model, () =>
    {
        Text.Require(data, "the data");
        if (length > long.MaxValue)
            throw new StatusException(Status.Argument, $"the data: the length {length} is too large");
        return QedModel.Open(new UnmanagedMemoryStream(data, (long)length), "model in memory", Options(options));
    });

    [UnmanagedCallersOnly(EntryPoint = "qed_close")]
    public static int Close(nint model)
    {
        try
        {
            Handles.Close<QedModel>(model);
            return (int)Status.Ok;
        }
        catch (Exception e)
        {
            return LastError.Set(e);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "qed_get_model_info")]
    public static int GetInfo(nint model, ModelInfo* info)
    {
        try
        {
            using Handles.Lease<QedModel> lease = Handles.Use<QedModel>(model);
            var config = lease.Target.Config;
            Versioned.Write(info, new ModelInfo
            {
                VocabSize = config.VocabSize,
                ContextLength = config.ContextLength,
                LayerCount = config.LayerCount,
                HiddenSize = config.HiddenSize,
                BosId = config.BosId ?? -1,
                EosId = config.EosId ?? -1,
                PadId = config.PadId ?? -1,
                UnkId = config.UnkId ?? -1,
                HasTokenizer = lease.Target.Tokenizer is null ? 0 : 1,
                HeadCount = config.HeadCount,
                KeyValueHeadCount = config.KeyValueHeadCount,
                HeadSize = config.HeadSize,
                Window = config.Window ?? 0,
                NormEpsilon = config.NormEpsilon,
            }, "the model info");
            return (int)Status.Ok;
        }
        catch (Exception e)
        {
            return LastError.Set(e);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "qed_end_ids")]
    public static long GetEndIds(nint model, int* ids, nuint capacity)
    {
        try
        {
            using Handles.Lease<QedModel> lease = Handles.Use<QedModel>(model);
            Text.Buffer(ids, capacity);
            return Text.Write((int[])[.. lease.Target.Config.EndIds], ids, capacity);
        }
        catch (Exception e)
        {
            return LastError.Set(e);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "qed_model_name")]
    public static long GetName(nint model, byte* buffer, nuint capacity)
    {
        try
        {
            using Handles.Lease<QedModel> lease = Handles.Use<QedModel>(model);
            return Text.Write(lease.Target.Config.Name ?? "", buffer, capacity);
        }
        catch (Exception e)
        {
            return LastError.Set(e);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "qed_model_family")]
    public static long GetFamily(nint model, byte* buffer, nuint capacity)
    {
        try
        {
            using Handles.Lease<QedModel> lease = Handles.Use<QedModel>(model);
            return Text.Write(lease.Target.Config.Family, buffer, capacity);
        }
        catch (Exception e)
        {
            return LastError.Set(e);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "qed_instruction_set")]
    public static long GetInstructionSet(nint model, byte* buffer, nuint capacity)
    {
        try
        {
            using Handles.Lease<QedModel> lease = Handles.Use<QedModel>(model);
            return Text.Write(lease.Target.InstructionSet, buffer, capacity);
        }
        catch (Exception e)
        {
            return LastError.Set(e);
        }
    }

    private static int Opening(nint* handle, Func<QedModel> open)
    {
        try
        {
            Text.Require(handle, "where to put the model");
            *handle = 0;
            *handle = Handles.Add(open(), shared: true);
            return (int)Status.Ok;
        }
        catch (Exception e)
        {
            return LastError.Set(e);
        }
    }

    private static ModelOptions Options(OpenOptions* given)
    {
        OpenOptions options = Versioned.Read(given, default, "the options");
        return new ModelOptions
        {
            InstructionSet = options.InstructionSet is null ? null : Text.Name(options.InstructionSet, "the instruction set"),
            Loading = options.Loading is 0 or 1 ? (ModelLoading)options.Loading : throw new StatusException(Status.Argument, $"the loading must be 0 or 1, got {options.Loading}"),
        };
    }

    private static byte[] VersionText()
    {
        string version = typeof(QedModel).Assembly.GetName().Version!.ToString(3);
        byte[] text = GC.AllocateArray<byte>(version.Length + 1, pinned: true);
        Encoding.UTF8.GetBytes(version, text);
        return text;
    }
}
