using System.Text;
using System.Text.Json.Nodes;
using QedEdge.Conversion;
using QedEdge.Fuzz.Mutation;
using QedEdge.Gguf;
using QedEdge.Memory;
using QedEdge.Quantization;
using QedEdge.Quantization.Formats;

namespace QedEdge.Fuzz;

/// <summary>Sound files, as small as they can be, made by the project's own writers.</summary>
internal static class Samples
{
    /// <summary>A text with all that the sample tokenizer tells apart.</summary>
    public const string Text = "ab abab b<eos> a 12 <unk>ab";

    /// <summary>tokenizer.json with letters, a space, digits, merges, added tokens and, if asked for, what other models have: digits apart and a template.</summary>
    public static string Tokenizer(bool rich = false) => $$"""
        {"version":"1.0","truncation":null,"padding":null,"added_tokens":[
        {"id":0,"content":"<unk>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true},
        {"id":1,"content":"<eos>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],"normalizer":null,
        "pre_tokenizer":{{(rich ? """{"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}]}"""
            : """{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}""")}},
        "post_processor":{{(rich ? """{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<eos>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[],"special_tokens":{"<eos>":{"id":"<eos>","ids":[1],"tokens":["<eos>"]}}}"""
            : "null")}},"decoder":{"type":"ByteLevel","add_prefix_space":true},
        "model":{"type":"BPE","dropout":null,"unk_token":"<unk>","continuing_subword_prefix":null,"end_of_word_suffix":null,"fuse_unk":false,"byte_fallback":false,"ignore_merges":false,
        "vocab":{"<unk>":0,"<eos>":1,"a":2,"b":3,"Ġ":4,"1":5,"2":6,"ab":7,"Ġab":8,"Ã":9,"©":10,"Ċ":11},"merges":["a b",{{(rich ? """["Ġ","ab"]""" : "\"Ġ ab\"")}}]} }
        """;

    /// <summary>Makes a checkpoint's folder of another family.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="config">Its config.json.</param>
    public static void Checkpoint(string folder, string config)
    {
        Directory.CreateDirectory(folder);
        foreach (string old in Directory.GetFiles(folder))
            File.Delete(old);
        File.WriteAllText(Path.Combine(folder, "config.json"), config);
        RandomCheckpoint.Write(Path.Combine(folder, "config.json"), folder, 7, CheckpointType.F32, overwrite: true);
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), Tokenizer());
    }

    /// <summary>Makes a checkpoint's folder of QED's family.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="tied">Whether the head is the embedding.</param>
    /// <param name="bias">Whether the layers have biases.</param>
    /// <param name="type">How weights are stored.</param>
    public static void Checkpoint(string folder, bool tied = true, bool bias = false, CheckpointType type = CheckpointType.F32)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), $$"""
            {"architectures":["QEDForCausalLM"],"model_type":"qed","vocab_size":13,"d_model":8,"n_layers":1,"n_heads":2,"ffn_hidden_dim":12,"max_seq_len":64,"rope_theta":10000.0,"rms_norm_eps":1e-05,
            "tie_word_embeddings":{{(tied ? "true" : "false")}},"bias":{{(bias ? "true" : "false")}},"eos_token_id":1,"initializer_range":0.4,"torch_dtype":"float32"}
            """);
        RandomCheckpoint.Write(Path.Combine(folder, "config.json"), folder, 7, type, overwrite: true);
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), Tokenizer(bias));
        File.WriteAllText(Path.Combine(folder, "tokenizer_config.json"), """{"bos_token":"<eos>","eos_token":"<eos>","unk_token":"<unk>","add_bos_token":true,"added_tokens_decoder":{"1":{"content":"<eos>","lstrip":false,"normalized":false,"rstrip":false,"single_word":false,"special":true}},"model_max_length":64}""");
        File.WriteAllText(Path.Combine(folder, "special_tokens_map.json"), """{"eos_token":"<eos>","unk_token":{"content":"<unk>","lstrip":false,"normalized":false,"rstrip":false,"single_word":false}}""");
        File.WriteAllText(Path.Combine(folder, "generation_config.json"), """{"do_sample":true,"temperature":0.8,"top_k":5,"top_p":0.9,"max_new_tokens":4,"eos_token_id":[1],"bos_token_id":1,"pad_token_id":1}""");
    }

    /// <summary>Model files of every type, layout and architecture.</summary>
    public static List<byte[]> Models(string folder)
    {
        string checkpoint = Path.Combine(folder, "checkpoint"), file = Path.Combine(folder, "model.gguf");
        var models = new List<byte[]>();
        foreach (BlockFormat format in BlockFormats.Written)
        {
            Checkpoint(checkpoint, tied: format != BlockFormat.F16, bias: format is BlockFormat.F16 or BlockFormat.IQ4_NL);
            models.Add(Convert(new ConversionOptions { Type = format }));
        }
        models.Add(Convert(new ConversionOptions { Type = BlockFormat.F16, Layout = FileLayout.Plain }));
        Checkpoint(checkpoint);
        byte[] foreign = Convert(new ConversionOptions { Type = BlockFormat.F32, Layout = FileLayout.Plain, Architecture = FileArchitecture.Qwen2 });
        models.Add(foreign);
        models.Add(GgufChanges.Rename(foreign, "qwen2", "llama"));
        using (QedModel model = QedModel.Open(WriteFile(models[2])))
            PrefixBaker.Bake(model, [1, 7, 3, 4], Path.Combine(folder, "baked.gguf"), new BakeOptions { System = "ab" });
        models.Add(File.ReadAllBytes(Path.Combine(folder, "baked.gguf")));
        foreach (string config in FamilyConfigs.All)
        {
            Checkpoint(checkpoint, config);
            models.Add(Convert(new ConversionOptions { Type = BlockFormat.F32 }));
        }
        Checkpoint(checkpoint, """{"model_type":"llama","hidden_size":8,"num_attention_heads":2,"num_hidden_layers":1,"intermediate_size":256,"vocab_size":13,"max_position_embeddings":64,"rms_norm_eps":1e-5,"tie_word_embeddings":true}""");
        byte[] wide = Convert(new ConversionOptions { Type = BlockFormat.F32, Layout = FileLayout.Plain });
        models.AddRange(Enum.GetValues<BlockFormat>().Except(BlockFormats.Written).Select(format => Retyped(wide, "blk.0.ffn_down.weight", format)));
        return models;

        byte[] Convert(ConversionOptions options)
        {
            CheckpointConverter.Convert(checkpoint, file, options with { Threads = 1, Overwrite = true });
            return File.ReadAllBytes(file);
        }

        string WriteFile(byte[] bytes)
        {
            File.WriteAllBytes(file, bytes);
            return file;
        }
    }

    /// <summary>A file with a matrix of another tool's type, of some finite values.</summary>
    private static byte[] Retyped(byte[] model, string name, BlockFormat format)
    {
        var memory = new AlignedBuffer<byte>(model.Length);
        model.CopyTo(memory.Span);
        using GgufFile file = GgufFile.Open(memory.View, name, memory);
        var writer = new GgufWriter(file.Alignment, checksums: false);
        foreach (string key in file.Metadata.Keys)
            writer.Copy(file.Metadata, key);
        var data = new List<byte[]>();
        foreach (GgufTensorInfo tensor in file.Tensors)
        {
            bool changes = tensor.Name == name;
            byte[] bytes = changes ? new byte[tensor.Dimensions[0] * format.Info().RowBytes((int)tensor.Dimensions[1])] : file.Data(tensor).Span(0, (int)tensor.Bytes).ToArray();
            if (changes)
                bytes.AsSpan().Fill(0x70); // a half, and an exponent of MXFP4, that is finite
            writer.AddTensor(tensor.Name, changes ? TensorTypes.Of(format, packed: false) : tensor.Type, [.. tensor.Dimensions], bytes.Length);
            data.Add(bytes);
        }
        using var stream = new MemoryStream();
        writer.Begin(stream);
        for (int i = 0; i < data.Count; i++)
            writer.WriteTensor(i, data[i]);
        writer.End();
        return stream.ToArray();
    }

    /// <summary>One model's file.</summary>
    public static string Model(string folder, BlockFormat format = BlockFormat.Q8_0)
    {
        string checkpoint = Path.Combine(folder, "checkpoint"), file = Path.Combine(folder, $"{format}.gguf");
        Checkpoint(checkpoint);
        CheckpointConverter.Convert(checkpoint, file, new ConversionOptions { Type = format, Threads = 1, Overwrite = true });
        return file;
    }

    /// <summary>A PEFT adapter for the checkpoint.</summary>
    public static void Adapter(string folder)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "adapter_config.json"), """
            {"peft_type":"LORA","r":2,"lora_alpha":4,"lora_dropout":0.0,"use_rslora":false,"fan_in_fan_out":false,"bias":"none","init_lora_weights":true,"modules_to_save":null,
            "rank_pattern":{"layers.0.attention.v_proj":1},"alpha_pattern":{".*k_proj":8},"target_modules":["q_proj","k_proj","v_proj"]}
            """);
        var tensors = new (string Name, int[] Shape)[]
        {
            ("q_proj.lora_A", [2, 8]), ("q_proj.lora_B", [8, 2]), ("k_proj.lora_A", [2, 8]), ("k_proj.lora_B", [8, 2]), ("v_proj.lora_A", [1, 8]), ("v_proj.lora_B", [8, 1]),
        };
        var header = new JsonObject();
        int at = 0;
        foreach ((string name, int[] shape) in tensors)
        {
            header[$"base_model.model.model.layers.0.attention.{name}.weight"] = new JsonObject
            {
                ["dtype"] = "F32",
                ["shape"] = new JsonArray(shape[0], shape[1]),
                ["data_offsets"] = new JsonArray(at, at += 4 * shape[0] * shape[1]),
            };
        }
        byte[] text = Encoding.UTF8.GetBytes(header.ToJsonString());
        var values = new float[at / 4];
        for (int i = 0; i < values.Length; i++)
            values[i] = 0.01f * (i % 17 - 8);
        File.WriteAllBytes(Path.Combine(folder, "adapter_model.safetensors"), [.. BitConverter.GetBytes((long)text.Length), .. text, .. values.SelectMany(BitConverter.GetBytes)]);
    }
}
