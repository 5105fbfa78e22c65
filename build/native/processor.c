/*
 * Before .NET's own check, which aborts: one line where the processor lacks what the compiled code is made of. NEEDS_AVX512 is defined for x86-64-v4.
 * No header is included: a cross compiler may have none.
 */
typedef unsigned long size_t;

long write(int file, const void *bytes, size_t count);
_Noreturn void _exit(int code);

#define SAY_AND_EXIT(missing, remedy) \
    do { \
        static const char line[] = "error: this processor, or the virtual machine, has no " missing ", which this executable needs; " remedy "\n"; \
        (void)!write(2, line, sizeof line - 1); \
        _exit(1); \
    } while (0)

__attribute__((constructor)) static void check_processor(void)
{
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("bmi") || !__builtin_cpu_supports("bmi2"))
        SAY_AND_EXIT("AVX2", "one published with -p:IlcInstructionSet=x86-64-v2 runs here, slowly");
#ifdef NEEDS_AVX512
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512cd") || !__builtin_cpu_supports("avx512dq") ||
        !__builtin_cpu_supports("avx512vl"))
        SAY_AND_EXIT("AVX-512", "the one for linux-x64 without x86-64-v4 runs here");
#endif
}
