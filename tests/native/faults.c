/*
 * Makes one system call of a program fail: preloaded (LD_PRELOAD), it counts the calls of one kind and lets the N-th fail.
 *
 *   FAULT_CALL   open, read, pread, write, pwrite, mmap, …: the names below
 *   FAULT_AT     which call fails, from 1; 0: all of them
 *   FAULT_PHASE  p: those before the program's own first call are not counted
 *   FAULT_ERROR  its errno; 0: it succeeds for half of the bytes
 *
 * Without FAULT_CALL nothing fails: at the end of the program "NAME COUNT" goes to descriptor FAULT_REPORT, a line for each kind that the program has called.
 *
 * When the fault has come, one byte goes to descriptor FAULT_REPORT: 'r' where it was before the program's own first call, fcntl(0, F_GETFD), and so in the start of
 * its runtime; else 'p'.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static const char *call = "";
static long at, error = EIO;
static int report = -1, skips_start;
static atomic_long count;
static atomic_int in_program;

#define KINDS 64
static struct {
    _Atomic(const char *) name; /* a literal of this file */
    atomic_long calls;
} kinds[KINDS];

static void count_call(const char *name)
{
    for (int i = 0; i < KINDS; i++) {
        const char *free = NULL, *found = atomic_load(&kinds[i].name);
        if (!found && atomic_compare_exchange_strong(&kinds[i].name, &free, name))
            found = name;
        if (strcmp(found ? found : free, name) == 0) {
            atomic_fetch_add(&kinds[i].calls, 1);
            return;
        }
    }
}

__attribute__((constructor)) static void begin(void)
{
    const char *name = getenv("FAULT_CALL"), *text = getenv("FAULT_AT");
    at = text ? atol(text) : 0;
    if ((text = getenv("FAULT_ERROR")))
        error = atol(text);
    if ((text = getenv("FAULT_REPORT")))
        report = atoi(text);
    skips_start = (text = getenv("FAULT_PHASE")) && *text == 'p';
    if (name)
        call = name;
}

__attribute__((destructor)) static void end(void)
{
    for (int i = 0; *call == 0 && i < KINDS && kinds[i].name; i++) {
        char line[64];
        syscall(SYS_write, report, line, snprintf(line, sizeof line, "%s %ld\n", kinds[i].name, kinds[i].calls));
    }
}

/* Whether this call is one that fails. */
static int fails(const char *name)
{
    int in_start = !atomic_load(&in_program);
    if (*call == 0 && !in_start)
        count_call(name);
    if (strcmp(name, call) != 0 || (in_start && skips_start) || (atomic_fetch_add(&count, 1) + 1 != at && at != 0))
        return 0;
    char phase = in_start ? 'r' : 'p';
    syscall(SYS_write, report, &phase, 1);
    errno = (int)error;
    return 1;
}

#define REAL(function) \
    static __typeof__(&function) real; \
    if (!real) \
        real = (__typeof__(&function))dlsym(RTLD_NEXT, #function)

/* A function that returns -1 or another mark. */
#define FAILING(type, function, name, parameters, arguments, mark) \
    type function parameters \
    { \
        REAL(function); \
        return fails(name) ? mark : real arguments; \
    }

/* One that moves bytes: it can also move fewer. */
#define MOVING(function, name, parameters, arguments) \
    ssize_t function parameters \
    { \
        REAL(function); \
        if (fails(name)) { \
            if (error != 0) \
                return -1; \
            size = size > 1 ? size / 2 : size; \
        } \
        return real arguments; \
    }

#define OPENING(function, declared, given) \
    int function declared \
    { \
        REAL(function); \
        va_list more; \
        va_start(more, flags); \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0; \
        va_end(more); \
        return fails("open") ? -1 : real given; \
    }

OPENING(open, (const char *path, int flags, ...), (path, flags, mode))
OPENING(open64, (const char *path, int flags, ...), (path, flags, mode))
OPENING(openat, (int folder, const char *path, int flags, ...), (folder, path, flags, mode))

MOVING(read, "read", (int file, void *bytes, size_t size), (file, bytes, size))
MOVING(pread64, "pread", (int file, void *bytes, size_t size, off_t position), (file, bytes, size, position))
MOVING(write, "write", (int file, const void *bytes, size_t size), (file, bytes, size))
MOVING(pwrite64, "pwrite", (int file, const void *bytes, size_t size, off_t position), (file, bytes, size, position))

FAILING(void *, mmap, "mmap", (void *start, size_t size, int access, int flags, int file, off_t offset), (start, size, access, flags, file, offset), MAP_FAILED)
FAILING(void *, mmap64, "mmap", (void *start, size_t size, int access, int flags, int file, off_t offset), (start, size, access, flags, file, offset), MAP_FAILED)
FAILING(int, munmap, "munmap", (void *start, size_t size), (start, size), -1)
FAILING(int, madvise, "madvise", (void *start, size_t size, int advice), (start, size, advice), -1)
FAILING(int, mprotect, "mprotect", (void *start, size_t size, int access), (start, size, access), -1)
FAILING(int, fsync, "fsync", (int file), (file), -1)
FAILING(int, sync_file_range, "sync_file_range", (int file, off_t from, off_t size, unsigned flags), (file, from, size, flags), -1)
FAILING(int, rename, "rename", (const char *from, const char *to), (from, to), -1)
FAILING(int, renameat2, "rename", (int from_folder, const char *from, int to_folder, const char *to, unsigned flags), (from_folder, from, to_folder, to, flags), -1)
FAILING(int, link, "link", (const char *from, const char *to), (from, to), -1)
FAILING(int, linkat, "link", (int from_folder, const char *from, int to_folder, const char *to, int flags), (from_folder, from, to_folder, to, flags), -1)
FAILING(int, unlink, "unlink", (const char *path), (path), -1)
FAILING(int, mkdir, "mkdir", (const char *path, mode_t mode), (path, mode), -1)
FAILING(int, ftruncate64, "ftruncate", (int file, off_t size), (file, size), -1)
FAILING(int, fallocate64, "fallocate", (int file, int mode, off_t from, off_t size), (file, mode, from, size), -1)
FAILING(int, flock, "flock", (int file, int operation), (file, operation), -1)
FAILING(int, close, "close", (int file), (file), -1)
FAILING(int, __fxstat64, "fstat", (int version, int file, struct stat64 *status), (version, file, status), -1)
FAILING(int, __xstat64, "stat", (int version, const char *path, struct stat64 *status), (version, path, status), -1)
FAILING(int, __lxstat64, "stat", (int version, const char *path, struct stat64 *status), (version, path, status), -1)
FAILING(int, statx, "statx", (int folder, const char *path, int flags, unsigned mask, struct statx *status), (folder, path, flags, mask, status), -1)
FAILING(int, fstatfs64, "statfs", (int file, struct statfs64 *status), (file, status), -1)
FAILING(int, access, "access", (const char *path, int mode), (path, mode), -1)
FAILING(DIR *, opendir, "opendir", (const char *path), (path), NULL)
FAILING(struct dirent64 *, readdir64, "readdir", (DIR *folder), (folder), NULL)
FAILING(char *, getcwd, "getcwd", (char *path, size_t size), (path, size), NULL)
FAILING(FILE *, fopen64, "fopen", (const char *path, const char *mode), (path, mode), NULL)
FAILING(int, fchmod, "fchmod", (int file, mode_t mode), (file, mode), -1)
FAILING(ssize_t, readlink, "readlink", (const char *path, char *target, size_t size), (path, target, size), -1)
FAILING(int, pipe, "pipe", (int files[2]), (files), -1)
FAILING(int, pipe2, "pipe", (int files[2], int flags), (files, flags), -1)
FAILING(int, pthread_create, "pthread_create", (pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument), (thread, attributes, run, argument), (int)error)

int fcntl(int file, int command, ...)
{
    REAL(fcntl);
    va_list more;
    va_start(more, command);
    void *argument = va_arg(more, void *);
    va_end(more);
    if (file == 0 && command == F_GETFD)
        atomic_store(&in_program, 1);
    if (command == F_OFD_SETLK && fails("lock"))
        return -1;
    return real(file, command, argument);
}

/* The C library's own: dlsym, which the others are found with, needs memory itself. */
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);

void *malloc(size_t size) { return fails("malloc") ? NULL : __libc_malloc(size); }
void *calloc(size_t items, size_t size) { return fails("calloc") ? NULL : __libc_calloc(items, size); }
void *realloc(void *bytes, size_t size) { return fails("realloc") ? NULL : __libc_realloc(bytes, size); }
