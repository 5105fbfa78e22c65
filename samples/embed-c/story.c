/* Tells a story: story MODEL.gguf [PROMPT [SEED]] */
#include <qed.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int32_t print(void *user, const char *text, size_t length, int32_t token)
{
    (void)user;
    (void)token;
    fwrite(text, 1, length, stdout);
    fflush(stdout);
    return 0; /* anything else would stop */
}

int main(int argc, char **argv)
{
    const char *prompt = argc > 2 ? argv[2] : "Once upon a time";
    qed_model *model = NULL;
    qed_session *session = NULL;
    qed_generate_options options;
    int failed;

    if (argc < 2) {
        fprintf(stderr, "usage: story MODEL.gguf [PROMPT [SEED]]\n");
        return 2;
    }
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.max_tokens = 50;
    options.seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 0; /* qed_sampling_options has temperature and the like */

    failed = qed_check_version(QED_VERSION) || qed_open(argv[1], NULL, &model) || qed_session_open(model, NULL, &session);
    if (!failed) {
        failed = qed_generate(session, prompt, strlen(prompt), &options, print, NULL, NULL);
        putchar('\n');
    }
    if (failed)
        fprintf(stderr, "error: %s\n", qed_last_error());
    qed_session_close(session);
    qed_close(model);
    return failed ? 1 : 0;
}
