using System.Text;
using System.Text.Json.Nodes;
using CsCheck;
using QedEdge.Templates;
using JsonValue = QedEdge.Json.JsonValue;

namespace QedEdge.Tests.Json;

/// <summary>The reader of what users write: it finds what System.Text.Json's document finds, takes no more memory than is asked for, and says where a text is wrong.</summary>
public sealed class JsonValueTests
{
    private const int Kilobytes = 1 << 10;

    private static readonly Gen<JsonNode?> AnyValue = Gen.Recursive<JsonNode?>((depth, inner) => depth > 3 ? Leaf : Gen.Frequency((2, Leaf), (1, Array(inner)), (1, Object(inner).Select(value => (JsonNode?)value))));

    private static Gen<JsonNode?> Leaf => Gen.OneOf<JsonNode?>(
        Gen.Bool.Select(_ => (JsonNode?)null), Gen.Bool.Select(value => (JsonNode?)value), Gen.Int.Select(value => (JsonNode?)value), Gen.Double[-1e6, 1e6].Select(value => (JsonNode?)value), Gen.String.Select(value => (JsonNode?)Whole(value)));

    /// <summary>RFC 8259 allows half of a surrogate pair in a text: it is U+FFFD, and all else is as it was written.</summary>
    [Theory]
    [InlineData("\\ud83d", "\ufffd")]
    [InlineData("\\udc00x\\ud83d\\ude00", "\ufffdx\ud83d\ude00")]
    [InlineData("\\ud83d\\ud83d\\ude00", "\ufffd\ud83d\ude00")]
    [InlineData("\\ud83d\\\\ \\\"\\/\\b\\f\\n\\r\\t\\u00e9é", "\ufffd\\ \"/\b\f\n\r\té" + "é")]
    public void HalfOfASurrogatePair_IsAReplacementCharacter(string written, string read)
    {
        Assert.Equal(read, JsonValue.ParseObject(Encoding.UTF8.GetBytes($$"""{"a":"{{written}}"}""")).Get("a").String());
        DictValue variables = JsonVariables.Read(Encoding.UTF8.GetBytes($$"""{"a":"{{written}}","b{{written}}":null}"""), static (_, _) => true); // of a chat template
        Assert.True(variables.TryGet("a", out object? text) && variables.TryGet("b" + read, out _));
        Assert.Equal(read, ((TemplateText)text!).Text);
    }

    [Fact]
    public void WhatItFinds_IsWhatADocumentHas() => Object(AnyValue).Sample(expected =>
    {
        foreach (bool indented in new[] { false, true })
            AssertSame(expected, JsonValue.ParseObject(Encoding.UTF8.GetBytes(expected.ToJsonString(new() { WriteIndented = indented }))));
    }, iter: 500);

    [Theory]
    [InlineData("", "column 1")]
    [InlineData("{", "column 2")]
    [InlineData("[]", "not a JSON object")]
    [InlineData("{} {}", "column 4")]
    [InlineData("{\"a\":x}", "column 6")]
    [InlineData("{\"é😀\":x}", "column 7")]
    [InlineData("{\n\"é\": 1,\n \"b\": tru }", "line 3, column ")]
    [InlineData("{\"a\":1,}", "column 8")]
    [InlineData("{\"a\":01}", "column 7")]
    public void AnError_SaysWhere_CountedFrom1(string text, string place)
    {
        QedException error = Assert.Throws<QedException>(() => Parse(text));
        Assert.Contains(place, error.Message);
        Assert.DoesNotContain("LineNumber", error.Message);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public void AnError_NamesTheValue()
    {
        AssertError("a name is no text", "{\"\\ud83d\":1}", value => value.Find("b"));
        AssertError("\"a.b[1]\" must be a whole number", "{\"a\":{\"b\":[1,2.5]}}", value => value.Get("a").Get("b").Int32s(9));
        AssertError("\"a.b\" must be an array", "{\"a\":{\"b\":1}}", value => value.Get("a").Get("b").Array());
        AssertError("there is no \"a.c\"", "{\"a\":{\"b\":1}}", value => value.Get("a").Get("c"));
        string longest = new('A', 100_000); // names are cut in messages
        AssertError("AAAA…", $"{{\"{longest}\":[true]}}", value => value.Get(longest).Int32s(9));

        static void AssertError(string message, string text, Func<JsonValue, object?> read)
        {
            string said = Assert.Throws<QedException>(() => read(Parse(text))).Message;
            Assert.Contains(message, said);
            Assert.InRange(said.Length, 10, 200);
        }
    }

    [Fact]
    public void OfEqualNames_TheLastHolds_AndNullIsNone()
    {
        JsonValue value = Parse("{\"a\":1,\"b\":2,\"\\u0061\":3,\"b\":null}");
        Assert.Equal(3, value.Find("a")!.Int32());
        Assert.Null(value.Find("b"));
        Assert.Null(value.Find("c"));
    }

    [Fact]
    public void Memory_IsForWhatIsAskedAlone()
    {
        const int Count = 1_000_000;
        byte[] ids = Encoding.UTF8.GetBytes($"{{\"tokens\":[{string.Join(',', Enumerable.Repeat("12", Count))}]}}");
        Assert.InRange(Allocated(() => Assert.Equal(Count, JsonValue.ParseObject(ids).Find("tokens")!.Int32s(RequestLimits.Ids).Length)), Count * sizeof(int), (Count * sizeof(int)) + (64 * Kilobytes));
        byte[] wide = Encoding.UTF8.GetBytes($"{{\"{new string('A', 200_000)}\":[{string.Join(',', Enumerable.Repeat("0", 50_000))}]}}");
        Assert.InRange(Allocated(() => Assert.Null(JsonValue.ParseObject(wide).Find("tokens"))), 0, 64 * Kilobytes);
    }

    private static JsonValue Parse(string text) => JsonValue.ParseObject(Encoding.UTF8.GetBytes(text));

    private static Gen<JsonNode?> Array(Gen<JsonNode?> items) => items.List[0, 4].Select(values => (JsonNode?)new JsonArray([.. values.Select(value => value?.DeepClone())]));

    private static Gen<JsonObject> Object(Gen<JsonNode?> values) => Gen.Dictionary(Gen.String.Select(Whole), values)[0, 4].Select(members => new JsonObject(members.Select(member => KeyValuePair.Create(member.Key, member.Value?.DeepClone()))));

    /// <summary>A text without halves of characters, which JSON cannot say.</summary>
    private static string Whole(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));

    private static void AssertSame(JsonNode? expected, JsonValue? actual)
    {
        switch (expected)
        {
            case null:
                break;
            case JsonObject members:
                Assert.Equal(members.Select(member => member.Key), actual!.Names);
                foreach ((string name, JsonNode? member) in members)
                {
                    Assert.Equal(member is null, actual.Find(name) is null);
                    AssertSame(member, actual.Find(name));
                }
                break;
            case JsonArray items:
                Assert.Equal(items.Count, actual!.Array().Count());
                foreach ((JsonNode? item, JsonValue value) in items.Zip(actual.Array()))
                    AssertSame(item, value);
                break;
            default:
                if (expected.GetValueKind() == System.Text.Json.JsonValueKind.String)
                    Assert.Equal((string)expected!, actual!.String());
                else if (actual!.IsBoolean)
                    Assert.Equal((bool)expected, actual.Boolean());
                else
                    Assert.Equal(expected.ToJsonString(), actual.StringOrNumber());
                break;
        }
    }

    private static long Allocated(Action action)
    {
        action(); // what is made once
        long before = GC.GetAllocatedBytesForCurrentThread();
        action();
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }
}
