using System.Text;
using QedEdge.Constraints;
using QedEdge.Generation;
using QedEdge.Quantization;
using QedEdge.Sampling;
using QedEdge.Tests.Model;
using QedEdge.Tests.Text;
using QedEdge.Text;

namespace QedEdge.Tests.Constraints;

/// <summary>Masks against their definition, and what a model generates under a constraint.</summary>
public sealed class ConstrainedGenerationTests() : SampleModelTests(BlockFormat.Q8_0)
{
    /// <summary>A token is in the mask if its bytes lead to where the text can still be finished with the tokens left.</summary>
    [Fact]
    public void Masks_AreWhatTheirDefinitionSays()
    {
        var random = new Random(2);
        foreach (Tokenizer tokenizer in new[] { TinyTokenizer.Create(unknown: true), Model.Tokenizer! })
        {
            for (int i = 0; i < 12; i++)
            {
                TokenMasks masks = Constraint.Regex(RandomPattern.Pattern(random)).MasksFor(tokenizer.Trie);
                AutomatonState state = masks.Start(dropsSpace: i % 2 == 1);
                for (int step = 0; step < 4; step++)
                {
                    int left = random.Next(4);
                    var near = new ulong[masks.Words];
                    int count = masks.Of(state, left, near);
                    TokenMask far = masks.Of(state);
                    var possible = new List<AutomatonState>();
                    for (int id = 0; id < tokenizer.VocabSize; id++)
                    {
                        byte[] piece = tokenizer.IsSpecial(id) ? [] : tokenizer.Piece(id);
                        AutomatonState next = masks.Next(state, piece);
                        bool finishes = piece.Length > 0 && !next.IsDead && next.BytesToEnd < Distances.Infinite;
                        Assert.Equal(finishes, (far.Bits[id >> 6] >> id & 1) != 0);
                        Assert.Equal(finishes && next.BytesToEnd <= left, (near[id >> 6] >> id & 1) != 0);
                        count -= finishes && next.BytesToEnd <= left ? 1 : 0;
                        if (finishes)
                            possible.Add(next);
                    }
                    Assert.Equal(0, count);
                    Assert.Equal((possible.Count, possible.Select(next => next.BytesToEnd).DefaultIfEmpty().Max()), (far.Count, far.Most));
                    if (possible.Count == 0)
                        break;
                    state = possible[random.Next(possible.Count)];
                }
            }
        }
    }

    /// <summary>Every text matches as a whole, however few tokens there can be; or it is refused before anything is fed.</summary>
    [Fact]
    public void EveryText_MatchesOrIsRefusedBefore()
    {
        var random = new Random(4);
        int refused = 0, texts = 0;
        using Session session = Model.CreateSession(new SessionOptions { Threads = 1, ContextLength = 40 });
        for (int i = 0; i < 150; i++)
        {
            string pattern = RandomPattern.Pattern(random);
            var options = new GenerationOptions
            {
                Constraint = Constraint.Regex(pattern),
                MaxTokens = random.Next(1, 12),
                Sampling = new SamplingOptions { Seed = (ulong)i, Temperature = i % 3 == 0 ? 0f : 2f, TopK = i % 2 == 0 ? 0 : 5, RepeatPenalty = 1.2f },
            };
            int[] prompt = [.. Enumerable.Range(0, random.Next(1, 41)).Select(_ => random.Next(100, Model.Config.VocabSize))];
            session.Rollback(0);
            var text = new List<byte>();
            GenerationResult result;
            try
            {
                result = new Generator(session, options).Run(prompt, (id, _) =>
                {
                    text.AddRange(Model.Tokenizer!.Piece(id));
                    return true;
                });
            }
            catch (InvalidOptionException e)
            {
                Assert.Contains("the constraint", e.Message);
                Assert.Equal(0, session.Position);
                refused++;
                continue;
            }
            Assert.True(RegexTests.Accepts(options.Constraint.Automaton(), [.. text]), $"{pattern} and '{Encoding.UTF8.GetString([.. text])}'");
            Assert.Contains(result.Finish, new[] { FinishReason.Eos, FinishReason.Length });
            texts++;
        }
        Assert.InRange(refused, 10, 100);
        Assert.InRange(texts, 50, 140);
    }

    /// <summary>A batch gives each request the text that it gets alone, and the refused one an error.</summary>
    [Fact]
    public void ABatch_GivesTheSameTexts()
    {
        string[] patterns = [@"\d{3}-\d{2}", "(yes|no|maybe)", "[a-z]{2,5}( [a-z]+)*", "x{50}"];
        using SessionBatch batch = Model.CreateBatch(3, new SessionOptions { Threads = 1, ContextLength = 64 });
        using Session session = Model.CreateSession(new SessionOptions { Threads = 1, ContextLength = 64 });
        List<int>[] together = [.. patterns.Select(_ => new List<int>())];
        var errors = new List<string>();
        GenerationOptions[] options = [.. patterns.Select((pattern, i) => new GenerationOptions { Constraint = Constraint.Regex(pattern), MaxTokens = 20, Sampling = new SamplingOptions { Seed = (ulong)i } })];
        new BatchGenerator(batch).Run(options.Select((asked, i) => new GenerationRequest
        {
            Prompt = [1, 5, 7],
            Options = asked,
            OnToken = (id, _) => { together[i].Add(id); return true; },
            OnError = error => errors.Add(error.Message),
        }));
        Assert.Contains("may need 50 tokens, and there can be 20", Assert.Single(errors));
        for (int i = 0; i < 3; i++)
        {
            session.Rollback(0);
            var alone = new List<int>();
            new Generator(session, options[i]).Run([1, 5, 7], (id, _) => { alone.Add(id); return true; });
            Assert.Equal(alone, together[i]);
            Assert.Matches($"^(?:{patterns[i]})$", Model.Tokenizer!.Decode([.. alone], continues: true));
        }
    }

    [Fact]
    public void WhatContradicts_IsRefused()
    {
        using Session session = Model.CreateSession(new SessionOptions { Threads = 1 });
        var asked = new GenerationOptions { Constraint = Constraint.Choice(["a"]) };
        foreach (GenerationOptions wrong in new[]
        {
            asked with { Stops = ["x"] }, asked with { IgnoreEos = true },
            asked with { Sampling = new SamplingOptions { LogitBias = new Dictionary<int, float> { [5] = float.NegativeInfinity } } },
        })
        {
            Assert.Contains("constraint", Assert.Throws<InvalidOptionException>(() => new Generator(session, wrong)).Message);
        }
    }
}
