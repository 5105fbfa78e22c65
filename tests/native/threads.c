/* threads MODEL.gguf: 8 threads with a session each give the bits of one; a session that two threads want is busy for one. */
#include "check.h"
#include <pthread.h>

#define THREADS 8
#define TURNS 3
#define PROMPT "Once upon a time"

static qed_model *model;
static qed_session *common;
static story expected;

static int32_t keep(void *user, const char *text, size_t length, int32_t token)
{
    story *to = (story *)user;
    (void)token;
    memcpy(to->text + to->length, text, length + 1);
    to->length += length;
    return 0;
}

static int64_t tell(qed_session *session, story *to)
{
    qed_generate_options options;
    qed_sampling_options sampling;
    int32_t error;

    memset(to, 0, sizeof *to);
    CLEAR(sampling);
    CLEAR(options);
    if ((error = qed_sampling_defaults(model, &sampling)))
        return error;
    sampling.seed = 7;
    options.sampling = &sampling;
    options.max_tokens = 30;
    options.ignore_eos = 1;
    return qed_generate(session, PROMPT, strlen(PROMPT), &options, keep, to, NULL);
}

/* Gives the number of failures. */
static void *tell_often(void *failed)
{
    intptr_t wrong = 0;
    int turn;
    (void)failed;
    for (turn = 0; turn < TURNS; turn++) {
        qed_session *session = NULL;
        qed_session_options options;
        story told;
        int64_t result;

        CLEAR(options);
        options.threads = 1 + turn % 2;
        wrong += qed_session_open(model, &options, &session) != QED_OK;
        wrong += tell(session, &told) != QED_OK || strcmp(told.text, expected.text) != 0;
        wrong += qed_session_close(session) != QED_OK;
        /* A failure of this thread, with a message of its own. */
        wrong += qed_session_close(session) != QED_ERROR_HANDLE || qed_last_error()[0] == 0;
        result = qed_rollback(common, 0);
        wrong += result != QED_OK && result != QED_ERROR_BUSY;
        result = tell(common, &told);
        wrong += result == QED_OK ? told.length == 0 : result != QED_ERROR_BUSY && result != QED_ERROR_CONTEXT;
    }
    return (void *)wrong;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];
    void *wrong;
    int i;

    if (argc != 2)
        return 2;
    GIVES(QED_OK, qed_open(argv[1], NULL, &model));
    GIVES(QED_OK, qed_session_open(model, NULL, &common));
    GIVES(QED_OK, tell(common, &expected));
    for (i = 0; i < THREADS; i++)
        CHECK(pthread_create(threads + i, NULL, tell_often, NULL) == 0);
    for (i = 0; i < THREADS; i++) {
        CHECK(pthread_join(threads[i], &wrong) == 0);
        CHECK(wrong == NULL);
    }
    CHECK(qed_last_error()[0] == 0);
    GIVES(QED_OK, qed_session_close(common));
    GIVES(QED_OK, qed_close(model));
    return finish();
}
