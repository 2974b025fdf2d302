/* See proc.h. Children are forked from a threaded program, so between fork and exec only async-signal-safe calls are made;
 * everything they need is built before. A child gets a session of its own: a Ctrl-C at the terminal reaches us, not the
 * servers. */
#include "resources/local/proc.h"

#include "engine/core/clock.h"
#include "resources/local/territory.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_OUTPUT_BYTES = 64 * 1024, POLL_MS = 5 };

static const char CHILD_PATH[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/* What the child reports when it cannot become the program. */
struct failure {
    int cause; /* errno */
    int step;
};

static const char *const step_names[] = {"take its descriptors", "become the run account", "enter its directory", "start"};
enum { STEP_FILES, STEP_USER, STEP_DIR, STEP_EXEC };

static int64_t real_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pause_ms(long ms)
{
    struct timespec t = {ms / 1000, (ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

struct child {
    char *const *argv;
    char *const *env;
    const char *dir;
    int out_fd, status_fd;
    bool switches_user;
    uid_t uid;
    gid_t gid;
    int fd_limit;
};

_Noreturn static void child_fail(const struct child *c, int step)
{
    struct failure f = {errno, step};
    ssize_t ignored = write(c->status_fd, &f, sizeof(f));
    (void)ignored;
    _exit(127);
}

/* Async-signal-safe calls only. */
_Noreturn static void child_main(struct child *c)
{
    setsid();
    struct sigaction fresh = {.sa_handler = SIG_DFL};
    for (int sig = 1; sig < NSIG; sig++)
        sigaction(sig, &fresh, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    /* both may sit on 0-2 if we were started with those closed: lift them first */
    if (c->status_fd < 3 && (c->status_fd = fcntl(c->status_fd, F_DUPFD_CLOEXEC, 3)) < 0)
        _exit(127);
    if (c->out_fd < 3 && (c->out_fd = fcntl(c->out_fd, F_DUPFD_CLOEXEC, 3)) < 0)
        child_fail(c, STEP_FILES);
    int null_fd = open("/dev/null", O_RDONLY);
    if (null_fd < 0 || (null_fd != 0 && dup2(null_fd, 0) < 0) || dup2(c->out_fd, 1) < 0 || dup2(c->out_fd, 2) < 0)
        child_fail(c, STEP_FILES);
    for (int fd = 3; fd < c->fd_limit; fd++) {
        if (fd != c->status_fd)
            close(fd);
    }
    if (c->switches_user &&
        (setgroups(1, &c->gid) != 0 || setresgid(c->gid, c->gid, c->gid) != 0 || setresuid(c->uid, c->uid, c->uid) != 0))
        child_fail(c, STEP_USER);
    umask(077);
    if (chdir(c->dir ? c->dir : "/") != 0)
        child_fail(c, STEP_DIR);
    execve(c->argv[0], c->argv, c->env);
    child_fail(c, STEP_EXEC);
}

/* One past the highest descriptor that is open now, so that the child need not try a million of them. */
static int highest_fd(void)
{
    DIR *dir = opendir("/proc/self/fd");
    if (!dir) {
        struct rlimit limit;
        return getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 65536 ? (int)limit.rlim_cur : 65536;
    }
    int highest = 2;
    struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        int fd = atoi(entry->d_name);
        if (fd > highest)
            highest = fd;
    }
    closedir(dir);
    /* other threads open files meanwhile; everything of ours is O_CLOEXEC, this is the second fence */
    return highest + 64;
}

static size_t count_of(const char *const *list)
{
    size_t n = 0;
    while (list && list[n])
        n++;
    return n;
}

static char **child_env(struct sf_op *op, const struct sf_proc_spec *spec)
{
    size_t n = 0;
    char **env = sf_arena_array(op->arena, count_of(spec->env) + 4, sizeof(*env));
    const char *const base[] = {CHILD_PATH, "HOME=/nonexistent", "LANG=C.UTF-8"};
    for (size_t i = 0; i < SF_COUNT(base); i++) {
        size_t name = strcspn(base[i], "=") + 1;
        bool replaced = false;
        for (size_t k = 0; spec->env && spec->env[k]; k++)
            replaced = replaced || strncmp(spec->env[k], base[i], name) == 0;
        if (!replaced)
            env[n++] = (char *)(uintptr_t)base[i];
    }
    for (size_t k = 0; spec->env && spec->env[k]; k++)
        env[n++] = (char *)(uintptr_t)spec->env[k];
    return env;
}

/* The child is gone, or `until` has passed (0: never). Fills `buf` from `fd` meanwhile, if there is one: a server that stays
 * behind may hold the pipe open, so the end of the child counts, not the end of the pipe. */
static bool wait_for(pid_t pid, int fd, struct sf_buf *buf, int64_t until, int *status)
{
    for (bool is_done = false;;) {
        if (!is_done)
            is_done = waitpid(pid, status, WNOHANG) == pid;
        struct pollfd p = {fd, POLLIN, 0};
        if (poll(&p, fd >= 0 ? 1 : 0, is_done ? 0 : POLL_MS) > 0) {
            char bytes[4096];
            ssize_t got = read(fd, bytes, sizeof(bytes));
            if (got > 0) {
                size_t room = buf->max - buf->n;
                sf_buf_add(buf, (struct sf_str){bytes, (size_t)got < room ? (size_t)got : room});
                continue;
            }
            if (got == 0 || (errno != EINTR && errno != EAGAIN))
                fd = -1;
            if (!is_done)
                continue;
        }
        if (is_done)
            return true;
        if (until && real_ms() >= until)
            return false;
    }
}

static enum sf_code report_start(const struct sf_proc_spec *spec, const struct failure *f, struct sf_err *err)
{
    errno = f->cause;
    sf_fail_errno(err, SF_E_UNAVAILABLE, "'%s' could not %s", spec->argv[0], step_names[f->step]);
    if (f->step == STEP_EXEC && f->cause == ENOENT)
        sf_hint(err, "is its package installed? `make deps` lists what is missing");
    return SF_E_UNAVAILABLE;
}

enum sf_code sf_proc_run(struct sf_op *op, const struct sf_proc_spec *spec, int *exit_status, struct sf_str *output,
                         struct sf_err *err)
{
    const struct sf_territory *t = sf_territory_of(op);
    int out[2] = {-1, -1}, told[2] = {-1, -1}, status = 0;
    struct sf_buf buf = SF_BUF(MAX_OUTPUT_BYTES);
    enum sf_code rc = SF_OK;
    pid_t pid = -1;
    int64_t until = 0;
    struct failure failure;
    sigset_t all, before;
    *exit_status = -1;
    if (output)
        *output = SF_STR_NONE;
    if (op->deadline_ms > 0) {
        int64_t left = op->deadline_ms - sf_clock_ms();
        if (left <= 0)
            return sf_fail(err, SF_E_UNAVAILABLE, "no time was left to start '%s'", spec->argv[0]);
        until = real_ms() + left;
    }
    if (pipe2(told, O_CLOEXEC) != 0 || (!spec->log_path && pipe2(out, O_CLOEXEC) != 0)) {
        rc = sf_fail_errno(err, SF_E_UNAVAILABLE, "cannot start '%s'", spec->argv[0]);
        goto out;
    }
    if (spec->log_path) {
        if (spec->as_run_account)
            sf_territory_enter(op);
        out[1] = open(spec->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (spec->as_run_account)
            sf_territory_leave(op);
        if (out[1] < 0) {
            rc = sf_fail_errno(err, SF_E_IO, "cannot open the log '%s'", spec->log_path);
            goto out;
        }
    }
    struct child child = {
        .argv = (char *const *)(uintptr_t)spec->argv,
        .env = child_env(op, spec),
        .dir = spec->dir,
        .out_fd = out[1],
        .status_fd = told[1],
        .switches_user = spec->as_run_account && t->switches_user,
        .uid = t->run_uid,
        .gid = t->run_gid,
        .fd_limit = highest_fd(),
    };
    /* no handler of ours may run in the child */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid = fork();
    if (pid == 0)
        child_main(&child);
    int cause = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid < 0) {
        errno = cause;
        rc = sf_fail_errno(err, SF_E_UNAVAILABLE, "cannot start '%s'", spec->argv[0]);
        goto out;
    }
    close(told[1]);
    close(out[1]);
    told[1] = out[1] = -1;
    ssize_t got;
    do
        got = read(told[0], &failure, sizeof(failure));
    while (got < 0 && errno == EINTR);
    if (got == (ssize_t)sizeof(failure)) {
        wait_for(pid, -1, &buf, 0, &status);
        rc = report_start(spec, &failure, err);
        goto out;
    }
    if (!wait_for(pid, out[0], &buf, until, &status)) {
        kill(-pid, SIGKILL);
        kill(pid, SIGKILL);
        wait_for(pid, -1, &buf, 0, &status);
        rc = sf_fail(err, SF_E_UNKNOWN, "'%s' did not end in time and was killed", spec->argv[0]);
        goto out;
    }
    *exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (output)
        *output = sf_str_dup(op->arena, sf_buf_str(&buf));
out:
    for (int i = 0; i < 2; i++) {
        if (out[i] >= 0)
            close(out[i]);
        if (told[i] >= 0)
            close(told[i]);
    }
    sf_buf_free(&buf);
    return rc;
}

/* State letter and start time of a process; false when there is none. */
static bool proc_stat(pid_t pid, char *state, uint64_t *start)
{
    char path[64], text[1024];
    snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    int fd = pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (n <= 0)
        return false;
    text[n] = 0;
    /* the command name is in brackets and may hold anything, brackets too: fields count from the last one */
    const char *p = strrchr(text, ')');
    unsigned long long ticks;
    if (!p || sscanf(p + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", state, &ticks) != 2)
        return false;
    *start = ticks;
    return true;
}

uint64_t sf_proc_start_time(pid_t pid)
{
    char state;
    uint64_t start;
    return proc_stat(pid, &state, &start) ? start : 0;
}

bool sf_proc_is_alive(pid_t pid, uint64_t start_time)
{
    char state;
    uint64_t start;
    return proc_stat(pid, &state, &start) && start == start_time && state != 'Z' && state != 'X';
}

static bool is_gone_within(pid_t pid, uint64_t start_time, int64_t wait_ms)
{
    int64_t until = real_ms() + wait_ms;
    for (;;) {
        /* a child of ours would stay a zombie otherwise; not ours: harmless */
        waitpid(pid, NULL, WNOHANG);
        if (!sf_proc_is_alive(pid, start_time))
            return true;
        if (real_ms() >= until)
            return false;
        pause_ms(POLL_MS);
    }
}

enum sf_code sf_proc_stop(pid_t pid, uint64_t start_time, int sig, int64_t wait_ms, struct sf_err *err)
{
    const int signals[] = {sig, SIGKILL};
    for (size_t i = 0; i < SF_COUNT(signals); i++) {
        if (pid <= 1 || !sf_proc_is_alive(pid, start_time))
            return SF_OK;
        if (kill(pid, signals[i]) != 0 && errno == EPERM) {
            sf_fail(err, SF_E_DENIED, "process %ld belongs to another account and cannot be stopped", (long)pid);
            sf_hint(err, "run this as the account that started it, or stop it by hand: sudo kill %ld", (long)pid);
            return SF_E_DENIED;
        }
        if (is_gone_within(pid, start_time, i == 0 ? wait_ms : 5000))
            return SF_OK;
    }
    return sf_fail(err, SF_E_UNKNOWN, "process %ld does not end, not even when killed", (long)pid);
}

/* Whether a listener in /proc/net/tcp{,6} covers the wanted address. Address words there are in host byte order. */
static bool covers(const char *hex, const struct in_addr *wanted, const struct in6_addr *wanted6)
{
    uint32_t words[4] = {0};
    size_t n = strlen(hex) / 8;
    for (size_t i = 0; i < n && i < 4; i++) {
        char word[9];
        memcpy(word, hex + 8 * i, 8);
        word[8] = 0;
        words[i] = (uint32_t)strtoul(word, NULL, 16);
    }
    bool is_any = !(words[0] | words[1] | words[2] | words[3]);
    if (is_any || (!wanted && !wanted6))
        return true;
    if (wanted6)
        return n == 4 && memcmp(words, wanted6, 16) == 0;
    return n == 1 ? words[0] == wanted->s_addr : words[2] == htonl(0xffff) && words[3] == wanted->s_addr;
}

bool sf_proc_port_is_listening(const char *host, int port, uid_t *uid)
{
    static const char *const tables[] = {"/proc/net/tcp", "/proc/net/tcp6"};
    struct in_addr v4;
    struct in6_addr v6;
    const struct in_addr *wanted = NULL;
    const struct in6_addr *wanted6 = NULL;
    if (host && inet_pton(AF_INET, host, &v4) == 1)
        wanted = v4.s_addr ? &v4 : NULL;
    else if (host && inet_pton(AF_INET6, host, &v6) == 1)
        wanted6 = IN6_IS_ADDR_UNSPECIFIED(&v6) ? NULL : &v6;
    for (size_t i = 0; i < SF_COUNT(tables); i++) {
        FILE *file = fopen(tables[i], "re");
        if (!file)
            continue;
        char line[512], hex[64];
        unsigned local_port, state, owner;
        bool found = false;
        while (!found && fgets(line, sizeof(line), file)) {
            if (sscanf(line, " %*d: %63[0-9A-Fa-f]:%x %*s %x %*s %*s %*s %u", hex, &local_port, &state, &owner) != 4)
                continue;
            found = state == 0x0a && (int)local_port == port && covers(hex, wanted, wanted6);
        }
        fclose(file);
        if (found) {
            if (uid)
                *uid = owner;
            return true;
        }
    }
    return false;
}

static bool is_program(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* Newest /usr/lib/postgresql/<n>/bin that has `tool`. */
static const char *postgres_dir_with(struct sf_arena *arena, const char *tool, int *major)
{
    const char *best = NULL;
    int newest = 0;
    DIR *dir = opendir("/usr/lib/postgresql");
    struct dirent *entry;
    while (dir && (entry = readdir(dir)) != NULL) {
        int64_t version;
        if (!sf_str_int64(sf_str_of(entry->d_name), &version) || version <= newest || version > 1000)
            continue;
        const char *bin = sf_str_fmt(arena, "/usr/lib/postgresql/%d/bin", (int)version).p;
        if (!is_program(sf_str_fmt(arena, "%s/%s", bin, tool).p))
            continue;
        best = bin;
        newest = (int)version;
    }
    if (dir)
        closedir(dir);
    if (major)
        *major = newest;
    return best;
}

const char *sf_proc_find_program(struct sf_arena *arena, const char *tool)
{
    const char *bin = postgres_dir_with(arena, tool, NULL);
    if (bin)
        return sf_str_fmt(arena, "%s/%s", bin, tool).p;
    const char *path = getenv("PATH");
    struct sf_str rest = sf_str_fmt(arena, "%s:/usr/local/sbin:/usr/sbin:/sbin", path ? path : "/usr/local/bin:/usr/bin:/bin");
    while (rest.n) {
        size_t cut = sf_str_find(rest, SF_STR(":"));
        struct sf_str dir = sf_str_slice(rest, 0, cut);
        rest = sf_str_slice(rest, cut == SIZE_MAX ? rest.n : cut + 1, rest.n);
        if (!dir.n || dir.p[0] != '/')
            continue;
        const char *candidate = sf_str_fmt(arena, "%.*s/%s", SF_ARG(dir), tool).p;
        if (is_program(candidate))
            return candidate;
    }
    return NULL;
}

const char *sf_proc_find_postgres_bin(struct sf_arena *arena, int *major)
{
    int version = 0;
    const char *bin = postgres_dir_with(arena, "initdb", &version);
    if (major)
        *major = version;
    return bin;
}
