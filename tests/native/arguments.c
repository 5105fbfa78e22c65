/* arguments MODEL.gguf FOLDER: null and wrong arguments to every function give an error code, and change nothing. */
#include "check.h"
#include <math.h>

static qed_model *model;
static qed_session *session;
static qed_sampler *sampler;
static qed_session_options session_options;
static qed_sampling_options sampling;
static qed_generate_options generate;
static story told;

/* Handles of no kind, of another kind, and closed ones. */
static void handles(const char *path)
{
    int local = 0;
    void *bad[8];
    qed_model *closed;
    qed_session *closed_session;
    qed_sampler *closed_sampler;
    qed_model_info info;
    qed_session_info session_info;
    qed_choice choice;
    const char *name = "x";
    const float *view = NULL;
    int32_t id = 1;
    double score;
    size_t i;

    GIVES(QED_OK, qed_open(path, NULL, &closed));
    GIVES(QED_OK, qed_session_open(closed, NULL, &closed_session));
    GIVES(QED_OK, qed_sampler_open(closed, NULL, &closed_sampler));
    GIVES(QED_OK, qed_close(closed));
    GIVES(QED_OK, qed_feed(closed_session, &id, 1)); /* goes on without its model's handle */
    GIVES(QED_OK, qed_sample(closed_sampler, closed_session, &id));
    GIVES(QED_OK, qed_session_close(closed_session));
    GIVES(QED_OK, qed_sampler_close(closed_sampler));
    GIVES(QED_OK, qed_close(NULL));
    GIVES(QED_OK, qed_session_close(NULL));
    GIVES(QED_OK, qed_sampler_close(NULL));

    bad[0] = NULL;
    bad[1] = closed;
    bad[2] = closed_session;
    bad[3] = closed_sampler;
    bad[4] = &local;
    bad[5] = (void *)(uintptr_t)1;
    bad[6] = (void *)UINTPTR_MAX;
    bad[7] = (void *)((uintptr_t)model + 1);
    CLEAR(info);
    CLEAR(session_info);
    for (i = 0; i < 8 + 2; i++) {
        qed_model *m = (qed_model *)(i == 8 ? (void *)session : i == 9 ? (void *)sampler : bad[i]);
        qed_session *s = (qed_session *)(i == 8 ? (void *)model : i == 9 ? (void *)sampler : bad[i]);
        qed_sampler *r = (qed_sampler *)(i == 8 ? (void *)model : i == 9 ? (void *)session : bad[i]);
        if (i > 0) {
            GIVES(QED_ERROR_HANDLE, qed_close(m));
            GIVES(QED_ERROR_HANDLE, qed_session_close(s));
            GIVES(QED_ERROR_HANDLE, qed_sampler_close(r));
            GIVES(QED_ERROR_HANDLE, qed_sampling_defaults(m, &sampling));
        }
        GIVES(QED_ERROR_HANDLE, qed_get_model_info(m, &info));
        GIVES(QED_ERROR_HANDLE, qed_model_name(m, NULL, 0));
        GIVES(QED_ERROR_HANDLE, qed_model_family(m, NULL, 0));
        GIVES(QED_ERROR_HANDLE, qed_instruction_set(m, NULL, 0));
        GIVES(QED_ERROR_HANDLE, qed_tokenize(m, "a", 1, 0, NULL, 0));
        GIVES(QED_ERROR_HANDLE, qed_detokenize(m, &id, 1, 0, NULL, 0));
        GIVES(QED_ERROR_HANDLE, qed_piece(m, 1, NULL, 0));
        GIVES(QED_ERROR_HANDLE, qed_end_ids(m, NULL, 0));
        GIVES(QED_ERROR_HANDLE, qed_chat(m, "{}", 2, NULL, 0));
        GIVES(QED_ERROR_HANDLE, qed_chat_stop(m, 0, NULL, 0));
        GIVES(QED_ERROR_HANDLE, qed_session_open(m, NULL, &closed_session));
        CHECK(closed_session == NULL);
        GIVES(QED_ERROR_HANDLE, qed_sampler_open(m, NULL, &closed_sampler));
        CHECK(closed_sampler == NULL);
        GIVES(QED_ERROR_HANDLE, qed_get_session_info(s, &session_info));
        GIVES(QED_ERROR_HANDLE, qed_position(s));
        GIVES(QED_ERROR_HANDLE, qed_rollback(s, 0));
        GIVES(QED_ERROR_HANDLE, qed_feed(s, &id, 1));
        GIVES(QED_ERROR_HANDLE, qed_logits(s, NULL, 0));
        GIVES(QED_ERROR_HANDLE, qed_logits_view(s, &view));
        GIVES(QED_ERROR_HANDLE, qed_session_save(s, "x", 0));
        GIVES(QED_ERROR_HANDLE, qed_session_restore(s, "x"));
        GIVES(QED_ERROR_HANDLE, qed_sampler_accept(r, &id, 1));
        GIVES(QED_ERROR_HANDLE, qed_sample(r, session, &id));
        GIVES(QED_ERROR_HANDLE, qed_sample(sampler, s, &id));
        GIVES(QED_ERROR_HANDLE, qed_sample_logits(r, view, 1, &id));
        GIVES(QED_ERROR_HANDLE, qed_generate(s, "a", 1, NULL, collect, &told, NULL));
        GIVES(QED_ERROR_HANDLE, qed_generate_ids(s, &id, 1, NULL, collect, &told, NULL));
        GIVES(QED_ERROR_HANDLE, qed_score(s, &id, 1, 1, &score, 1));
        GIVES(QED_ERROR_HANDLE, qed_choose(s, "a", 1, &name, 1, &choice));
    }
}

static void files(const char *path, const char *folder)
{
    qed_open_options options;
    qed_model *none = model;
    char text[1024];
    char bytes[64];

    GIVES(QED_OK, qed_check_version(65536)); /* 1.0 */
    GIVES(QED_ERROR_VERSION, qed_check_version(0));
    GIVES(QED_ERROR_VERSION, qed_check_version(QED_VERSION + 1));
    GIVES(QED_ERROR_VERSION, qed_check_version(QED_VERSION + 65536));
    GIVES(QED_ERROR_VERSION, qed_check_version(-1));

    GIVES(QED_ERROR_ARGUMENT, qed_open(path, NULL, NULL));
    GIVES(QED_ERROR_ARGUMENT, qed_open(NULL, NULL, &none));
    CHECK(none == NULL);
    GIVES(QED_ERROR_ARGUMENT, qed_open("", NULL, &none));
    GIVES(QED_ERROR_MODEL, qed_open("/does/not/exist.gguf", NULL, &none));
    CHECK(strstr(qed_last_error(), "/does/not/exist.gguf") != NULL);
    GIVES(QED_ERROR_MODEL, qed_open(folder, NULL, &none));
    GIVES(QED_ERROR_MODEL, qed_open("/dev/null", NULL, &none));
    memset(bytes, 0, sizeof bytes);
    GIVES(QED_ERROR_MODEL, qed_open_memory(bytes, sizeof bytes, NULL, &none));
    GIVES(QED_ERROR_MODEL, qed_open_memory(bytes, 0, NULL, &none));
    GIVES(QED_ERROR_ARGUMENT, qed_open_memory(NULL, 1, NULL, &none));
    GIVES(QED_ERROR_ARGUMENT, qed_open_memory(bytes, SIZE_MAX, NULL, &none));
    CHECK(none == NULL);

    CLEAR(options);
    options.reserved = 1;
    GIVES(QED_ERROR_ARGUMENT, qed_open(path, &options, &none));
    CHECK(strstr(qed_last_error(), "reserved") != NULL);
    options.reserved = 0;
    options.loading = 2;
    GIVES(QED_ERROR_ARGUMENT, qed_open(path, &options, &none));
    options.loading = 0;
    options.instruction_set = "sse";
    GIVES(QED_ERROR_ARGUMENT, qed_open(path, &options, &none));
    options.instruction_set = "";
    GIVES(QED_ERROR_ARGUMENT, qed_open(path, &options, &none));
    options.instruction_set = NULL;
    options.size = 0;
    GIVES(QED_ERROR_ARGUMENT, qed_open(path, &options, &none));
    options.size = SIZE_MAX;
    GIVES(QED_ERROR_ARGUMENT, qed_open(path, &options, &none));

    GIVES(QED_ERROR_ARGUMENT, qed_session_save(session, NULL, 0));
    GIVES(QED_ERROR_ARGUMENT, qed_session_save(session, "x", 2));
    GIVES(QED_ERROR_FAILED, qed_session_save(session, "/does/not/exist/session", 0));
    GIVES(QED_ERROR_ARGUMENT, qed_session_restore(session, NULL));
    GIVES(QED_ERROR_FAILED, qed_session_restore(session, "/does/not/exist"));
    GIVES(QED_ERROR_FAILED, qed_session_restore(session, path));

    /* A message that is too long is cut, and a name of no text is a name. */
    memset(text, 'x', sizeof text - 1);
    text[0] = '/';
    text[1] = (char)0xFF;
    text[sizeof text - 1] = 0;
    GIVES(QED_ERROR_MODEL, qed_open(text, NULL, &none));
    CHECK(strlen(qed_last_error()) < 1024);
}

/* Structures of other versions. */
static void versions(void)
{
    struct { qed_session_options options; int64_t later; } longer;
    struct { qed_session_info info; int64_t later; } longer_info;
    struct { size_t size; int32_t vocab_size; int32_t after; } shorter = { 12, 0, 77 };
    struct { size_t size; int32_t fields[10]; int32_t after; } first = { 48, { 0 }, 77 }; /* 1.0's, whose last field was reserved */
    qed_session *other = session;

    memset(&longer, 0, sizeof longer);
    longer.options.size = sizeof longer;
    longer.options.threads = 1;
    GIVES(QED_OK, qed_session_open(model, &longer.options, &other));
    GIVES(QED_OK, qed_session_close(other));
    longer.later = 1;
    GIVES(QED_ERROR_ARGUMENT, qed_session_open(model, &longer.options, &other));
    memset(&longer_info, 0x55, sizeof longer_info);
    longer_info.info.size = sizeof longer_info;
    GIVES(QED_OK, qed_get_session_info(session, &longer_info.info));
    CHECK(longer_info.later == 0x5555555555555555 && longer_info.info.size == sizeof longer_info);

    GIVES(QED_OK, qed_get_model_info(model, (qed_model_info *)(void *)&shorter));
    CHECK(shorter.size == 12 && shorter.vocab_size > 0 && shorter.after == 77);
    GIVES(QED_OK, qed_get_model_info(model, (qed_model_info *)(void *)&first));
    CHECK(first.size == 48 && first.fields[0] == shorter.vocab_size && first.fields[8] == 1 && first.after == 77);
    session_options.kv_type = 99; /* beyond what this size covers */
    session_options.size = offsetof(qed_session_options, kv_type);
    GIVES(QED_OK, qed_session_open(model, &session_options, &other));
    GIVES(QED_OK, qed_session_close(other));
    sampling.top_p = 99;
    sampling.size = offsetof(qed_sampling_options, top_p);
    GIVES(QED_OK, qed_sampler_close(sampler));
    GIVES(QED_OK, qed_sampler_open(model, &sampling, &sampler));
}

static void sessions(void)
{
    qed_session *other = session;
    qed_session_info info;
    qed_model_info model_info;
    const int32_t wrong[] = { 1, -1 };
    int32_t *many;
    int32_t id = 1;
    size_t i;
    char text[8];

    GIVES(QED_ERROR_ARGUMENT, qed_session_open(model, NULL, NULL));
#define REFUSED(field, value)                                                                                                                                  \
    (CLEAR(session_options), session_options.field = (value), GIVES(QED_ERROR_ARGUMENT, qed_session_open(model, &session_options, &other)), CHECK(other == NULL))
    REFUSED(threads, -1);
    REFUSED(threads, 257);
    REFUSED(context_length, -1);
    REFUSED(context_length, INT32_MAX);
    REFUSED(kv_type, -1);
    REFUSED(kv_type, 4);
    REFUSED(overflow, 2);
    REFUSED(reserved, 1);
    REFUSED(size, 0);
    REFUSED(size, 7);
    CLEAR(session_options);
    session_options.overflow = QED_OVERFLOW_SLIDE;
    session_options.sinks = 1000;
    GIVES(QED_ERROR_ARGUMENT, qed_session_open(model, &session_options, &other));

    CLEAR(info);
    GIVES(QED_ERROR_ARGUMENT, qed_get_session_info(session, NULL));
    info.size = 1;
    GIVES(QED_ERROR_ARGUMENT, qed_get_session_info(session, &info));
    GIVES(QED_ERROR_ARGUMENT, qed_get_model_info(model, NULL));
    CLEAR(model_info);
    model_info.size = 0;
    GIVES(QED_ERROR_ARGUMENT, qed_get_model_info(model, &model_info));
    GIVES(QED_ERROR_ARGUMENT, qed_model_name(model, NULL, 4));
    GIVES(QED_ERROR_ARGUMENT, qed_model_family(model, NULL, 4));
    GIVES(QED_ERROR_ARGUMENT, qed_instruction_set(model, NULL, 4));

    GIVES(QED_OK, qed_rollback(session, 0));
    GIVES(QED_ERROR_STATE, qed_logits(session, NULL, 0));
    GIVES(QED_OK, qed_feed(session, NULL, 0));
    GIVES(QED_ERROR_ARGUMENT, qed_feed(session, NULL, 1));
    GIVES(QED_ERROR_ARGUMENT, qed_feed(session, wrong, 2));
    GIVES(QED_ERROR_ARGUMENT, qed_feed(session, &id, SIZE_MAX));
    GIVES(0, qed_position(session));
    many = (int32_t *)malloc(100000 * sizeof *many);
    for (i = 0; i < 100000; i++)
        many[i] = 1;
    GIVES(QED_ERROR_CONTEXT, qed_feed(session, many, 100000));
    GIVES(QED_ERROR_CONTEXT, qed_generate_ids(session, many, 100000, NULL, collect, &told, NULL));
    free(many);
    GIVES(QED_ERROR_STATE, qed_logits_view(session, (const float **)(void *)&other));
    GIVES(QED_ERROR_ARGUMENT, qed_logits_view(session, NULL));
    GIVES(QED_ERROR_STATE, qed_sample(sampler, session, &id));
    GIVES(QED_OK, qed_feed(session, &id, 1));
    GIVES(QED_ERROR_ARGUMENT, qed_logits(session, NULL, 1));
    GIVES(QED_ERROR_ARGUMENT, qed_rollback(session, 2));
    GIVES(QED_ERROR_ARGUMENT, qed_rollback(session, -1));

    GIVES(QED_ERROR_ARGUMENT, qed_tokenize(model, NULL, 1, 0, NULL, 0));
    GIVES(QED_ERROR_ARGUMENT, qed_tokenize(model, "a", 1, 16, NULL, 0));
    GIVES(QED_ERROR_ARGUMENT, qed_tokenize(model, "a", 1, -1, NULL, 0));
    GIVES(QED_ERROR_ARGUMENT, qed_tokenize(model, "a", 1, 0, NULL, 1));
    GIVES(QED_ERROR_ARGUMENT, qed_tokenize(model, "a", SIZE_MAX, 0, NULL, 0));
    CHECK(qed_tokenize(model, "\xFF\xC3", 2, 0, NULL, 0) > 0);
    GIVES(QED_ERROR_ARGUMENT, qed_detokenize(model, NULL, 1, 0, NULL, 0));
    GIVES(QED_ERROR_ARGUMENT, qed_detokenize(model, wrong, 2, 0, text, 8));
    GIVES(QED_ERROR_ARGUMENT, qed_detokenize(model, &id, 1, 2, text, 8));
    GIVES(QED_ERROR_ARGUMENT, qed_detokenize(model, &id, 1, 0, NULL, 8));
    GIVES(QED_ERROR_ARGUMENT, qed_piece(model, -1, text, 8));
    GIVES(QED_ERROR_ARGUMENT, qed_piece(model, INT32_MAX, text, 8));
    GIVES(QED_ERROR_ARGUMENT, qed_piece(model, 1, NULL, 8));
    GIVES(QED_ERROR_ARGUMENT, qed_chat(model, NULL, 1, &id, 1));
    GIVES(QED_ERROR_ARGUMENT, qed_chat(model, "{\"messages\": []}", 16, NULL, 8));
    GIVES(QED_ERROR_FAILED, qed_chat(model, "{}", 2, &id, 1));
    GIVES(QED_ERROR_FAILED, qed_chat(model, "{\"messages\": [{\"role\": 1}]}", 27, &id, 1));
    GIVES(QED_ERROR_ARGUMENT, qed_chat_stop(model, 0, NULL, 8));
    CHECK(qed_chat_stop(model, SIZE_MAX, text, 8) == 0);
}

static void samplers(void)
{
    qed_sampler *other = sampler;
    qed_logit_bias bias = { -1, 0 }, *banned;
    int32_t id = 1, wrong = INT32_MAX;
    int64_t vocab = qed_logits(session, NULL, 0), i;
    float *logits = (float *)malloc((size_t)vocab * sizeof *logits);

    GIVES(QED_ERROR_ARGUMENT, qed_sampling_defaults(model, NULL));
    sampling.size = 0;
    GIVES(QED_ERROR_ARGUMENT, qed_sampling_defaults(NULL, &sampling));
    GIVES(QED_ERROR_ARGUMENT, qed_sampler_open(model, NULL, NULL));
#define BAD(field, value)                                                                                                                                      \
    (CLEAR(sampling), qed_sampling_defaults(model, &sampling), sampling.field = (value),                                                                       \
     GIVES(QED_ERROR_ARGUMENT, qed_sampler_open(model, &sampling, &other)), CHECK(other == NULL))
    BAD(size, 0);
    BAD(reserved, -1);
    BAD(temperature, NAN);
    BAD(top_k, -1);
    BAD(top_p, 0);
    BAD(min_p, 2);
    BAD(typical_p, 0);
    BAD(repeat_penalty, 0);
    BAD(presence_penalty, INFINITY);
    BAD(frequency_penalty, NAN);
    BAD(penalty_window, -1);
    BAD(penalize_new, 2);
    BAD(reserved_2, 1);
    BAD(logit_bias_count, 1);
    BAD(logit_bias_count, SIZE_MAX);
    CLEAR(sampling);
    GIVES(QED_OK, qed_sampling_defaults(model, &sampling));
    sampling.logit_bias = &bias;
    sampling.logit_bias_count = 1;
    GIVES(QED_ERROR_ARGUMENT, qed_sampler_open(model, &sampling, &other));
    bias.id = 1;
    bias.bias = INFINITY;
    GIVES(QED_ERROR_ARGUMENT, qed_sampler_open(model, &sampling, &other));
    banned = (qed_logit_bias *)malloc((size_t)vocab * sizeof *banned);
    for (i = 0; i < vocab; i++)
    {
        banned[i].id = (int32_t)i;
        banned[i].bias = -INFINITY;
    }
    sampling.logit_bias = banned;
    sampling.logit_bias_count = (size_t)vocab;
    GIVES(QED_ERROR_ARGUMENT, qed_sampler_open(model, &sampling, &other)); /* no token is left */
    CHECK(other == NULL);
    sampling.logit_bias_count = (size_t)vocab - 1;
    GIVES(QED_OK, qed_sampler_open(model, &sampling, &other));
    for (i = 0; i < vocab; i++)
        logits[i] = (float)-i;
    GIVES(QED_OK, qed_sample_logits(other, logits, (size_t)vocab, &id));
    CHECK(id == vocab - 1);
    GIVES(QED_OK, qed_sampler_close(other));
    free(banned);
    GIVES(QED_ERROR_ARGUMENT, qed_sampler_accept(sampler, NULL, 1));
    GIVES(QED_ERROR_ARGUMENT, qed_sampler_accept(sampler, &wrong, 1));
    GIVES(QED_OK, qed_sampler_accept(sampler, NULL, 0));
    GIVES(QED_ERROR_ARGUMENT, qed_sample(sampler, session, NULL));

    for (i = 0; i < vocab; i++)
        logits[i] = -INFINITY;
    GIVES(QED_ERROR_ARGUMENT, qed_sample_logits(sampler, logits, (size_t)vocab, &id));
    logits[3] = 1;
    GIVES(QED_OK, qed_sample_logits(sampler, logits, (size_t)vocab, &id));
    CHECK(id == 3);
    GIVES(QED_ERROR_ARGUMENT, qed_sample_logits(sampler, logits, (size_t)vocab - 1, &id));
    GIVES(QED_ERROR_ARGUMENT, qed_sample_logits(sampler, logits, 0, &id));
    GIVES(QED_ERROR_ARGUMENT, qed_sample_logits(sampler, NULL, (size_t)vocab, &id));
    GIVES(QED_ERROR_ARGUMENT, qed_sample_logits(sampler, logits, (size_t)vocab, NULL));
    logits[4] = NAN;
    GIVES(QED_ERROR_ARGUMENT, qed_sample_logits(sampler, logits, (size_t)vocab, &id));
    logits[4] = INFINITY;
    GIVES(QED_ERROR_ARGUMENT, qed_sample_logits(sampler, logits, (size_t)vocab, &id));
    free(logits);
}

/* Calls for its own session, which are refused, and for its model, which are not. */
static int32_t reenter(void *user, const char *text, size_t length, int32_t token)
{
    (void)user;
    (void)text;
    (void)length;
    GIVES(QED_ERROR_BUSY, qed_position(session));
    GIVES(QED_ERROR_BUSY, qed_feed(session, &token, 1));
    GIVES(QED_ERROR_BUSY, qed_rollback(session, 0));
    GIVES(QED_ERROR_BUSY, qed_generate(session, "a", 1, NULL, collect, &told, NULL));
    CHECK(qed_piece(model, token, NULL, 0) > 0);
    return 1;
}

static void generation(void)
{
    static const char *const empty[] = { "" }, *const null[] = { NULL };
    qed_generate_result result;
    qed_choice choice;
    const char *name = "x";
    double score[4];
    const int32_t ids[] = { 1, 2, 3, INT32_MAX };

    GIVES(QED_OK, qed_rollback(session, 0));
    GIVES(QED_ERROR_ARGUMENT, qed_generate(session, NULL, 1, NULL, collect, &told, NULL));
    GIVES(QED_ERROR_ARGUMENT, qed_generate(session, "a", 1, NULL, NULL, NULL, NULL));
    GIVES(QED_ERROR_ARGUMENT, qed_generate_ids(session, ids, 4, NULL, collect, &told, NULL));
    GIVES(QED_ERROR_ARGUMENT, qed_generate_ids(session, NULL, 4, NULL, collect, &told, NULL));
    GIVES(QED_ERROR_ARGUMENT, qed_generate_ids(session, ids, 1, NULL, NULL, &told, NULL));
    GIVES(QED_ERROR_STATE, qed_generate_ids(session, ids, 0, NULL, collect, &told, NULL));
#define WRONG(field, value) (CLEAR(generate), generate.field = (value), GIVES(QED_ERROR_ARGUMENT, qed_generate(session, "a", 1, &generate, collect, &told, NULL)))
    WRONG(size, 1);
    WRONG(max_tokens, -1);
    WRONG(ignore_eos, 2);
    WRONG(stop_count, 1);
    CLEAR(sampling); /* zeros are no options here */
    WRONG(sampling, &sampling);
    CLEAR(generate);
    generate.stop_count = 1;
    generate.stop = empty;
    GIVES(QED_ERROR_ARGUMENT, qed_generate(session, "a", 1, &generate, collect, &told, NULL));
    generate.stop = null;
    GIVES(QED_ERROR_ARGUMENT, qed_generate(session, "a", 1, &generate, collect, &told, NULL));
    CLEAR(result);
    result.size = 3;
    GIVES(QED_ERROR_ARGUMENT, qed_generate(session, "a", 1, NULL, collect, &told, &result));
    CHECK(told.calls == 0);
    GIVES(0, qed_position(session));
    GIVES(QED_OK, qed_generate(session, "a", 1, NULL, reenter, NULL, NULL));

    GIVES(QED_ERROR_ARGUMENT, qed_score(session, NULL, 3, 1, score, 4));
    GIVES(QED_ERROR_ARGUMENT, qed_score(session, ids, 3, 0, score, 4));
    GIVES(QED_ERROR_ARGUMENT, qed_score(session, ids, 3, 4, score, 4));
    GIVES(QED_ERROR_ARGUMENT, qed_score(session, ids, 0, 1, score, 4));
    GIVES(QED_ERROR_ARGUMENT, qed_score(session, ids, 4, 1, score, 4));
    GIVES(QED_ERROR_ARGUMENT, qed_score(session, ids, 3, 1, NULL, 4));
    GIVES(0, qed_score(session, ids, 3, 3, NULL, 0));
    GIVES(QED_ERROR_ARGUMENT, qed_choose(session, NULL, 1, &name, 1, &choice));
    GIVES(QED_ERROR_ARGUMENT, qed_choose(session, "a", 1, NULL, 1, &choice));
    GIVES(QED_ERROR_ARGUMENT, qed_choose(session, "a", 1, null, 1, &choice));
    GIVES(QED_ERROR_ARGUMENT, qed_choose(session, "a", 1, empty, 1, &choice));
    GIVES(QED_ERROR_ARGUMENT, qed_choose(session, "a", 1, &name, 1, NULL));
    GIVES(QED_OK, qed_choose(session, "a", 1, NULL, 0, NULL));
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    GIVES(QED_OK, qed_open(argv[1], NULL, &model));
    GIVES(QED_OK, qed_session_open(model, NULL, &session));
    GIVES(QED_OK, qed_sampler_open(model, NULL, &sampler));
    CLEAR(session_options);
    CLEAR(sampling);
    handles(argv[1]);
    files(argv[1], argv[2]);
    versions();
    sessions();
    samplers();
    generation();
    GIVES(QED_OK, qed_sampler_close(sampler));
    GIVES(QED_ERROR_HANDLE, qed_sampler_close(sampler));
    GIVES(QED_OK, qed_session_close(session));
    GIVES(QED_ERROR_HANDLE, qed_session_close(session));
    GIVES(QED_OK, qed_close(model));
    GIVES(QED_ERROR_HANDLE, qed_close(model));
    return finish();
}
