/*
 * statx, of which Linux has the system call since 4.11, glibc the function since 2.28 and musl since 1.2.5: what QedEdge asks of it, from a call that always was.
 * No header is included: a cross compiler may have none.
 */
long syscall(long number, ...);

/* The status of a file, as the kernel tells it. */
struct stat {
#ifdef __x86_64__
    unsigned long device, inode, links;
    unsigned mode, owner, group, padding;
    unsigned long rdevice;
#else
    unsigned long device, inode;
    unsigned mode, links, owner, group;
    unsigned long rdevice, padding;
#endif
    long bytes, rest[11];
};

int statx(int folder, const char *path, int flags, unsigned mask, void *answer)
{
#ifdef __x86_64__
    const long newfstatat = 262;
#else
    const long newfstatat = 79;
#endif
    struct {
        unsigned mask, block;
        unsigned long attributes;
        unsigned links, owner, group;
        unsigned short mode, padding;
        unsigned long inode, bytes, rest[11];
        unsigned major, minor;
        unsigned long reserved[14];
    } *to = answer;
    _Static_assert(sizeof *to == 256, "as the kernel has it");
    struct stat from;
    if (syscall(newfstatat, folder, path, &from, flags))
        return -1;
    *to = (__typeof__(*to)){
        .mask = mask & 0x30b, .owner = from.owner, .group = from.group, .mode = (unsigned short)from.mode, .inode = from.inode, .bytes = (unsigned long)from.bytes,
        .major = (unsigned)((from.device >> 32 & 0xfffff000) | (from.device >> 8 & 0xfff)), .minor = (unsigned)((from.device >> 12 & 0xffffff00) | (from.device & 0xff)),
    };
    return 0;
}
