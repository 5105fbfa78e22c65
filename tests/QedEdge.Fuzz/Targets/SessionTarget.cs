using System.Buffers.Binary;
using System.IO.Hashing;
using QedEdge.Fuzz.Mutation;

namespace QedEdge.Fuzz.Targets;

/// <summary>A saved session (a prompt cache is one): restored into the session that it says it is of, and continued on both kernel sets.</summary>
internal sealed class SessionTarget : Target
{
    private const int ChecksumAt = 8, Checked = 16, LengthAt = 24, FirstInt = 32, Ints = 9, HeaderBytes = 72;
    private const int Format = 0, Capacity = 1, Sinks = 2, Slides = 3; // of the header's int32s
    private string _file = "";
    private QedModel[] _models = [];

    public override int Share => 15;

    public override IEnumerable<byte[]> Seeds(string folder)
    {
        string model = Samples.Model(folder);
        _file = Path.Combine(folder, "session");
        _models = [.. Runs.Sets.Select(set => QedModel.Open(model, new ModelOptions { InstructionSet = set }))];
        foreach (KvCacheType type in new[] { KvCacheType.F32, KvCacheType.F16, KvCacheType.Q8_0 })
        {
            var options = new SessionOptions { Threads = 1, ContextLength = 6, KvType = type };
            yield return Save(options, session => session.Feed([1, 7, 3]));
            yield return Save(options, session => session.Feed([1, 7, 3, 4], new FeedOptions { AttentionMask = new byte[] { 0, 1, 1, 1 }, PositionIds = new[] { 0, 0, 1, 2 } }));
            yield return Save(options, session =>
            {
                session.Feed([1, 7, 3, 2]);
                session.Rollback(2);
            });
            yield return Save(options with { Overflow = ContextOverflow.Slide, Sinks = 1 }, session => session.Feed([1, 7, 3, 2, 5, 6, 7, 8, 2, 3, 4]));
            yield return Save(options, _ => { });
        }
    }

    public override byte[] Mutate(Random random, byte[] input, byte[] other)
    {
        byte[] changed = [.. input];
        for (int left = 1 + random.Next(3); left > 0; left--)
        {
            if (changed.Length < HeaderBytes || random.Next(6) == 0)
                changed = Bytes.Change(random, changed, other);
            else if (random.Next(3) == 0)
                Bytes.Renumber(random, changed.AsSpan(FirstInt + sizeof(int) * random.Next(Ints)), sizeof(int));
            else if (random.Next(3) == 0)
                changed.AsSpan(FirstInt + sizeof(int) * random.Next(Ints), sizeof(int)).Clear();
            else if (changed.Length >= HeaderBytes + 4)
                Bytes.Renumber(random, changed.AsSpan(HeaderBytes + random.Next(changed.Length - HeaderBytes - 3)), 1 << random.Next(3));
        }
        if (changed.Length < HeaderBytes || random.Next(20) == 0)
            return changed;
        if (random.Next(10) > 0)
            BinaryPrimitives.WriteInt64LittleEndian(changed.AsSpan(LengthAt), changed.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(changed.AsSpan(ChecksumAt), XxHash3.HashToUInt64(changed.AsSpan(Checked)));
        return changed;
    }

    public override string Execute(Input input)
    {
        File.WriteAllBytes(_file, input.Bytes);
        SessionOptions options = OptionsOf(input.Bytes);
        string[] results = [.. _models.Select(model => Continue(model, options))];
        if (results.Distinct().Count() > 1)
            throw new FaultException($"kernels differ: {string.Join(", ", results.Select(static result => result.StartsWith("bits", StringComparison.Ordinal) ? "bits" : result))}");
        return results[0].StartsWith("bits", StringComparison.Ordinal) ? "goes on" : $"goes on: {results[0]}";
    }

    private string Continue(QedModel model, SessionOptions options)
    {
        using Session session = model.CreateSession(options);
        try
        {
            session.Restore(_file);
        }
        catch (QedException) when (session.Position != 0 || session.HasLogits)
        {
            throw new FaultException("a refused session changed the one that is open");
        }
        if (session.HasLogits)
            _ = session.Logits;
        int kept = session.CommonPrefix([1, 7, 3]);
        string result = session.IsFull || session.Position > int.MaxValue - 1000 ? "full" : Runs.Logits(session, [2, 3], 1);
        if (kept > 0 && kept <= session.Position && session.Overflow == ContextOverflow.Stop)
        {
            session.Rollback(kept);
            result += Runs.Logits(session, [4]);
        }
        return result;
    }

    /// <summary>What a program would open a session with that wants to go on with this one.</summary>
    private static SessionOptions OptionsOf(byte[] file)
    {
        int Int(int index) => file.Length < HeaderBytes ? 0 : BinaryPrimitives.ReadInt32LittleEndian(file.AsSpan(FirstInt + sizeof(int) * index));
        return new SessionOptions
        {
            Threads = 1,
            KvType = Int(Format) switch { 1 => KvCacheType.F16, 2 => KvCacheType.Q8_0, _ => KvCacheType.F32 },
            ContextLength = Math.Clamp(Int(Capacity), 2, 16),
            Overflow = Int(Slides) != 0 ? ContextOverflow.Slide : ContextOverflow.Stop,
            Sinks = Int(Slides) != 0 ? Math.Clamp(Int(Sinks), 0, Math.Clamp(Int(Capacity), 2, 16) / 2) : null,
        };
    }

    private byte[] Save(SessionOptions options, Action<Session> use)
    {
        using Session session = _models[0].CreateSession(options);
        use(session);
        session.Save(_file, overwrite: true, flush: false);
        return File.ReadAllBytes(_file);
    }
}
