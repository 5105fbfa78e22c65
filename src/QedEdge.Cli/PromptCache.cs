using QedEdge.Memory;

namespace QedEdge.Cli;

/// <summary>The file of --prompt-cache. It saves time and no more: what cannot be used or written is said in a warning, and the prompt is computed.</summary>
/// <param name="path">The file, or null for none.</param>
internal sealed class PromptCache(string? path)
{
    private readonly List<string> _warnings = [];
    private bool _isAnothers; // a file of another kind, which is not replaced

    /// <summary>Takes what a prompt has in common with the one that was kept.</summary>
    /// <returns>How many tokens need not be fed.</returns>
    public int Restore(Session session, ReadOnlySpan<int> prompt)
    {
        if (path is null)
            return 0;
        try
        {
            if (!FileStatus.Exists(path))
                return 0;
            session.Restore(path);
            return session.KeepCommonPrefix(prompt);
        }
        catch (QedException e)
        {
            _isAnothers = !Session.MayReplace(path);
            _warnings.Add($"{e.Message.TrimEnd('.')}; the prompt is computed{(_isAnothers ? " and not kept" : "")}");
            return 0;
        }
    }

    /// <summary>Keeps the prompt that was fed, unless the file holds all of it.</summary>
    /// <param name="session">Holds the prompt and no more.</param>
    /// <param name="cached">What <see cref="Restore"/> gave.</param>
    public void Save(Session session, int cached)
    {
        if (path is null || _isAnothers || cached == session.Position)
            return;
        try
        {
            session.Save(path, overwrite: true);
        }
        catch (QedException e)
        {
            _warnings.Add($"{e.Message}; the prompt is not kept");
        }
    }

    /// <summary>Says what went wrong since the last time.</summary>
    public void Warn()
    {
        foreach (string warning in _warnings)
            Terminal.Note($"warning: {warning}");
        _warnings.Clear();
    }
}
