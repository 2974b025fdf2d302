/* See confine.h. The filter looks at system call numbers and at the flag word of open(), which is passed by value; it never
 * follows a pointer, so it cannot be raced. openat2() passes its flags by pointer and is answered ENOSYS: libraries fall back. */
#include "resources/local/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

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

bool sf_confine_thread(void)
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
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

#else

bool sf_confine_thread(void)
{
    errno = ENOSYS;
    return false;
}

#endif

struct confined {
    struct sf_op *op;
    const struct sf_proc_spec *spec;
    int *exit_status;
    struct sf_str *output;
    struct sf_err *err;
    enum sf_code rc;
};

static void *run_confined(void *arg)
{
    struct confined *c = arg;
    if (sf_confine_thread()) {
        c->rc = sf_proc_run(c->op, c->spec, c->exit_status, c->output, c->err);
        return NULL;
    }
    c->rc = sf_fail_errno(c->err, SF_E_UNAVAILABLE, "cannot confine '%s'", c->spec->argv[0]);
    sf_hint(c->err, "the kernel must offer seccomp filters (CONFIG_SECCOMP_FILTER) on x86-64 or arm64");
    return NULL;
}

enum sf_code sf_confine_run(struct sf_op *op, const struct sf_proc_spec *spec, int *exit_status, struct sf_str *output,
                            struct sf_err *err)
{
    /* a filter is the thread's for life and is inherited by what the thread starts: so a thread of its own */
    struct confined c = {op, spec, exit_status, output, err, SF_E_INTERNAL};
    pthread_t thread;
    int cause = pthread_create(&thread, NULL, run_confined, &c);
    if (cause) {
        errno = cause;
        return sf_fail_errno(err, SF_E_UNAVAILABLE, "cannot start '%s'", spec->argv[0]);
    }
    pthread_join(thread, NULL);
    return c.rc;
}
