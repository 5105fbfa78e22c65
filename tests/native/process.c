/* process MODEL.gguf LIBQED.so FOLDER: what the library does to the process that it is in. */
#define _DEFAULT_SOURCE
#include "check.h"
#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

static sigjmp_buf back;
static volatile sig_atomic_t faults, pipes;

static void on_fault(int signal)
{
    (void)signal;
    faults++;
    siglongjmp(back, 1);
}

static void on_pipe(int signal)
{
    (void)signal;
    pipes++;
}

/* Saving beyond a limit on file sizes fails; the program gets no signal for it, and its own as before. */
static void save_beyond_the_limit(const char *path, const char *folder)
{
    struct rlimit limit, small;
    struct sigaction action;
    sigset_t waiting;
    qed_model *model;
    qed_session *session;
    const int32_t ids[] = { 1, 2, 3 };
    char file[4096];
    int i;

    snprintf(file, sizeof file, "%s/session", folder);
    GIVES(QED_OK, qed_open(path, NULL, &model));
    GIVES(QED_OK, qed_session_open(model, NULL, &session));
    GIVES(QED_OK, qed_feed(session, ids, 3));
    CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    small = limit;
    for (i = 0; i < 3; i++) {
        small.rlim_cur = (rlim_t)(i * 1000); /* bytes */
        CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
        GIVES(QED_ERROR_FAILED, qed_session_save(session, file, 1));
        CHECK(strstr(qed_last_error(), "ulimit -f") != NULL);
        CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
        CHECK(access(file, F_OK) != 0);
        CHECK(sigpending(&waiting) == 0 && sigismember(&waiting, SIGXFSZ) == 0);
        CHECK(pthread_sigmask(SIG_BLOCK, NULL, &waiting) == 0 && sigismember(&waiting, SIGXFSZ) == 0);
    }
    CHECK(sigaction(SIGXFSZ, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
    action.sa_handler = on_pipe;
    CHECK(sigaction(SIGXFSZ, &action, NULL) == 0);
    CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
    GIVES(QED_ERROR_FAILED, qed_session_save(session, file, 1));
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    CHECK(pipes == 0);
    raise(SIGXFSZ);
    CHECK(pipes == 1);
    pipes = 0;
    GIVES(QED_OK, qed_session_save(session, file, 1));
    GIVES(QED_OK, qed_session_close(session));
    GIVES(QED_OK, qed_close(model));
}

static void *on_small_stack(void *path)
{
    qed_model *model;
    qed_session *session;
    story told;

    memset(&told, 0, sizeof told);
    GIVES(QED_OK, qed_open((const char *)path, NULL, &model));
    GIVES(QED_OK, qed_session_open(model, NULL, &session));
    GIVES(QED_OK, qed_generate(session, "Once", 4, NULL, collect, &told, NULL));
    CHECK(told.length > 0);
    GIVES(QED_OK, qed_session_close(session));
    GIVES(QED_OK, qed_close(model));
    return NULL;
}

int main(int argc, char **argv)
{
    struct sigaction action;
    pthread_attr_t attributes;
    pthread_t thread;
    void *library, *symbol;
    int32_t (*open_model)(const char *, const qed_open_options *, qed_model **);
    qed_model *model = NULL;

    if (argc != 4)
        return 2;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_fault;
    CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
    GIVES(QED_OK, qed_check_version(QED_VERSION));

    /* A fault of the program's own still goes to its handler, and SIGPIPE is ignored until the program says otherwise. */
    if (!sigsetjmp(back, 1))
        *(volatile int *)(uintptr_t)(argc + 5) = 1;
    CHECK(faults == 1);
    CHECK(sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_IGN);
    action.sa_handler = on_pipe;
    CHECK(sigaction(SIGPIPE, &action, NULL) == 0);

    save_beyond_the_limit(argv[1], argv[3]);

    CHECK(pthread_attr_init(&attributes) == 0);
    CHECK(pthread_attr_setstacksize(&attributes, 128 * 1024) == 0);
    CHECK(pthread_create(&thread, &attributes, on_small_stack, argv[1]) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    raise(SIGPIPE);
    CHECK(pipes == 1);

    /* Closed, the library stays, and works when it is opened again. */
    library = dlopen(argv[2], RTLD_NOW);
    CHECK(library != NULL);
    CHECK(dlclose(library) == 0);
    CHECK(dlclose(library) == 0); /* the count of this program's own use */
    usleep(50000);
    library = dlopen(argv[2], RTLD_NOW);
    symbol = dlsym(library, "qed_open");
    memcpy(&open_model, &symbol, sizeof open_model);
    GIVES(QED_OK, open_model(argv[1], NULL, &model));
    GIVES(QED_OK, qed_close(model));
    return finish();
}
