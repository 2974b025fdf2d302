/* credential_process: a program of the person's that prints credentials. See credentials_links.h.
 *
 * Started without a shell, in a process group of its own, with the environment and the account of this program; its input is empty.
 * It must print one JSON object, version 1, and end within a minute. What it writes to stderr is shown when it fails. Source:
 * botocore's ProcessProvider. */
#include "resources/aws/client/credentials_links.h"

#include "engine/core/clock.h"
#include "resources/aws/client/ini.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_OUTPUT_BYTES = 64 * 1024, PROCESS_MS = 60000, TICK_MS = 50 };

struct output {
    int fd; /* our end; -1: closed */
    char *bytes;
    size_t n;
    bool is_too_long;
};

/* argv[] from the setting's text, NULL-terminated. */
static char **words_of(struct sf_arena *arena, struct sf_str command)
{
    struct sf_str *words;
    size_t n;
    if (!sf_shell_words(arena, command, &words, &n) || !n)
        return NULL;
    char **argv = SF_NEW_ARRAY(arena, n + 1, char *);
    for (size_t i = 0; i < n; i++)
        argv[i] = (char *)(uintptr_t)sf_str_dup(arena, words[i]).p;
    return argv;
}

/* errno of posix_spawnp(), 0 when it runs. */
static int start(char *const *argv, const int *out, const int *said, pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    int cause = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    if (!cause)
        cause = posix_spawn_file_actions_adddup2(&files, out[1], 1);
    if (!cause)
        cause = posix_spawn_file_actions_adddup2(&files, said[1], 2);
    if (!cause)
        cause = posix_spawn_file_actions_addclosefrom_np(&files, 3);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    if (!cause)
        cause = posix_spawnp(pid, argv[0], &files, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return cause;
}

static void read_some(struct output *o)
{
    char over;
    size_t room = MAX_OUTPUT_BYTES - o->n;
    ssize_t got = read(o->fd, room ? o->bytes + o->n : &over, room ? room : 1);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (got <= 0) {
        close(o->fd);
        o->fd = -1;
    } else if (room) {
        o->n += (size_t)got;
    } else {
        o->is_too_long = true;
    }
}

/* Reads both pipes until the program has ended and what it wrote is read; what it left running may keep them open. False: too long,
 * in time or in bytes. */
static bool listen_to(pid_t pid, struct output *outputs, int64_t until, int *status)
{
    for (bool is_done = false;;) {
        struct pollfd fds[] = {{outputs[0].fd, POLLIN, 0}, {outputs[1].fd, POLLIN, 0}};
        int ready = poll(fds, SF_COUNT(fds), is_done ? 0 : TICK_MS);
        for (size_t i = 0; ready > 0 && i < SF_COUNT(fds); i++) {
            if (fds[i].revents)
                read_some(&outputs[i]);
        }
        if (outputs[0].is_too_long || outputs[1].is_too_long)
            return false;
        if (is_done && ready <= 0)
            return true;
        if (!is_done)
            is_done = waitpid(pid, status, WNOHANG) == pid;
        if (!is_done && sf_clock_ms() >= until)
            return false;
    }
}

static enum sf_code report(struct sf_cred_walk *walk, struct sf_str profile, int status, const struct output *said,
                           struct sf_err *err)
{
    struct sf_str words = sf_cred_quote(walk->arena, (struct sf_str){said->bytes, said->n});
    const char *how = WIFSIGNALED(status) ? "was ended by signal" : "failed with exit code";
    return sf_fail(err, SF_E_AUTH, "credential_process of profile '%.*s' %s %d%s%.*s", SF_ARG(profile), how,
                   WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), words.n ? ": " : "", SF_ARG(words));
}

static enum sf_code run(struct sf_cred_walk *walk, struct sf_str profile, char *const *argv, struct sf_str *printed,
                        struct sf_err *err)
{
    int out[2] = {-1, -1}, said[2] = {-1, -1}, status = 0;
    struct output outputs[2] = {{-1, sf_arena_alloc(walk->arena, MAX_OUTPUT_BYTES), 0, false},
                                {-1, sf_arena_alloc(walk->arena, MAX_OUTPUT_BYTES), 0, false}};
    int64_t until = sf_clock_ms() + PROCESS_MS;
    pid_t pid = 0;
    int cause = pipe2(out, O_CLOEXEC) || pipe2(said, O_CLOEXEC) ? errno : start(argv, out, said, &pid);
    if (out[1] >= 0)
        close(out[1]);
    if (said[1] >= 0)
        close(said[1]);
    outputs[0].fd = out[0];
    outputs[1].fd = said[0];
    enum sf_code rc = SF_OK;
    if (cause) {
        errno = cause;
        rc = sf_fail_errno(err, SF_E_AUTH, "cannot start '%s', credential_process of profile '%.*s'", argv[0], SF_ARG(profile));
    } else if (!listen_to(pid, outputs, until < walk->deadline_ms ? until : walk->deadline_ms, &status)) {
        bool is_too_long = outputs[0].is_too_long || outputs[1].is_too_long;
        kill(-pid, SIGKILL);
        waitpid(pid, &status, 0);
        rc = is_too_long
                 ? sf_fail(err, SF_E_AUTH, "credential_process of profile '%.*s' prints more than %d bytes", SF_ARG(profile),
                           (int)MAX_OUTPUT_BYTES)
                 : sf_fail(err, SF_E_UNAVAILABLE, "credential_process of profile '%.*s' did not end in time", SF_ARG(profile));
    } else if (status != 0) {
        rc = report(walk, profile, status, &outputs[1], err);
    }
    for (size_t i = 0; i < SF_COUNT(outputs); i++) {
        if (outputs[i].fd >= 0)
            close(outputs[i].fd);
    }
    *printed = (struct sf_str){outputs[0].bytes, outputs[0].n};
    return rc;
}

enum sf_code sf_cred_process(struct sf_cred_walk *walk, struct sf_str profile, struct sf_aws_credentials *found, struct sf_err *err)
{
    static const struct sf_cred_names names = {"AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"};
    struct sf_str command = sf_cred_setting(walk, profile, "credential_process"), printed;
    const struct sf_value *answer;
    if (!command.n)
        return SF_E_ABSENT;
    char **argv = words_of(walk->arena, command);
    if (!argv)
        return sf_fail(err, SF_E_CONFIG, "credential_process of profile '%.*s' leaves a quote open", SF_ARG(profile));
    enum sf_code rc = run(walk, profile, argv, &printed, err);
    const char *source = sf_str_fmt(walk->arena, "credential_process of profile '%.*s'", SF_ARG(profile)).p;
    if (!rc)
        rc = sf_cred_json(walk, printed, source, &answer, err);
    if (rc)
        return rc;
    if (sf_map_int(answer, "Version", 0) != 1)
        return sf_fail(err, SF_E_AUTH, "%s prints another version than 1", source);
    walk->renewal = sf_str_fmt(walk->arena, "sign in anew to what '%s' asks", argv[0]).p;
    return sf_cred_take(walk, answer, &names, source, found, err);
}
