/*
 * Functions of the C library in the oldest version that it has of them: libqed.so then runs on every glibc from 2.17 on, whatever it was linked on. Those of
 * 2.29 to 2.34 do the same: they have moved from libpthread and libdl into libc, or set errno no more.
 * The linker takes these in place of the names themselves (--wrap, link.targets).
 */
#ifdef __x86_64__
#define OLDEST "GLIBC_2.2.5"
#define JUMP "jmp old_"
#define WHERE "@PLT"
#define SINCE(version) version
#else
#define OLDEST "GLIBC_2.17" /* the first for arm64 */
#define JUMP "b old_"
#define WHERE ""
#define SINCE(version) OLDEST
#endif

#define FROM(version, name) \
    __asm__(".symver old_" #name ", " #name "@" version "\n" \
            ".globl __wrap_" #name "\n.hidden __wrap_" #name "\n.type __wrap_" #name ", %function\n" \
            "__wrap_" #name ": " JUMP #name WHERE "\n");

FROM(OLDEST, dladdr)
FROM(OLDEST, log)
FROM(OLDEST, log2)
FROM(OLDEST, pthread_attr_getstack)
FROM(OLDEST, pthread_attr_setstacksize)
FROM(SINCE("GLIBC_2.3.3"), pthread_condattr_setclock)
FROM(OLDEST, pthread_create)
FROM(SINCE("GLIBC_2.2.5"), pthread_getattr_np)
FROM(OLDEST, pthread_key_create)
FROM(OLDEST, pthread_kill)
FROM(OLDEST, pthread_mutexattr_destroy)
FROM(OLDEST, pthread_mutexattr_init)
FROM(OLDEST, pthread_mutexattr_settype)
FROM(OLDEST, pthread_rwlock_rdlock)
FROM(OLDEST, pthread_rwlock_unlock)
FROM(OLDEST, pthread_rwlock_wrlock)
FROM(SINCE("GLIBC_2.12"), pthread_setname_np)
FROM(OLDEST, pthread_setspecific)
FROM(OLDEST, pthread_sigmask)
