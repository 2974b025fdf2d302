/* See proftpd.h. */
#include "resources/local/proftpd.h"

#include "attr/sftp_server.h"
#include "engine/core/clock.h"
#include "resources/local/confine.h"
#include "resources/local/proc.h"
#include "resources/local/sftp_access.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MODULES_DIR "/usr/lib/proftpd"

enum {
    MAX_PORT_TRIES = 100,
    LISTEN_MS = 10000,
    RELOAD_MS = 5000,
    STOP_MS = 5000,
    NAP_MS = 5,
    MAX_SESSIONS = 1024,
    LOG_TAIL_BYTES = 4096
};

static void nap(void)
{
    poll(NULL, 0, NAP_MS);
}

/* --- what is recorded --- */

enum sf_code sf_proftpd_load(struct sf_op *op, struct sf_str id, struct sf_proftpd *p, struct sf_err *err)
{
    struct sf_str text;
    const struct sf_value *server;
    if (id.n != 19 || !sf_str_starts(id, SF_STR("s-")) || memchr(id.p, '/', id.n) || memchr(id.p, '.', id.n))
        return sf_fail(err, SF_E_ABSENT, "'%.*s' is no SFTP server's id", SF_ARG(id));
    *p = (struct sf_proftpd){.id = sf_str_dup(op->arena, id)};
    p->dir = sf_territory_path(op, "sftp/%.*s", SF_ARG(p->id));
    enum sf_code rc = sf_territory_read_meta(op, sf_str_fmt(op->arena, "%s/meta.json", p->dir).p, &p->meta, err);
    if (rc)
        return rc;
    p->attrs = sf_map_getz(p->meta, "attrs");
    p->address = sf_map_str(p->attrs, SFTP_SERVER_ADDRESS);
    struct in_addr ignored;
    if (!p->address.n || inet_pton(AF_INET, sf_str_dup(op->arena, p->address).p, &ignored) != 1)
        p->address = SF_STR("127.0.0.1"); /* the file was edited: never wider than this */
    p->declared_port = (int)sf_map_int(p->attrs, SFTP_SERVER_PORT, SF_PROFTPD_DECLARED_PORT);
    const char *path = sf_str_fmt(op->arena, "%s/server.json", p->dir).p;
    if (sf_territory_read_file(op, path, &text, NULL) != SF_OK ||
        sf_json_parse(op->arena, text, path, SF_JSON_STATE, &server, NULL) != SF_OK)
        return SF_OK;
    int64_t port = sf_map_int(server, "port", 0), pid = sf_map_int(server, "pid", 0);
    p->port = port > 0 && port <= 65535 ? (int)port : 0;
    p->pid = pid > 1 && pid <= INT32_MAX ? (pid_t)pid : 0;
    p->start_time = (uint64_t)sf_map_int(server, "start_time", 0);
    return SF_OK;
}

static enum sf_code record(struct sf_op *op, const struct sf_proftpd *p, struct sf_err *err)
{
    struct sf_value *server = sf_value_map(op->arena);
    sf_map_set_int(op->arena, server, "port", p->port);
    sf_map_set_int(op->arena, server, "pid", p->pid);
    sf_map_set_int(op->arena, server, "start_time", (int64_t)p->start_time);
    return sf_territory_write_file(op, sf_str_fmt(op->arena, "%s/server.json", p->dir).p,
                                   sf_json_text(op->arena, server, SF_JSON_STATE), 0600, err);
}

/* --- processes, as the kernel shows them --- */

/* ProFTPD makes itself undumpable, so an ordinary user cannot look into /proc/PID/fd even of a server of its own. What can be
 * seen of any process is its title, owner and start, and in /proc/net its user's sockets. */
static bool has_title(pid_t pid, const char *start, char *title, size_t size)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%ld/cmdline", (long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, title, size - 1) : 0;
    if (fd >= 0)
        close(fd);
    title[n > 0 ? n : 0] = 0;
    return strncmp(title, start, strlen(start)) == 0;
}

/* Whether `pid`, read from the pid file, is the process that wrote it: a ProFTPD of the run account that was started in the minute
 * before. A number that was given to another process since then is not. */
static bool wrote_pid_file(struct sf_op *op, const char *path, pid_t pid, uint64_t start_time)
{
    char title[256], proc[64];
    struct stat file, process;
    struct timespec wall, boot;
    snprintf(proc, sizeof(proc), "/proc/%ld/stat", (long)pid);
    sf_territory_enter(op);
    bool is_there = lstat(path, &file) == 0 && S_ISREG(file.st_mode);
    sf_territory_leave(op);
    /* undumpable: its files in /proc are root's, its status is not */
    if (!is_there || !has_title(pid, "proftpd", title, sizeof(title)) || stat(proc, &process) != 0 || !start_time)
        return false;
    clock_gettime(CLOCK_REALTIME, &wall);
    clock_gettime(CLOCK_BOOTTIME, &boot);
    int64_t started_s = (int64_t)wall.tv_sec - (int64_t)boot.tv_sec + (int64_t)start_time / sysconf(_SC_CLK_TCK);
    return file.st_mtime + 2 >= started_s && file.st_mtime <= started_s + 60;
}

bool sf_proftpd_is_running(struct sf_op *op, struct sf_proftpd *p)
{
    struct sf_str text;
    int64_t pid;
    if (p->pid && sf_proc_is_alive(p->pid, p->start_time))
        return true;
    /* started, but the record is of an earlier life: its own pid file tells */
    const char *path = sf_str_fmt(op->arena, "%s/proftpd.pid", p->dir).p;
    if (sf_territory_read_file(op, path, &text, NULL) != SF_OK || !sf_str_int64(sf_str_trim(text), &pid) || pid <= 1 ||
        pid > INT32_MAX)
        return false;
    uint64_t start_time = sf_proc_start_time((pid_t)pid);
    if (!sf_proc_is_alive((pid_t)pid, start_time) || !wrote_pid_file(op, path, (pid_t)pid, start_time))
        return false;
    p->pid = (pid_t)pid;
    p->start_time = start_time;
    return true;
}

enum { MAX_LISTENERS = 16 };

/* Addresses of the listening sockets of the run account on the server's port; an IPv6 one counts as one on everything. */
static size_t listeners(struct sf_op *op, const struct sf_proftpd *p, struct in_addr *found)
{
    static const char *const tables[] = {"/proc/net/tcp", "/proc/net/tcp6"};
    size_t n = 0;
    for (size_t t = 0; t < SF_COUNT(tables); t++) {
        FILE *file = fopen(tables[t], "re");
        char line[512], hex[64];
        unsigned port, state, uid;
        while (file && n < MAX_LISTENERS && fgets(line, sizeof(line), file)) {
            if (sscanf(line, " %*d: %63[0-9A-Fa-f]:%x %*s %x %*s %*s %*s %u", hex, &port, &state, &uid) != 4 || state != 0x0a ||
                (int)port != p->port || uid != sf_territory_of(op)->run_uid)
                continue;
            uint32_t word = t == 0 ? (uint32_t)strtoul(hex, NULL, 16) : INADDR_ANY;
            found[n++] = (struct in_addr){.s_addr = word};
        }
        if (file)
            fclose(file);
    }
    return n;
}

struct sf_str sf_proftpd_listening(struct sf_op *op, struct sf_proftpd *p)
{
    struct in_addr found[MAX_LISTENERS];
    size_t n = sf_proftpd_is_running(op, p) ? listeners(op, p, found) : 0;
    struct sf_str text = SF_STR("");
    for (size_t i = 0; i < n; i++) {
        char address[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &found[i], address, sizeof(address));
        text = sf_str_fmt(op->arena, "%.*s%s%s", SF_ARG(text), i ? "," : "", address);
    }
    return text;
}

struct session {
    pid_t pid;
    uint64_t start_time;
    char title[256]; /* "proftpd: NAME - HOST: ..." once logged in */
};

static pid_t parent_of(pid_t pid)
{
    char path[64], text[512];
    snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC), parent = 0;
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = 0;
    const char *end = strrchr(text, ')');
    return end && sscanf(end + 1, " %*c %d", &parent) == 1 ? (pid_t)parent : 0;
}

static size_t sessions(const struct sf_proftpd *p, struct session *list, size_t max)
{
    DIR *dir = opendir("/proc");
    struct dirent *entry;
    size_t n = 0;
    while (dir && n < max && (entry = readdir(dir)) != NULL) {
        int64_t pid;
        if (!sf_str_int64(sf_str_of(entry->d_name), &pid) || parent_of((pid_t)pid) != p->pid)
            continue;
        struct session *s = &list[n];
        *s = (struct session){.pid = (pid_t)pid, .start_time = sf_proc_start_time((pid_t)pid)};
        has_title(s->pid, "", s->title, sizeof(s->title));
        if (s->start_time)
            n++;
    }
    if (dir)
        closedir(dir);
    return n;
}

static bool is_of_user(struct sf_op *op, const struct session *s, struct sf_str user)
{
    return sf_str_starts(sf_str_of(s->title), sf_str_fmt(op->arena, "proftpd: %.*s - ", SF_ARG(user)));
}

/* What is not the session of a known user is one that may still log in with the old rules, or whose title was cut. */
static bool is_logged_in(const struct session *s)
{
    struct sf_str title = sf_str_of(s->title);
    return sf_str_starts(title, SF_STR("proftpd: ")) && sf_str_find(title, SF_STR(" - ")) != SIZE_MAX;
}

void sf_proftpd_end_sessions(struct sf_op *op, const struct sf_proftpd *p, const struct sf_str *users, size_t n)
{
    struct session *list = SF_NEW_ARRAY(op->arena, MAX_SESSIONS, struct session);
    size_t n_list = p->pid ? sessions(p, list, MAX_SESSIONS) : 0;
    for (size_t i = 0; i < n_list; i++) {
        bool is_ended = !is_logged_in(&list[i]);
        for (size_t k = 0; k < n && !is_ended; k++)
            is_ended = is_of_user(op, &list[i], users[k]);
        /* one that is gone already is as good */
        if (is_ended && sf_proc_stop(list[i].pid, list[i].start_time, SIGTERM, STOP_MS, NULL) != SF_OK)
            sf_op_warn(op, "session %ld of SFTP server '%.*s' does not end", (long)list[i].pid, SF_ARG(p->id));
    }
}

/* --- start, reload, stop --- */

static bool is_port_free(struct sf_op *op, const struct sf_proftpd *p)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)p->port)};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    inet_pton(AF_INET, sf_str_dup(op->arena, p->address).p, &address.sin_addr);
    bool is_free = bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 1) == 0;
    /* an address that this machine does not have is the server's to report */
    is_free = is_free || errno == EADDRNOTAVAIL;
    close(fd);
    return is_free;
}

/* The last line of the log, for the person who has to mend it. */
static struct sf_str last_log_line(struct sf_op *op, const struct sf_proftpd *p)
{
    char *bytes = sf_arena_alloc(op->arena, LOG_TAIL_BYTES + 1);
    sf_territory_enter(op);
    int fd = open(sf_str_fmt(op->arena, "%s/log", p->dir).p, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    sf_territory_leave(op);
    if (fd < 0)
        return SF_STR_NONE;
    off_t size = lseek(fd, 0, SEEK_END);
    ssize_t n = size >= 0 ? pread(fd, bytes, LOG_TAIL_BYTES, size > LOG_TAIL_BYTES ? size - LOG_TAIL_BYTES : 0) : 0;
    close(fd);
    struct sf_str line = sf_str_trim((struct sf_str){bytes, n > 0 ? (size_t)n : 0});
    for (size_t i = line.n; i > 0; i--) {
        if (line.p[i - 1] == '\n')
            return sf_str_slice(line, i, line.n);
    }
    return line;
}

static enum sf_code fail_start(struct sf_op *op, const struct sf_proftpd *p, struct sf_str said, struct sf_err *err)
{
    said = sf_str_trim(said).n ? sf_str_trim(said) : last_log_line(op, p);
    sf_fail(err, SF_E_UNAVAILABLE, "SFTP server '%.*s' did not start: %.*s", SF_ARG(p->id), (int)(said.n > 600 ? 600 : said.n),
            said.p ? said.p : "");
    sf_hint(err, "its log is %s/log; are proftpd-core, proftpd-mod-crypto and proftpd-mod-vroot installed?", p->dir);
    return SF_E_UNAVAILABLE;
}

const char *sf_proftpd_program(struct sf_op *op, struct sf_err *err)
{
    static const struct {
        const char *file, *package;
    } modules[] = {{"mod_sftp", "proftpd-mod-crypto"}, {"mod_vroot", "proftpd-mod-vroot"}};
    const char *program = sf_proc_find_program(op->arena, "proftpd"), *missing = NULL;
    if (!program)
        missing = "proftpd";
    /* where Debian has them; elsewhere the server's own message has to do */
    for (size_t i = 0; !missing && access(MODULES_DIR, X_OK) == 0 && i < SF_COUNT(modules); i++)
        if (access(sf_str_fmt(op->arena, MODULES_DIR "/%s.so", modules[i].file).p, R_OK) != 0)
            missing = sf_str_fmt(op->arena, "proftpd's module %s (package %s)", modules[i].file, modules[i].package).p;
    if (!missing)
        return program;
    sf_fail(err, SF_E_UNAVAILABLE, "%s is not installed", missing);
    sf_hint(err,
            "sudo apt-get install proftpd-core proftpd-mod-crypto proftpd-mod-vroot (`make deps` does, and starts no service)");
    return NULL;
}

/* Until it listens, on what it was told and nothing else. *is_up stays false when it does not come up. */
static enum sf_code wait_until_up(struct sf_op *op, struct sf_proftpd *p, bool *is_up, struct sf_err *err)
{
    *is_up = false;
    for (int64_t until = sf_clock_ms() + LISTEN_MS; sf_clock_ms() < until; nap()) {
        struct sf_str where = sf_proftpd_listening(op, p);
        if (!where.n)
            continue;
        *is_up = true;
        if (sf_str_eq(where, p->address))
            return SF_OK;
        return sf_fail(err, SF_E_INTERNAL, "SFTP server '%.*s' listens on %.*s port %d instead of %.*s", SF_ARG(p->id),
                       SF_ARG(where), p->port, SF_ARG(p->address));
    }
    return sf_proftpd_is_running(op, p) ? sf_proc_stop(p->pid, p->start_time, SIGTERM, STOP_MS, err) : SF_OK;
}

static enum sf_code launch(struct sf_op *op, struct sf_proftpd *p, const char *program, bool *is_up, struct sf_str *said,
                           struct sf_err *err)
{
    struct sf_str conf = sf_str_fmt(op->arena, "%s/proftpd.conf", p->dir);
    const char *const argv[] = {program, "-q", "-c", conf.p, NULL};
    struct sf_proc_spec spec = {.argv = argv, .dir = p->dir, .as_run_account = true};
    /* all buckets, also those that are made later: a fence cannot be widened */
    const char *const writable[] = {p->dir, sf_territory_path(op, "buckets"), NULL};
    struct sf_confinement confinement = {.program = program, .writable = writable};
    int status = 0;
    *is_up = false;
    p->pid = 0;
    enum sf_code rc = sf_territory_remove_tree(op, sf_str_fmt(op->arena, "%s/proftpd.pid", p->dir).p, err);
    if (rc == SF_OK)
        rc = sf_territory_mkdir(op, writable[1], 0700, err);
    if (rc == SF_OK)
        rc = sf_confine_run(op, &confinement, &spec, &status, said, err);
    if (rc || status != 0)
        return rc;
    return wait_until_up(op, p, is_up, err);
}

enum sf_code sf_proftpd_start(struct sf_op *op, struct sf_proftpd *p, struct sf_err *err)
{
    if (sf_proftpd_is_running(op, p))
        return SF_OK;
    const char *program = sf_proftpd_program(op, err);
    if (!program)
        return SF_E_UNAVAILABLE;
    enum sf_code rc = sf_op_intent(op, "start proftpd", err);
    int first = p->port ? p->port : p->declared_port;
    p->port = first;
    for (int tries = 0; rc == SF_OK; tries++, p->port++) {
        struct sf_str *users, said = SF_STR_NONE;
        size_t n;
        bool is_unread, is_up;
        if (tries == MAX_PORT_TRIES || p->port > 65535) {
            sf_fail(err, SF_E_UNAVAILABLE, "no port from %d on is free for SFTP server '%.*s'", first, SF_ARG(p->id));
            sf_hint(err, "ask for another one with `port:`");
            return SF_E_UNAVAILABLE;
        }
        if (!is_port_free(op, p))
            continue;
        rc = sf_sftp_write_access(op, p, &is_unread, &users, &n, err);
        if (rc == SF_OK)
            rc = launch(op, p, program, &is_up, &said, err);
        if (rc)
            break;
        if (is_up) {
            if (p->port != first)
                sf_op_warn(op, "port %d is taken; SFTP server '%.*s' listens on %d instead, and keeps it", first, SF_ARG(p->id),
                           p->port);
            rc = record(op, p, err);
            return rc ? rc : sf_sftp_confirm_access(op, p, err);
        }
        if (is_port_free(op, p))
            return fail_start(op, p, said, err);
        /* somebody took it in between: the next one */
    }
    return rc;
}

enum sf_code sf_proftpd_stop(struct sf_op *op, struct sf_proftpd *p, struct sf_err *err)
{
    if (!sf_proftpd_is_running(op, p))
        return SF_OK;
    struct session *list = SF_NEW_ARRAY(op->arena, MAX_SESSIONS, struct session);
    size_t n = sessions(p, list, MAX_SESSIONS);
    enum sf_code rc = sf_op_intent(op, "stop proftpd", err);
    if (rc == SF_OK)
        rc = sf_proc_stop(p->pid, p->start_time, SIGTERM, STOP_MS, err);
    for (size_t i = 0; i < n && rc == SF_OK; i++)
        rc = sf_proc_stop(list[i].pid, list[i].start_time, SIGTERM, STOP_MS, err);
    if (rc)
        return rc;
    p->pid = 0;
    p->start_time = 0;
    return record(op, p, err);
}

/* Connects and reads the greeting, up to its line end. Empty when nobody answers within a moment. */
static struct sf_str greeting(struct sf_op *op, const struct sf_proftpd *p)
{
    char line[256];
    size_t n = 0;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)p->port)};
    inet_pton(AF_INET, sf_str_dup(op->arena, p->address).p, &address.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {.tv_sec = 1};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
        while (n < sizeof(line) && recv(fd, line + n, 1, 0) == 1 && line[n] != '\n')
            n++;
    }
    if (fd >= 0)
        close(fd);
    return sf_str_dup(op->arena, sf_str_trim((struct sf_str){line, n}));
}

enum sf_code sf_proftpd_reload(struct sf_op *op, struct sf_proftpd *p, struct sf_err *err)
{
    struct sf_str text;
    if (!sf_proftpd_is_running(op, p))
        return SF_OK;
    enum sf_code rc = sf_territory_read_file(op, sf_str_fmt(op->arena, "%s/proftpd.conf", p->dir).p, &text, err);
    if (rc)
        return rc;
    if (kill(p->pid, SIGHUP) != 0 && errno != ESRCH)
        return sf_fail_errno(err, SF_E_DENIED, "cannot make SFTP server '%.*s' (process %ld) read its configuration", SF_ARG(p->id),
                             (long)p->pid);
    struct sf_str wanted = sf_str_fmt(op->arena, "SSH-2.0-%.*s", SF_ARG(sf_sftp_conf_ident(text)));
    for (int64_t until = sf_clock_ms() + RELOAD_MS; sf_clock_ms() < until; nap()) {
        if (sf_str_eq(greeting(op, p), wanted))
            return SF_OK;
        if (!sf_proc_is_alive(p->pid, p->start_time)) {
            sf_fail(err, SF_E_UNAVAILABLE, "SFTP server '%.*s' ended while it read its configuration: %.*s", SF_ARG(p->id),
                    SF_ARG(last_log_line(op, p)));
            sf_hint(err, "run sfapply again: it is started anew");
            return SF_E_UNAVAILABLE;
        }
    }
    return sf_fail(err, SF_E_UNKNOWN, "SFTP server '%.*s' did not read its configuration in time", SF_ARG(p->id));
}
