using System.Text;
using System.Text.Json;
using QedEdge.Templates;

namespace QedEdge.Tests.Templates;

/// <summary>Published templates give what transformers makes of them, to the character; features give what jinja2 does; hostile templates end.</summary>
public sealed class TemplateCasesTests
{
    private const int MostBytes = 600_000_000; // that one allocates, most of them given back at once

    public static TheoryData<string> Names => [.. TemplateFiles.Lines("cases").Select(line => line.GetProperty("template").GetString()!).Distinct()];

    [Theory]
    [MemberData(nameof(Names))]
    public void ATemplate_GivesWhatTransformersDoes(string name)
    {
        string source = TemplateFiles.Source(name);
        int count = 0;
        foreach (JsonElement line in TemplateFiles.Lines("cases").Where(line => line.GetProperty("template").GetString() == name))
        {
            AssertSame(source, line, line.GetProperty("case").GetString()!);
            count++;
        }
        Assert.True(count >= 30, $"{count} cases");
    }

    [Fact]
    public void Features_AreJinjas()
    {
        int count = 0;
        foreach (JsonElement line in TemplateFiles.Lines("features"))
        {
            AssertSame(line.GetProperty("source").GetString()!, line, line.GetProperty("id").GetString()!);
            count++;
        }
        Assert.Equal(408, count);
    }

    [Fact]
    public void HostileTemplates_EndInOneLine()
    {
        int count = 0;
        foreach (JsonElement line in TemplateFiles.Lines("hostile"))
        {
            var source = new StringBuilder();
            if (line.TryGetProperty("parts", out JsonElement parts))
            {
                foreach (JsonElement part in parts.EnumerateArray())
                    source.Insert(source.Length, part[0].GetString(), part[1].GetInt32());
            }
            else
                source.Append(line.GetProperty("source").GetString());
            string conversation = line.TryGetProperty("conversation", out JsonElement given) ? given.GetRawText() : """{"messages":[{"role":"user","content":"Hi"}]}""";
            string begin = source.ToString(0, Math.Min(source.Length, 100)), result;
            long allocated = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                result = TemplateFiles.Render(source.ToString(), conversation).Text.Length == 0 ? "" : "text";
            }
            catch (TemplateException e)
            {
                result = e.IsRaised ? "raise" : "error";
                Assert.DoesNotContain(e.Message, c => char.IsControl(c) || c is '\u2028' or '\u202E');
                Assert.True(e.Message.Length <= 1000, begin);
            }
            Assert.True(GC.GetAllocatedBytesForCurrentThread() - allocated < MostBytes, begin);
            string want = line.GetProperty("want").GetString()!;
            Assert.True(want == "any" || result == want, $"{begin}: {result} instead of {want}");
            count++;
        }
        Assert.Equal(101, count);
    }

    /// <summary>What a conversation gave is marked in the text, and nothing else: with other words in its place the unmarked text is the same.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void WhatWasTyped_IsMarked(string name)
    {
        string source = TemplateFiles.Source(name);
        const string conversation = """{"messages":[{"role":"user","content":"TYPED"},{"role":"assistant","content":"TYPED"},{"role":"user","content":" TYPED\n"}],"add_generation_prompt":true,"bos_token":"TYPED","eos_token":"TYPED"}""";
        DictValue variables = JsonVariables.Read(Encoding.UTF8.GetBytes(conversation), static (key, _) => !key.EndsWith("_token", StringComparison.Ordinal));
        TemplateText text = Template.Parse(source).Render(variables, DateTime.UnixEpoch, TestContext.Current.CancellationToken);
        int typed = 0;
        for (int at = 0; (at = text.Text.IndexOf("TYPED", at, StringComparison.Ordinal)) >= 0; at += 5)
        {
            int range = text.FirstRange(at);
            bool begun = range < text.Typed.Length && text.Typed[range] < at + 5;
            Assert.True(!begun || (text.Typed[range] <= at && text.Typed[range + 1] >= at + 5), text.Text[..at] + "^" + text.Text[at..]);
            typed += begun ? 1 : 0;
        }
        Assert.Equal(3, typed);
    }

    private static void AssertSame(string source, JsonElement line, string name)
    {
        string conversation = line.GetProperty("conversation").GetRawText(), now = line.GetProperty("now").GetString()!;
        if (line.TryGetProperty("expected_any", out _))
        {
            TemplateFiles.Render(source, conversation, now); // it prints what a program knows of itself
            return;
        }
        if (!line.TryGetProperty("expected_error", out JsonElement error))
        {
            Assert.Equal(line.GetProperty("expected").GetString(), TemplateFiles.Render(source, conversation, now).Text);
            return;
        }
        TemplateException got = Assert.Throws<TemplateException>(() => TemplateFiles.Render(source, conversation, now));
        bool raised = line.GetProperty("error_kind").GetString() == "raise_exception";
        Assert.True(got.IsRaised == raised, name);
        if (raised)
            Assert.Equal(error.GetString(), got.Message);
        else
            Assert.Matches("^line [0-9]+: ", got.Message);
    }
}
