/*
 * What the .NET runtime, compiled against glibc's headers, asks of the C library and musl has not, or has in another way.
 * No header is included: those that the compiler would find are glibc's.
 */
typedef unsigned long size_t;

void *calloc(size_t count, size_t size);
void free(void *bytes);
char *strerror(int error);
long syscall(long number, ...);
int getpid(void);
int raise(int signal);
void *signal(int number, void *handler);
int sigaction(int signal, const void *action, void *old);
int getrlimit(int resource, void *limit);
int pthread_attr_getstack(const void *attributes, char **low, size_t *size);
int pthread_attr_setstack(void *attributes, void *low, size_t size);

/* Where a static executable's destructors belong: glibc's start files have it. */
__attribute__((visibility("hidden"))) void *__dso_handle;

/* CPU_ALLOC and CPU_FREE. */
void *__sched_cpualloc(size_t processors) { return calloc((processors + 63) / 64, 8); }
void __sched_cpufree(void *set) { free(set); }

/* GNU's, which gives the text; that of POSIX, which musl has, gives a number. */
char *strerror_r(int error, char *buffer, size_t size)
{
    (void)buffer, (void)size;
    return strerror(error);
}

/*
 * Android stops an app's process for a system call that is not on its list (SIGSYS), where other systems say that there is none (ENOSYS): made the same, as the
 * callers know how to do without (.NET without get_mempolicy and membarrier).
 */
static void say_no_such_call(int number, const int *information, char *context)
{
#ifdef __x86_64__
    const int result = 144; /* rax */
#else
    const int result = 184; /* x0 */
#endif
    const int refused_call = 1 /* SYS_SECCOMP */, no_such_call = 38;
    if (information[2] == refused_call) {
        *(long *)(context + result) = -no_such_call;
    } else { /* sent by somebody: ends the process as ever */
        signal(number, 0);
        raise(number);
    }
}

__attribute__((constructor)) static void survive_refused_calls(void)
{
    const int refused = 31 /* SIGSYS */, with_context = 4 /* SA_SIGINFO */;
    struct {
        void (*handler)(int, const int *, char *);
        unsigned long mask[16];
        int flags;
        void *restorer;
    } action = {.handler = say_no_such_call, .flags = with_context};
    sigaction(refused, &action, 0);
}

/*
 * How far the main thread's stack can grow. musl tells how far it has grown, and .NET takes that for its end: what recurses as deep as the stack allows would find
 * it used up at the start.
 */
int __real_pthread_getattr_np(void *thread, void *attributes);
int __wrap_pthread_getattr_np(void *thread, void *attributes)
{
#ifdef __x86_64__
    const long own_thread = 186;
#else
    const long own_thread = 178;
#endif
    const int stack_limit = 3;
    const size_t most = 8 << 20, strings = 1 << 16; /* of arguments and environment, which lie above the stack and count */
    char *low;
    size_t grown, limit[2];
    int error = __real_pthread_getattr_np(thread, attributes);
    if (error || syscall(own_thread) != getpid() || pthread_attr_getstack(attributes, &low, &grown) || getrlimit(stack_limit, limit))
        return error;
    size_t size = (limit[0] < most ? limit[0] : most) - strings;
    return size > grown && size < most ? pthread_attr_setstack(attributes, low + grown - size, size) : 0;
}
