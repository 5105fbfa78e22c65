/*
 * LD_PRELOAD=mappings.so MAPPINGS=shared|all|cut: what becomes of the mappings of files named *.gguf, *.safetensors and *.session.
 *   shared  shared ones are refused as some file systems do (ENODEV)
 *   all     all are
 *   cut     the file is cut off as soon as it is mapped, so that the first touch of it is SIGBUS
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

static void *map(const char *name, void *address, size_t length, int protection, int flags, int file, off_t offset)
{
    void *(*real)(void *, size_t, int, int, int, off_t) = (void *(*)(void *, size_t, int, int, int, off_t))dlsym(RTLD_NEXT, name);
    const char *mode = getenv("MAPPINGS");
    char link[64], path[4096];
    ssize_t size;
    void *mapped;

    if (!mode || file < 0)
        return real(address, length, protection, flags, file, offset);
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    size = readlink(link, path, sizeof path - 1);
    path[size < 0 ? 0 : size] = 0;
    if (!ends_with(path, ".gguf") && !ends_with(path, ".safetensors") && !ends_with(path, ".session"))
        return real(address, length, protection, flags, file, offset);
    if (strcmp(mode, "all") == 0 || (strcmp(mode, "shared") == 0 && (flags & MAP_TYPE) == MAP_SHARED)) {
        errno = ENODEV;
        return MAP_FAILED;
    }
    mapped = real(address, length, protection, flags, file, offset);
    if (strcmp(mode, "cut") == 0 && truncate(path, 0) != 0)
        abort();
    return mapped;
}

void *mmap(void *address, size_t length, int protection, int flags, int file, off_t offset)
{
    return map("mmap", address, length, protection, flags, file, offset);
}

void *mmap64(void *address, size_t length, int protection, int flags, int file, off_t offset)
{
    return map("mmap64", address, length, protection, flags, file, offset);
}
