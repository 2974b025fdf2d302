/* The run lock: one mutating run at a time on a state.
 *
 * A kernel lock on <path>.lock, held as long as the process lives: kill -9 frees it, so nobody ever has to remove one by hand, and
 * there is no lease to expire under a slow run. It is an open-file-description lock (fcntl(2), F_OFD_SETLK): unlike the classic
 * POSIX one it survives the closing of another descriptor of the file, and unlike flock(2) it can be asked for without being taken.
 * The file stays; what it says is only believed while it is locked. The one place of the engine that sleeps is here. */
#include "state/internal.h"

#include "engine/core/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { POLL_MS = 50, HOLDER_BYTES = 400 };

static char *lock_path(const struct sf_store *store)
{
    return sf_files_beside(store->path, ".lock");
}

static bool is_held(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/* What the holder wrote, fit to be printed. */
static void read_holder(int fd, char holder[HOLDER_BYTES])
{
    ssize_t n = pread(fd, holder, HOLDER_BYTES - 1, 0);
    holder[n > 0 ? n : 0] = 0;
    holder[strcspn(holder, "\n")] = 0;
    for (char *p = holder; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    if (!holder[0])
        snprintf(holder, HOLDER_BYTES, "a run that is just starting");
}

struct sf_str sf_store_lock_holder(struct sf_store *store, struct sf_arena *arena)
{
    struct sf_str answer = SF_STR_NONE;
    char *path = lock_path(store);
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && is_held(fd)) {
        char holder[HOLDER_BYTES];
        read_holder(fd, holder);
        answer = sf_str_dup(arena, sf_str_of(holder));
    }
    if (fd >= 0)
        close(fd);
    free(path);
    return answer;
}

static enum sf_code write_holder(int fd, const char *path, const char *command, struct sf_err *err)
{
    char host[128] = "?", user[64], holder[HOLDER_BYTES];
    if (gethostname(host, sizeof(host) - 1) != 0)
        snprintf(host, sizeof(host), "?");
    sf_files_user(geteuid(), user, sizeof(user));
    struct sf_arena *arena = sf_arena_new();
    int n = snprintf(holder, sizeof(holder), "pid %ld, %s@%s, %.100s since %s\n", (long)getpid(), user, host, command,
                     sf_clock_rfc3339(arena, sf_clock_wall_ms()).p);
    sf_arena_free(arena);
    if (ftruncate(fd, 0) != 0 || pwrite(fd, holder, (size_t)n, 0) != n)
        return sf_fail_errno(err, SF_E_IO, "cannot write '%s'", path);
    return SF_OK;
}

/* A signal that asks to stop, caught or (when the engine takes its signals by descriptor) only pending. */
static bool is_asked_to_stop(void)
{
    sigset_t pending;
    return sigpending(&pending) == 0 &&
           (sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGHUP) == 1);
}

static enum sf_code wait_for_lock(int fd, const char *path, int64_t wait_ms, struct sf_err *err)
{
    /* the time slept is counted, not read from a clock: it is right under a virtual clock too */
    for (int64_t waited_ms = 0;; waited_ms += POLL_MS) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
            return SF_OK;
        if (errno != EAGAIN && errno != EACCES)
            return sf_fail_errno(err, SF_E_IO, "cannot lock '%s'", path);
        if (waited_ms >= wait_ms)
            break;
        struct timespec pause = {.tv_sec = 0, .tv_nsec = POLL_MS * 1000000L};
        if (nanosleep(&pause, NULL) != 0 || is_asked_to_stop())
            return sf_fail(err, SF_E_CANCELLED, "stopped while waiting for the lock '%s'", path);
    }
    char holder[HOLDER_BYTES];
    read_holder(fd, holder);
    sf_fail(err, SF_E_LOCKED, "the state is locked by another run: %s", holder);
    sf_hint(err, "wait for it, for example with -lock-timeout 5m; the lock ends with that process, there is nothing to remove");
    return SF_E_LOCKED;
}

enum sf_code sf_store_lock(struct sf_store *store, const char *command, int64_t wait_ms, struct sf_err *err)
{
    if (store->is_read_only)
        return sf_fail(err, SF_E_INTERNAL, "state '%s': a lock on a read-only store", store->path);
    char *path = lock_path(store);
    enum sf_code rc = SF_OK;
    if (store->lock_fd >= 0) { /* ours already: only the name of what is done changes */
        rc = write_holder(store->lock_fd, path, command, err);
        goto out;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        rc = sf_fail_errno(err, SF_E_IO, "cannot open the lock '%s'", path);
        goto out;
    }
    rc = wait_for_lock(fd, path, wait_ms, err);
    if (!rc)
        rc = write_holder(fd, path, command, err);
    if (rc) {
        close(fd);
        goto out;
    }
    store->lock_fd = fd;
    rc = sf_store_become_writer(store, err);
    if (rc)
        sf_lock_release(store);
out:
    free(path);
    return rc;
}

void sf_lock_release(struct sf_store *store)
{
    if (store->lock_fd < 0)
        return;
    (void)!ftruncate(store->lock_fd, 0);
    close(store->lock_fd);
    store->lock_fd = -1;
}
