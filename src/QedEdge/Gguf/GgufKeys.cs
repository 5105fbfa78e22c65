namespace QedEdge.Gguf;

/// <summary>Metadata keys that QedEdge reads and writes. The names under <c>general</c> and <c>tokenizer</c> are the format's own.</summary>
internal static class GgufKeys
{
#pragma warning disable CS1591 // each name says what its key says
    public const string Architecture = "general.architecture";
    public const string Name = "general.name";
    public const string Alignment = "general.alignment";
    public const string QuantizationVersion = "general.quantization_version";

    public const string SamplingTemperature = "general.sampling.temperature";
    public const string SamplingTopK = "general.sampling.top_k";
    public const string SamplingTopP = "general.sampling.top_p";
    public const string SamplingMaxNewTokens = "general.sampling.max_new_tokens";
    public const string SamplingDoSample = "general.sampling.do_sample";

    public const string ContextLength = "qed.context_length";
    public const string EmbeddingLength = "qed.embedding_length";
    public const string BlockCount = "qed.block_count";
    public const string FeedForwardLength = "qed.feed_forward_length";
    public const string HeadCount = "qed.attention.head_count";
    public const string HeadCountKv = "qed.attention.head_count_kv";
    public const string RmsNormEpsilon = "qed.attention.layer_norm_rms_epsilon";
    public const string LayerNormEpsilon = "qed.attention.layer_norm_epsilon";
    public const string SlidingWindow = "qed.attention.sliding_window";
    public const string WindowLayers = "qed.attention.sliding_window_pattern";
    public const string WindowInterval = "qed.attention.sliding_window_interval";
    public const string RotatedInterval = "qed.attention.rotated_interval";
    public const string RotatedLayers = "qed.attention.rotated_layers";
    public const string ParallelResidual = "qed.use_parallel_residual";
    public const string Activation = "qed.activation";
    public const string RopeFraction = "qed.rope.fraction";
    public const string RopeLocalBase = "qed.rope.freq_base_swa";
    public const string QueryScalar = "qed.attention.query_scalar";
    public const string RopeFreqBase = "qed.rope.freq_base";
    public const string RopeDimensionCount = "qed.rope.dimension_count";
    public const string RopeScalingType = "qed.rope.scaling.type";
    public const string RopeScalingFactor = "qed.rope.scaling.factor";
    public const string RopeScalingOriginal = "qed.rope.scaling.original_context_length";
    public const string RopeScalingAttention = "qed.rope.scaling.attn_factor";
    public const string RopeYarnBetaFast = "qed.rope.scaling.yarn_beta_fast";
    public const string RopeYarnBetaSlow = "qed.rope.scaling.yarn_beta_slow";
    public const string VocabSize = "qed.vocab_size";
    public const string TieWordEmbeddings = "qed.tie_word_embeddings";
    public const string KeyLength = "qed.attention.key_length";
    public const string ValueLength = "qed.attention.value_length";

    public const string TokenizerModel = "tokenizer.ggml.model";
    public const string TokenizerPre = "tokenizer.ggml.pre";
    public const string Tokens = "tokenizer.ggml.tokens";
    public const string TokenType = "tokenizer.ggml.token_type";
    public const string Merges = "tokenizer.ggml.merges";
    public const string PackedMerges = "qed.tokenizer.merges";
    public const string PackedMergeIds = "qed.tokenizer.merge_ids";
    public const string TokenSlots = "qed.tokenizer.token_slots";
    public const string MergeSlots = "qed.tokenizer.merge_slots";
    public const string Scores = "tokenizer.ggml.scores";
    public const string AddSpacePrefix = "tokenizer.ggml.add_space_prefix";
    public const string Normalizer = "qed.tokenizer.normalizer";
    public const string IgnoreMerges = "qed.tokenizer.ignore_merges";
    public const string ByteFallback = "qed.tokenizer.byte_fallback";
    public const string FuseUnknown = "qed.tokenizer.fuse_unk";
    public const string StripSpace = "qed.tokenizer.strip_space";
    public const string AddedIds = "qed.tokenizer.added_ids";
    public const string AddedFlags = "qed.tokenizer.added_flags";
    public const string EndIds = "qed.tokenizer.end_ids";
    public const string EotTokenId = "tokenizer.ggml.eot_token_id";
    public const string EomTokenId = "tokenizer.ggml.eom_token_id";
    public const string BosTokenId = "tokenizer.ggml.bos_token_id";
    public const string EosTokenId = "tokenizer.ggml.eos_token_id";
    public const string PaddingTokenId = "tokenizer.ggml.padding_token_id";
    public const string UnknownTokenId = "tokenizer.ggml.unknown_token_id";
    public const string AddBosToken = "tokenizer.ggml.add_bos_token";
    public const string AddEosToken = "tokenizer.ggml.add_eos_token";
    public const string ChatTemplate = "tokenizer.chat_template";

    private const string Baked = "qed.baked.";
    public const string BakedTokens = Baked + "tokens";
    public const string BakedKvType = Baked + "kv_type";
    public const string BakedFingerprint = Baked + "fingerprint";
    public const string BakedSystem = Baked + "system";
    public const string BakedTensor = Baked + "kv";

    public const string Recipe = "qed.conversion.recipe";
    public const string SourceFile = "qed.conversion.source_file";
    public const string SourceFileChecksum = "qed.conversion.source_file_checksum";
    public const string SourceChecksums = "qed.conversion.source_checksums";
    public const string CalibrationText = "qed.calibration.text";
    public const string CalibrationChecksum = "qed.calibration.checksum";
    public const string CalibrationTokens = "qed.calibration.tokens";
    private const string Measured = "qed.measured.";
    public const string MeasuredText = Measured + "text";
    public const string MeasuredChecksum = Measured + "checksum";
    public const string MeasuredTokens = Measured + "tokens";
    public const string MeasuredPerplexity = Measured + "perplexity";
    public const string MeasuredExactPerplexity = Measured + "perplexity_f32";
    public const string MeasuredMeanDivergence = Measured + "kl_mean";
    public const string MeasuredMedianDivergence = Measured + "kl_median";
    public const string MeasuredHighDivergence = Measured + "kl_99";
    public const string MeasuredSameTop = Measured + "same_top1";

    private const string Digest = "qed.digest.";
    public const string DigestPrompt = Digest + "prompt";
    public const string DigestCount = Digest + "tokens";
    public const string DigestArithmetic = Digest + "arithmetic";
    public const string DigestValue = Digest + "xxh128";

    public const string HeaderChecksum = "qed.checksum.header";
    public const string TensorChecksums = "qed.checksum.tensors";
#pragma warning restore CS1591

    /// <summary>The architecture whose name the keys of hyperparameters carry here.</summary>
    public const string Qed = "qed";

    /// <summary>A hyperparameter's key in a file of another architecture, whose name it carries instead.</summary>
    public static string For(string? architecture, string key) => architecture is null or Qed ? key : architecture + key[Qed.Length..];

    /// <summary>Whether a key of ours is no hyperparameter.</summary>
    public static bool IsRecord(string key) => IsOurs(key) && key.AsSpan("qed.".Length) is var name && name.IndexOf('.') is > 0 and var dot
        && name[..dot] is "tokenizer" or "baked" or "conversion" or "calibration" or "measured" or "digest" or "checksum";

    /// <summary>Whether a key is one that no other program writes.</summary>
    public static bool IsOurs(string key) => key.StartsWith("qed.", StringComparison.Ordinal);

    /// <summary>Whether a key belongs to the digest of what the model computes.</summary>
    public static bool IsDigest(string name) => name.StartsWith(Digest, StringComparison.Ordinal);

    /// <summary>Whether a key says how far the model is from the weights that it was made from.</summary>
    public static bool IsMeasured(string name) => name.StartsWith(Measured, StringComparison.Ordinal);

    /// <summary>Whether a key or a tensor belongs to a baked prefix.</summary>
    public static bool IsBaked(string name) => name.StartsWith(Baked, StringComparison.Ordinal);
}
