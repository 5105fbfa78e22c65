/*
 * refused errno|trap PROGRAM ARGUMENT...: runs a program on which the system calls that Linux has got since 3.10 have no effect: it is told that there is none (ENOSYS), as on
 * an old kernel, or gets SIGSYS, as in an app of Android, which refuses some older ones as well.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* From the first call of a group to its last. */
static const struct { unsigned first, last; } newer[] = {
    {SYS_sched_setattr, SYS_execveat - 1}, /* seccomp, getrandom, memfd_create, kexec_file_load, bpf: 3.14 to 3.18; this program itself ends with an execve */
    {SYS_userfaultfd, SYS_rseq},           /* membarrier, mlock2, copy_file_range, preadv2, statx: 4.3 to 4.18 */
    {SYS_pidfd_send_signal, 600},          /* io_uring, clone3, close_range, openat2, faccessat2 and all that came later: 5.1 on */
}, app[] = {
    {SYS_mbind, SYS_get_mempolicy},
    {SYS_set_robust_list, SYS_get_robust_list},
};

static struct sock_filter program[64];
static unsigned short length;

static void add(struct sock_filter instruction) { program[length++] = instruction; }

static void refuse(unsigned first, unsigned last, unsigned answer)
{
    add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, first, 0, 2));
    add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, last, 1, 0));
    add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, answer));
}

int main(int count, char **arguments)
{
    if (count < 3 || (strcmp(arguments[1], "errno") != 0 && strcmp(arguments[1], "trap") != 0)) {
        fprintf(stderr, "usage: refused errno|trap PROGRAM ARGUMENT...\n");
        return 2;
    }
    int traps = strcmp(arguments[1], "trap") == 0;
    unsigned answer = traps ? SECCOMP_RET_TRAP : SECCOMP_RET_ERRNO | ENOSYS;
    add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
    for (unsigned i = 0; i < sizeof newer / sizeof *newer; i++)
        refuse(newer[i].first, newer[i].last, answer);
    for (unsigned i = 0; traps && i < sizeof app / sizeof *app; i++)
        refuse(app[i].first, app[i].last, answer);
    add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    struct sock_fprog filter = {length, program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter)) {
        perror("refused");
        return 99;
    }
    execv(arguments[2], arguments + 2);
    perror(arguments[2]);
    return 98;
}
