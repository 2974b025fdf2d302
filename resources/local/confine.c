/* See confine.h. The filter looks at system call numbers and at the flag word of open(), which is passed by value; it never
 * follows a pointer, so it cannot be raced. openat2() passes its flags by pointer and is answered ENOSYS: libraries fall back. */
#include "resources/local/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCH AUDIT_ARCH_AARCH64
#endif

#ifdef THIS_ARCH

enum { X32_BIT = 0x40000000, MAX_RULES = 128 };

/* Never needed by a server of plain files. */
static const long refused[] = {
    SYS_symlinkat,   SYS_linkat,       SYS_mknodat,      SYS_setxattr, SYS_lsetxattr,         SYS_fsetxattr,
    SYS_removexattr, SYS_lremovexattr, SYS_fremovexattr, SYS_ptrace,   SYS_process_vm_writev,
#ifdef SYS_symlink
    SYS_symlink,     SYS_link,         SYS_mknod,
#endif
};

struct rules {
    struct sock_filter code[MAX_RULES];
    unsigned short n;
};

static void add(struct rules *r, unsigned code, unsigned k, unsigned char if_true, unsigned char if_false)
{
    r->code[r->n++] = (struct sock_filter){(unsigned short)code, if_true, if_false, k};
}

static void load(struct rules *r, size_t offset)
{
    add(r, BPF_LD | BPF_W | BPF_ABS, (unsigned)offset, 0, 0);
}

static void answer(struct rules *r, int error)
{
    add(r, BPF_RET | BPF_K, error ? SECCOMP_RET_ERRNO | ((unsigned)error & SECCOMP_RET_DATA) : SECCOMP_RET_ALLOW, 0, 0);
}

/* `call` with this number gets `error`. */
static void refuse(struct rules *r, long call, int error)
{
    add(r, BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 1);
    answer(r, error);
}

/* Opening for reading alone neither creates nor truncates. The low half of an argument comes first on these machines. */
static void guard_open(struct rules *r, long call, size_t flags_offset)
{
    add(r, BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 5);
    load(r, flags_offset);
    add(r, BPF_JMP | BPF_JSET | BPF_K, O_WRONLY | O_RDWR, 2, 0);
    add(r, BPF_JMP | BPF_JSET | BPF_K, O_CREAT | O_TRUNC, 0, 1);
    answer(r, EACCES);
    answer(r, 0);
}

static bool filter_calls(void)
{
    struct rules r = {.n = 0};
    load(&r, offsetof(struct seccomp_data, arch));
    add(&r, BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCH, 1, 0);
    answer(&r, EPERM);
    load(&r, offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
    add(&r, BPF_JMP | BPF_JSET | BPF_K, X32_BIT, 0, 1);
    answer(&r, EPERM);
    guard_open(&r, SYS_open, offsetof(struct seccomp_data, args[1]));
#endif
    guard_open(&r, SYS_openat, offsetof(struct seccomp_data, args[2]));
    refuse(&r, SYS_openat2, ENOSYS);
    for (size_t i = 0; i < SF_COUNT(refused); i++)
        refuse(&r, refused[i], EPERM);
    answer(&r, 0);
    struct sock_fprog program = {r.n, r.code};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

#else

static bool filter_calls(void)
{
    errno = ENOSYS;
    return false;
}

#endif

/* --- directories --- */

/* Rights by the kernel's numbers: the header may be older than the kernel. */
#define MAY_TRUNCATE (1ULL << 14)
#define MAY_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define MAY_USE                                                                                                                    \
    (MAY_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |                   \
     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REFER | MAY_TRUNCATE)
#define ON_FILES (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_EXECUTE | MAY_TRUNCATE)

static const struct {
    const char *path;
    uint64_t rights;
} always[] = {
    {"/usr", MAY_READ | LANDLOCK_ACCESS_FS_EXECUTE},
    {"/lib", MAY_READ | LANDLOCK_ACCESS_FS_EXECUTE},
    {"/lib64", MAY_READ | LANDLOCK_ACCESS_FS_EXECUTE},
    {"/etc/ld.so.cache", MAY_READ},
    {"/etc/ssl/openssl.cnf", MAY_READ},
    {"/etc/localtime", MAY_READ},
    {"/etc/nsswitch.conf", MAY_READ},
    {"/etc/passwd", MAY_READ}, /* the directives User and Group are looked up there */
    {"/etc/group", MAY_READ},
    {"/dev/null", MAY_READ | LANDLOCK_ACCESS_FS_WRITE_FILE},
    {"/dev/urandom", MAY_READ},
    {"/dev/random", MAY_READ},
};

/* What is not there needs no rule. */
static void allow(int ruleset, const char *path, uint64_t rights, uint64_t known)
{
    struct stat st;
    struct landlock_path_beneath_attr rule = {.allowed_access = rights & known, .parent_fd = open(path, O_PATH | O_CLOEXEC)};
    if (rule.parent_fd < 0)
        return;
    if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
        rule.allowed_access &= ON_FILES;
    (void)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    close(rule.parent_fd);
}

/* Leaves it at the filter on a kernel without Landlock, or with its first form, which forbids every move between directories. */
static bool fence(const struct sf_confinement *c)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 2)
        return true;
    uint64_t known = (1ULL << (abi < 3 ? 14 : 15)) - 1;
    struct landlock_ruleset_attr attr = {.handled_access_fs = known};
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
    if (ruleset < 0)
        return false;
    for (size_t i = 0; i < SF_COUNT(always); i++)
        allow(ruleset, always[i].path, always[i].rights, known);
    allow(ruleset, c->program, MAY_READ | LANDLOCK_ACCESS_FS_EXECUTE, known);
    for (size_t i = 0; c->writable[i]; i++)
        allow(ruleset, c->writable[i], MAY_USE, known);
    bool ok = syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
    close(ruleset);
    return ok;
}

bool sf_confine_thread(const struct sf_confinement *c)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && fence(c) && filter_calls();
}

struct confined {
    struct sf_op *op;
    const struct sf_confinement *confinement;
    const struct sf_proc_spec *spec;
    int *exit_status;
    struct sf_str *output;
    struct sf_err *err;
    enum sf_code rc;
};

static void *run_confined(void *arg)
{
    struct confined *c = arg;
    if (sf_confine_thread(c->confinement)) {
        c->rc = sf_proc_run(c->op, c->spec, c->exit_status, c->output, c->err);
        return NULL;
    }
    c->rc = sf_fail_errno(c->err, SF_E_UNAVAILABLE, "cannot confine '%s'", c->spec->argv[0]);
    sf_hint(c->err, "the kernel must offer seccomp filters (CONFIG_SECCOMP_FILTER) on x86-64 or arm64");
    return NULL;
}

enum sf_code sf_confine_run(struct sf_op *op, const struct sf_confinement *confinement, const struct sf_proc_spec *spec,
                            int *exit_status, struct sf_str *output, struct sf_err *err)
{
    /* both are the thread's for life and inherited by what it starts: so a thread of its own */
    struct confined c = {op, confinement, spec, exit_status, output, err, SF_E_INTERNAL};
    pthread_t thread;
    int cause = pthread_create(&thread, NULL, run_confined, &c);
    if (cause) {
        errno = cause;
        return sf_fail_errno(err, SF_E_UNAVAILABLE, "cannot start '%s'", spec->argv[0]);
    }
    pthread_join(thread, NULL);
    return c.rc;
}
