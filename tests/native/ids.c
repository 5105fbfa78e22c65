/* ids MODEL.gguf: a model without a tokenizer takes and gives ids, and says so where text is asked for. Prints what kind of model it is. */
#include "check.h"

static int32_t count(void *user, const char *text, size_t length, int32_t token)
{
    CHECK(text != NULL && length == 0 && text[0] == 0 && token >= 0);
    ++*(int *)user;
    return 0;
}

int main(int argc, char **argv)
{
    static const char *const stop[] = { "x" };
    static const int32_t prompt[] = { 1, 2, 3 };
    qed_model *model = NULL;
    qed_session *session = NULL;
    qed_model_info info;
    qed_generate_options options;
    qed_generate_result result;
    qed_choice choice;
    char family[16];
    int32_t id;
    int tokens = 0;

    if (argc != 2)
        return 2;
    GIVES(QED_OK, qed_open(argv[1], NULL, &model));
    CLEAR(info);
    GIVES(QED_OK, qed_get_model_info(model, &info));
    CHECK(info.has_tokenizer == 0 && info.vocab_size > 3);
    CHECK(qed_model_family(model, family, sizeof family) == (int64_t)strlen(family));
    printf("%s %d %d %d %d %.6g\n", family, info.head_count, info.kv_head_count, info.head_size, info.window, (double)info.norm_epsilon);
    GIVES(QED_ERROR_STATE, qed_tokenize(model, "a", 1, QED_TOKENIZE_PROMPT, &id, 1));
    GIVES(QED_ERROR_STATE, qed_detokenize(model, prompt, 3, QED_DETOKENIZE_SKIP, NULL, 0));
    GIVES(QED_ERROR_STATE, qed_piece(model, 1, NULL, 0));
    GIVES(QED_ERROR_STATE, qed_chat(model, "{\"messages\": []}", 16, &id, 1));
    GIVES(QED_ERROR_STATE, qed_chat_stop(model, 0, NULL, 0));
    GIVES(QED_OK, qed_session_open(model, NULL, &session));
    CLEAR(options);
    options.max_tokens = 5;
    options.ignore_eos = 1;
    CLEAR(result);
    GIVES(QED_OK, qed_generate_ids(session, prompt, 3, &options, count, &tokens, &result));
    CHECK(tokens == 5 && result.generated_tokens == 5 && result.finish == QED_FINISH_LENGTH);
    GIVES(QED_ERROR_STATE, qed_generate(session, "a", 1, &options, count, &tokens, &result));
    GIVES(QED_ERROR_STATE, qed_choose(session, "a", 1, stop, 1, &choice));
    options.stop = stop;
    options.stop_count = 1;
    GIVES(QED_ERROR_STATE, qed_generate_ids(session, prompt, 3, &options, count, &tokens, &result));
    CHECK(tokens == 5);
    GIVES(QED_OK, qed_session_close(session));
    GIVES(QED_OK, qed_close(model));
    return finish();
}
