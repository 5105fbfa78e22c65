/* Checks of the test programs: a failing one is named, and the program goes on. C11 and C++17. */
#ifndef CHECK_H
#define CHECK_H

#include <qed.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int checks, failures;

/* Whether something holds. */
#define CHECK(holds) check((holds) ? 1 : 0, #holds, __LINE__)

/* Whether a call gives this result; an error must say something. */
#define GIVES(expected, call) gives((expected), (int64_t)(call), #call, __LINE__)

/* A structure with its size set and all else zero. */
#define CLEAR(structure) (memset(&(structure), 0, sizeof(structure)), (structure).size = sizeof(structure))

static void check(int holds, const char *text, int line)
{
    checks++;
    if (!holds) {
        failures++;
        printf("line %d: not true: %s (%s)\n", line, text, qed_last_error());
    }
}

static void gives(int64_t expected, int64_t result, const char *text, int line)
{
    checks++;
    if (result != expected || (result < 0 && qed_last_error()[0] == 0)) {
        failures++;
        printf("line %d: %lld instead of %lld: %s (%s)\n", line, (long long)result, (long long)expected, text, qed_last_error());
    }
}

/* Text that callbacks collect. */
typedef struct story {
    char text[4096];
    size_t length;
    int32_t calls, stop_after; /* stops at this call; 0: never */
    int32_t last;              /* the last token */
} story;

static inline int32_t collect(void *user, const char *text, size_t length, int32_t token)
{
    story *to = (story *)user;
    CHECK(text != NULL && text[length] == 0);
    if (to->length + length < sizeof to->text) {
        memcpy(to->text + to->length, text, length);
        to->length += length;
        to->text[to->length] = 0;
    }
    to->last = token;
    return ++to->calls == to->stop_after;
}

static int finish(void)
{
    printf("%d checks, %d failed\n", checks, failures);
    return failures ? 1 : 0;
}

#endif
