/* closing MODEL.gguf: a session closed while another thread generates with it, and from its own callback. */
#define _DEFAULT_SOURCE
#include "check.h"
#include <dirent.h>
#include <pthread.h>
#include <unistd.h>

#define TIMES 20

static qed_model *model;
static volatile int32_t pieces;

static int threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    int count = -2; /* . and .. */
    while (readdir(tasks))
        count++;
    closedir(tasks);
    return count;
}

static int32_t count(void *user, const char *text, size_t length, int32_t token)
{
    (void)user;
    (void)text;
    (void)length;
    (void)token;
    pieces++;
    return 0;
}

static int32_t close_own(void *user, const char *text, size_t length, int32_t token)
{
    (void)text;
    (void)length;
    (void)token;
    pieces++;
    GIVES(QED_OK, qed_session_close((qed_session *)user));
    GIVES(QED_ERROR_HANDLE, qed_session_close((qed_session *)user));
    return 0;
}

/* What it gives: the call's code. */
static void *generate(void *session)
{
    qed_generate_options options;
    CLEAR(options);
    options.max_tokens = 100000;
    options.ignore_eos = 1;
    return (void *)(intptr_t)qed_generate((qed_session *)session, "Once", 4, &options, count, NULL, NULL);
}

static qed_session *open_session(void)
{
    qed_session *session = NULL;
    qed_session_options options;
    CLEAR(options);
    options.threads = 2;
    options.overflow = QED_OVERFLOW_SLIDE; /* it has no end of its own */
    GIVES(QED_OK, qed_session_open(model, &options, &session));
    return session;
}

int main(int argc, char **argv)
{
    qed_generate_options options;
    int i, before;

    if (argc != 2)
        return 2;
    GIVES(QED_OK, qed_open(argv[1], NULL, &model));
    GIVES(QED_OK, qed_session_close(open_session()));
    before = threads(); /* perhaps with one that was joined */
    for (i = 0; i < TIMES; i++) {
        qed_session *session = open_session();
        pthread_t thread;
        void *code;
        int32_t seen;

        pieces = 0;
        CHECK(pthread_create(&thread, NULL, generate, session) == 0);
        while (pieces < i)
            usleep(100);
        GIVES(QED_OK, qed_session_close(session));
        seen = pieces;
        usleep(1000);
        CHECK(pieces == seen); /* no callback comes after it */
        CHECK(pthread_join(thread, &code) == 0);
        CHECK((intptr_t)code == QED_ERROR_CANCELLED || (i == 0 && (intptr_t)code == QED_ERROR_HANDLE)); /* the latter where it had not begun */
        GIVES(QED_ERROR_HANDLE, qed_position(session));
    }
    CLEAR(options);
    options.ignore_eos = 1;
    for (i = 0; i < TIMES; i++) {
        qed_session *session = open_session();
        pieces = 0;
        GIVES(QED_ERROR_CANCELLED, qed_generate(session, "Once", 4, &options, close_own, session, NULL));
        CHECK(pieces == 1);
        CHECK(strstr(qed_last_error(), "closed") != NULL);
    }
    for (i = 0; i < 1000 && threads() > before; i++)
        usleep(1000); /* one that was joined may be counted for a moment */
    CHECK(threads() <= before);
    GIVES(QED_OK, qed_close(model));
    return finish();
}
