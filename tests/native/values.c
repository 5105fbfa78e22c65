/*
 * values MODEL.gguf FOLDER: calls every function and prints what the model gives, a line each, for comparison with the library and the command line.
 * Writes FOLDER/logits.f32, the logits after each of some tokens, and FOLDER/session.
 */
#include "check.h"

#define PROMPT "Once upon a time"
#define TOKENS 40

static const int32_t some[] = { 1, 5, 7, 11, 13, 17, 19, 23 };
#define SOME (sizeof some / sizeof some[0])

static qed_model *model;
static int32_t vocab;

static void models(const char *path)
{
    qed_model_info info;
    qed_open_options options;
    char text[64], cut[4];
    long length;
    FILE *file;
    char *bytes;

    CLEAR(options);
    options.loading = QED_LOADING_MEMORY;
    options.instruction_set = "scalar";
    GIVES(QED_OK, qed_open(path, &options, &model));
    GIVES(6, qed_instruction_set(model, text, sizeof text));
    CHECK(strcmp(text, "scalar") == 0);
    GIVES(6, qed_instruction_set(model, cut, sizeof cut));
    CHECK(strcmp(cut, "sca") == 0);
    GIVES(6, qed_instruction_set(model, NULL, 0));
    GIVES(QED_OK, qed_close(model));

    file = fopen(path, "rb");
    fseek(file, 0, SEEK_END);
    length = ftell(file);
    rewind(file);
    bytes = (char *)malloc((size_t)length);
    CHECK(fread(bytes, 1, (size_t)length, file) == (size_t)length);
    fclose(file);
    GIVES(QED_OK, qed_open_memory(bytes, (size_t)length, NULL, &model));
    GIVES(3, qed_tokenize(model, "a b c", 5, QED_TOKENIZE_PLAIN, NULL, 0));
    GIVES(QED_OK, qed_close(model));
    free(bytes);

    GIVES(QED_OK, qed_open(path, NULL, &model));
    CLEAR(info);
    GIVES(QED_OK, qed_get_model_info(model, &info));
    CHECK(info.size == sizeof info);
    vocab = info.vocab_size;
    printf("info %d %d %d %d %d %d %d %d %d\n", info.vocab_size, info.context_length, info.layer_count, info.hidden_size, info.bos_id, info.eos_id,
           info.pad_id, info.unk_id, info.has_tokenizer);
    CHECK(qed_model_name(model, text, sizeof text) == (int64_t)strlen(text));
    printf("name %s\n", text);
    CHECK(qed_model_family(model, text, sizeof text) == (int64_t)strlen(text));
    printf("family %s\n", text);
    printf("heads %d %d %d %d %.17g\n", info.head_count, info.kv_head_count, info.head_size, info.window, (double)info.norm_epsilon);
}

static void texts(void)
{
    static const char text[] = "Caf\xC3\xA9 <eos> \xE2\x82\xAC\xF0\x9F\x98\x80";
    int32_t ids[64], again[64];
    char buffer[256], piece[64], joined[256];
    size_t at = 0;
    int64_t count = qed_tokenize(model, text, sizeof text - 1, QED_TOKENIZE_PROMPT, ids, 64), length, i;

    printf("ids");
    for (i = 0; i < count; i++)
        printf(" %d", ids[i]);
    printf("\n");
    memset(again, 0xFF, sizeof again);
    GIVES(count, qed_tokenize(model, text, sizeof text - 1, QED_TOKENIZE_SPECIAL | QED_TOKENIZE_BOS, again, 2));
    CHECK(again[0] == ids[0] && again[1] == ids[1] && again[2] == -1);
    GIVES(0, qed_tokenize(model, NULL, 0, QED_TOKENIZE_PLAIN, NULL, 0));

    length = qed_detokenize(model, ids, (size_t)count, QED_DETOKENIZE_KEEP, buffer, sizeof buffer);
    CHECK(length == (int64_t)strlen(buffer));
    printf("text %s\n", buffer);
    for (i = 0; i < count; i++) {
        int64_t n = qed_piece(model, ids[i], piece, sizeof piece);
        CHECK(n > 0 && n < (int64_t)sizeof piece);
        memcpy(joined + at, piece, (size_t)n);
        at += (size_t)n;
    }
    CHECK(at == (size_t)length && memcmp(joined, buffer, at) == 0);
    CHECK(qed_detokenize(model, ids, (size_t)count, QED_DETOKENIZE_SKIP, NULL, 0) < length);

    /* The last character, of 2 bytes, does not fit beside the zero. */
    count = qed_tokenize(model, text, 5, QED_TOKENIZE_PLAIN, ids, 64);
    memset(buffer, '#', sizeof buffer);
    GIVES(5, qed_detokenize(model, ids, (size_t)count, QED_DETOKENIZE_SKIP, buffer, 5));
    CHECK(memcmp(buffer, "Caf\0#", 5) == 0);
    GIVES(5, qed_detokenize(model, ids, (size_t)count, QED_DETOKENIZE_SKIP, buffer, 1));
    CHECK(buffer[0] == 0 && buffer[1] == 'a');
}

static void sessions(const char *folder)
{
    qed_session_options options;
    qed_session_info info;
    qed_session *session, *other;
    const float *view;
    float *logits = (float *)malloc((size_t)vocab * sizeof(float)), *later = (float *)malloc((size_t)vocab * sizeof(float));
    char path[1024];
    FILE *file;
    size_t i;

    CLEAR(options);
    options.threads = 2;
    options.context_length = 64;
    options.kv_type = QED_KV_F32;
    GIVES(QED_OK, qed_session_open(model, &options, &session));
    snprintf(path, sizeof path, "%s/logits.f32", folder);
    file = fopen(path, "wb");
    for (i = 0; i < SOME; i++) {
        GIVES(QED_OK, qed_feed(session, some + i, 1));
        GIVES(vocab, qed_logits(session, logits, (size_t)vocab));
        fwrite(logits, sizeof(float), (size_t)vocab, file);
    }
    fclose(file);
    GIVES(vocab, qed_logits_view(session, &view));
    CHECK(memcmp(view, logits, (size_t)vocab * sizeof(float)) == 0);
    GIVES((int64_t)SOME, qed_position(session));
    CLEAR(info);
    GIVES(QED_OK, qed_get_session_info(session, &info));
    CHECK(info.position == (int32_t)SOME && info.capacity == 64 && info.threads == 2 && info.kv_type == QED_KV_F32 && info.overflow == QED_OVERFLOW_STOP);
    CHECK(info.has_logits == 1 && info.vocab_size == vocab);

    snprintf(path, sizeof path, "%s/session", folder);
    GIVES(QED_OK, qed_session_save(session, path, 0));
    GIVES(QED_ERROR_FAILED, qed_session_save(session, path, 0));
    GIVES(QED_OK, qed_session_save(session, path, 1));
    GIVES(QED_OK, qed_rollback(session, 3));
    GIVES(QED_ERROR_STATE, qed_logits(session, NULL, 0));
    GIVES(QED_OK, qed_feed(session, some + 3, SOME - 3)); /* all at once: the same bits */
    GIVES(vocab, qed_logits(session, later, (size_t)vocab));
    CHECK(memcmp(later, logits, (size_t)vocab * sizeof(float)) == 0);
    GIVES(QED_OK, qed_session_open(model, &options, &other));
    GIVES(QED_OK, qed_session_restore(other, path));
    GIVES((int64_t)SOME, qed_position(other));
    GIVES(vocab, qed_logits(other, later, (size_t)vocab));
    CHECK(memcmp(later, logits, (size_t)vocab * sizeof(float)) == 0);
    GIVES(QED_OK, qed_session_close(other));
    GIVES(QED_OK, qed_session_close(session));

    options.overflow = QED_OVERFLOW_SLIDE;
    options.sinks = -1;
    options.context_length = 4;
    GIVES(QED_OK, qed_session_open(model, &options, &session));
    GIVES(QED_OK, qed_feed(session, some, SOME));
    GIVES((int64_t)SOME, qed_position(session));
    GIVES(QED_OK, qed_session_close(session));
    free(logits);
    free(later);
}

/* The penalties look at the prompt, unless they are to look at new tokens alone: as a sampler that is told of the prompt, or is not. */
static void penalties(void)
{
    static const char prompt[] = "The king and the queen and the king and the queen and the king";
    qed_session *session;
    qed_sampler *sampler;
    qed_sampling_options sampling;
    qed_generate_options options;
    story told[2];
    int32_t ids[64], answer[TOKENS];
    char text[4096];
    int64_t count = qed_tokenize(model, prompt, strlen(prompt), QED_TOKENIZE_PROMPT, ids, 64);
    int i, look;

    CHECK(count > 0 && count <= 64);
    GIVES(QED_OK, qed_session_open(model, NULL, &session));
    CLEAR(sampling);
    GIVES(QED_OK, qed_sampling_defaults(model, &sampling));
    CHECK(sampling.penalize_new == 0);
    sampling.temperature = 0;
    sampling.presence_penalty = 3;
    CLEAR(options);
    options.sampling = &sampling;
    options.max_tokens = TOKENS;
    options.ignore_eos = 1;
    for (look = 0; look < 2; look++) {
        sampling.penalize_new = look;
        memset(&told[look], 0, sizeof told[look]);
        GIVES(QED_OK, qed_rollback(session, 0));
        GIVES(QED_OK, qed_generate_ids(session, ids, (size_t)count, &options, collect, &told[look], NULL));
        GIVES(QED_OK, qed_rollback(session, 0));
        GIVES(QED_OK, qed_sampler_open(model, &sampling, &sampler));
        if (!look)
            GIVES(QED_OK, qed_sampler_accept(sampler, ids, (size_t)count));
        GIVES(QED_OK, qed_feed(session, ids, (size_t)count));
        for (i = 0; i < TOKENS; i++) {
            GIVES(QED_OK, qed_sample(sampler, session, answer + i));
            GIVES(QED_OK, qed_feed(session, answer + i, 1));
        }
        GIVES(QED_OK, qed_sampler_close(sampler));
        qed_detokenize(model, answer, TOKENS, QED_DETOKENIZE_SKIP, text, sizeof text);
        CHECK(strcmp(told[look].text, text) == 0);
    }
    CHECK(strcmp(told[0].text, told[1].text) != 0);
    GIVES(QED_OK, qed_session_close(session));
}

static void stories(void)
{
    static const char *const stops[] = { "never seen", "k" };
    qed_session *session;
    qed_sampler *sampler;
    qed_sampling_options sampling;
    qed_generate_options options;
    qed_generate_result result;
    story told, again;
    int32_t ids[16], answer[TOKENS], bias_id;
    qed_logit_bias bias;
    char text[4096];
    int64_t count = qed_tokenize(model, PROMPT, strlen(PROMPT), QED_TOKENIZE_PROMPT, ids, 16);
    const float *view;
    int i;

    GIVES(QED_OK, qed_session_open(model, NULL, &session));
    CLEAR(sampling);
    GIVES(QED_OK, qed_sampling_defaults(model, &sampling));
    sampling.seed = 7;
    CLEAR(options);
    options.sampling = &sampling;
    options.max_tokens = TOKENS;
    options.ignore_eos = 1;
    CLEAR(result);
    memset(&told, 0, sizeof told);
    GIVES(QED_OK, qed_generate(session, PROMPT, strlen(PROMPT), &options, collect, &told, &result));
    CHECK(result.finish == QED_FINISH_LENGTH && result.generated_tokens == TOKENS && result.prompt_tokens == (int32_t)count && result.cached_tokens == 0);
    CHECK(result.size == sizeof result && result.prefill_seconds > 0 && result.decode_seconds > 0);
    printf("story %s\n", told.text);

    /* With nothing but a seed; from ids; and by hand with a sampler: the same. */
    options.sampling = NULL;
    options.seed = 7;
    GIVES(QED_OK, qed_rollback(session, 0));
    memset(&again, 0, sizeof again);
    GIVES(QED_OK, qed_generate(session, PROMPT, strlen(PROMPT), &options, collect, &again, NULL));
    CHECK(strcmp(told.text, again.text) == 0);
    options.sampling = &sampling;
    options.seed = 0;
    GIVES(QED_OK, qed_rollback(session, 0));
    memset(&again, 0, sizeof again);
    GIVES(QED_OK, qed_generate_ids(session, ids, (size_t)count, &options, collect, &again, NULL));
    CHECK(strcmp(told.text, again.text) == 0);
    GIVES(QED_OK, qed_rollback(session, 0));
    GIVES(QED_OK, qed_sampler_open(model, &sampling, &sampler));
    GIVES(QED_OK, qed_sampler_accept(sampler, ids, (size_t)count));
    GIVES(QED_OK, qed_feed(session, ids, (size_t)count));
    for (i = 0; i < TOKENS; i++) {
        if (i % 2) {
            GIVES(vocab, qed_logits_view(session, &view));
            GIVES(QED_OK, qed_sample_logits(sampler, view, (size_t)vocab, answer + i));
        } else {
            GIVES(QED_OK, qed_sample(sampler, session, answer + i));
        }
        GIVES(QED_OK, qed_feed(session, answer + i, 1));
    }
    qed_detokenize(model, answer, TOKENS, QED_DETOKENIZE_SKIP, text, sizeof text);
    CHECK(strcmp(told.text, text) == 0);
    GIVES(QED_OK, qed_sampler_close(sampler));

    /* Stop strings, and a callback that stops; then on from there. */
    options.stop = stops;
    options.stop_count = 2;
    GIVES(QED_OK, qed_rollback(session, 0));
    memset(&again, 0, sizeof again);
    GIVES(QED_OK, qed_generate(session, PROMPT, strlen(PROMPT), &options, collect, &again, &result));
    CHECK(result.finish == QED_FINISH_STOP && strchr(again.text, 'k') == NULL && strncmp(told.text, again.text, again.length) == 0 && told.text[again.length] == 'k');
    options.stop_count = 0;
    GIVES(QED_OK, qed_rollback(session, 0));
    memset(&again, 0, sizeof again);
    again.stop_after = 3;
    GIVES(QED_OK, qed_generate(session, PROMPT, strlen(PROMPT), &options, collect, &again, &result));
    CHECK(result.finish == QED_FINISH_CALLBACK && result.generated_tokens == 3 && again.calls == 3 && again.last == answer[2]);
    again.stop_after = 0;
    GIVES(QED_OK, qed_generate_ids(session, answer + 2, 1, &options, collect, &again, &result));
    CHECK(result.prompt_tokens == 1);
    GIVES(QED_OK, qed_generate(session, " And", 4, NULL, collect, &again, NULL));

    /* Options that change the choice. */
    GIVES(QED_OK, qed_rollback(session, 0));
    GIVES(QED_OK, qed_feed(session, ids, (size_t)count));
    CLEAR(sampling);
    GIVES(QED_OK, qed_sampling_defaults(NULL, &sampling));
    CHECK(sampling.top_k == 50 && sampling.top_p == 1 && sampling.repeat_penalty == 1 && sampling.penalty_window == 64);
    sampling.temperature = 0;
    GIVES(QED_OK, qed_sampler_open(model, &sampling, &sampler));
    GIVES(QED_OK, qed_sample(sampler, session, &bias_id));
    printf("greedy %d\n", bias_id);
    GIVES(QED_OK, qed_sampler_close(sampler));
    bias.id = bias_id;
    bias.bias = -1e30f;
    sampling.logit_bias = &bias;
    sampling.logit_bias_count = 1;
    GIVES(QED_OK, qed_sampler_open(model, &sampling, &sampler));
    GIVES(QED_OK, qed_sample(sampler, session, &bias_id));
    CHECK(bias_id != bias.id);
    GIVES(QED_OK, qed_sampler_close(sampler));
    GIVES(QED_OK, qed_session_close(session));
}

static void scores(void)
{
    static const char *const choices[] = { " king", " teapot" };
    static const char prompt[] = "Once upon a time there was a";
    qed_session *session;
    qed_choice choice[2];
    double score[SOME];
    size_t i;

    GIVES(QED_OK, qed_session_open(model, NULL, &session));
    GIVES((int64_t)SOME - 1, qed_score(session, some, SOME, 1, NULL, 0));
    GIVES((int64_t)SOME - 1, qed_score(session, some, SOME, 1, score, SOME));
    printf("scores");
    for (i = 0; i + 1 < SOME; i++)
        printf(" %.17g", score[i]);
    printf("\n");
    GIVES(QED_OK, qed_choose(session, prompt, strlen(prompt), choices, 2, choice));
    for (i = 0; i < 2; i++)
        printf("choice %.17g %d %d\n", choice[i].sum, choice[i].tokens, choice[i].characters);
    GIVES(QED_OK, qed_session_close(session));
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    GIVES(QED_OK, qed_check_version(QED_VERSION));
    printf("version %s\n", qed_version());
    CHECK(qed_last_error()[0] == 0);
    models(argv[1]);
    texts();
    sessions(argv[2]);
    stories();
    penalties();
    scores();
    GIVES(QED_OK, qed_close(model));
    return finish();
}
