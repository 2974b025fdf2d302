/* A local cluster's PostgreSQL server (postgres.h). Files are touched as the run account; processes are judged by /proc. */
#include "resources/local/postgres.h"

#include "engine/core/clock.h"
#include "resources/local/proc.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MAX_SOCKET_DIR = 107 - 16, /* "/.s.PGSQL.65535" and its NUL */
    MAX_PORT_TRIES = 200,
    STOP_WAIT_MS = 30000,
};

/* --- where things are --- */

static const char *socket_dir_of(struct sf_op *op, const char *dir)
{
    struct sf_str inside = sf_str_fmt(op->arena, "%s/run", dir);
    bool is_list = strpbrk(inside.p, ",\"") != NULL; /* to PostgreSQL, which takes several directories */
    if (inside.n <= MAX_SOCKET_DIR && !is_list) {
        return inside.p;
    }
    struct sf_str hash = sf_sha256_hex(op->arena, sf_str_of(dir));
    return sf_str_fmt(op->arena, "/tmp/sfstack-%lu-%.16s", (unsigned long)sf_territory_of(op)->run_uid, hash.p).p;
}

static bool read_lock_file(struct sf_op *op, const struct sf_postgres *pg, pid_t *pid, int *port, long *shm_id);

enum sf_code sf_postgres_load(struct sf_op *op, struct sf_str id, struct sf_postgres *pg, struct sf_err *err)
{
    *pg = (struct sf_postgres){.id = id, .dir = sf_territory_path(op, "clusters/%.*s", SF_ARG(id)), .version = ""};
    pg->data_dir = sf_str_fmt(op->arena, "%s/data", pg->dir).p;
    pg->socket_dir = socket_dir_of(op, pg->dir);
    pg->log_end = sf_postgres_log_end(op, pg);
    enum sf_code rc = sf_territory_read_meta(op, sf_str_fmt(op->arena, "%s/meta.json", pg->dir).p, &pg->meta, err);
    if (rc) {
        return rc;
    }
    pg->attrs = sf_map_getz(pg->meta, "attrs");
    pg->username = sf_str_dup(op->arena, sf_map_str(pg->attrs, "username")).p;
    pg->database = sf_str_dup(op->arena, sf_map_str(pg->attrs, "database")).p;
    pg->declared_port = (int)sf_map_int(pg->attrs, "port", SF_POSTGRES_DECLARED_PORT);
    const struct sf_value *server = NULL;
    struct sf_err ignored;
    /* a damaged server.json is as good as none: all in it is chosen anew at the next start */
    if (sf_territory_read_meta(op, sf_str_fmt(op->arena, "%s/server.json", pg->dir).p, &server, &ignored) == SF_OK) {
        int64_t port = sf_map_int(server, "port", 0);
        pg->port = port > 0 && port <= 65535 ? (int)port : 0;
        pg->version = sf_str_dup(op->arena, sf_map_str(server, "version")).p;
        pg->recorded_pid = sf_map_int(server, "pid", 0);
        pg->recorded_start = sf_map_int(server, "start_time", 0);
    }
    struct stat st;
    sf_territory_enter(op);
    pg->is_being_removed = lstat(sf_str_fmt(op->arena, "%s/removing", pg->dir).p, &st) == 0;
    sf_territory_leave(op);
    pid_t pid;
    int port;
    long shm_id;
    if (!sf_postgres_is_recorded(op, pg) && read_lock_file(op, pg, &pid, &port, &shm_id)) {
        pg->port = port;
    }
    return SF_OK;
}

int sf_postgres_data_major(struct sf_op *op, const struct sf_postgres *pg)
{
    struct sf_str text;
    int64_t major;
    struct sf_err ignored;
    if (sf_territory_read_file(op, sf_str_fmt(op->arena, "%s/PG_VERSION", pg->data_dir).p, &text, &ignored) != SF_OK ||
        !sf_str_int64(sf_str_trim(text), &major) || major < 1 || major > 1000) {
        return 0;
    }
    return (int)major;
}

enum sf_code sf_postgres_bin(struct sf_op *op, const struct sf_postgres *pg, const char **bin, struct sf_err *err)
{
    int newest = 0, major = sf_postgres_data_major(op, pg);
    *bin = sf_proc_find_postgres_bin(op->arena, &newest);
    if (!*bin) {
        sf_fail(err, SF_E_UNAVAILABLE, "cluster '%.*s' needs a PostgreSQL server, and none is installed", SF_ARG(pg->id));
        sf_hint(err, "sudo apt-get install -y --no-install-recommends postgresql (or run `make deps`)");
        return SF_E_UNAVAILABLE;
    }
    if (major == 0 || major == newest) {
        return SF_OK;
    }
    const char *own = sf_str_fmt(op->arena, "/usr/lib/postgresql/%d/bin", major).p;
    if (access(sf_str_fmt(op->arena, "%s/postgres", own).p, X_OK) == 0) {
        *bin = own;
        return SF_OK;
    }
    sf_fail(err, SF_E_CONFLICT, "cluster '%.*s' was made by PostgreSQL %d, but PostgreSQL %d is what is installed", SF_ARG(pg->id),
            major, newest);
    sf_hint(err, "make it anew with `sfapply -replace %.*s` (the data come back from the landing bucket), or install postgresql-%d",
            SF_ARG(op->self->address), major);
    return SF_E_CONFLICT;
}

/* --- processes --- */

static bool is_postgres(pid_t pid)
{
    char path[64], exe[512];
    snprintf(path, sizeof path, "/proc/%ld/exe", (long)pid);
    ssize_t n = readlink(path, exe, sizeof exe - 1);
    exe[n > 0 ? n : 0] = '\0'; /* "... (deleted)" after an upgrade of the package */
    return strstr(exe, "/postgres") != NULL;
}

/* Between giving up its memory and its working directory: a program without a file. Its sockets are still open by then. */
static bool is_dying(pid_t pid)
{
    char path[64], exe[2];
    snprintf(path, sizeof path, "/proc/%ld/exe", (long)pid);
    return readlink(path, exe, sizeof exe) < 0 && errno == ENOENT;
}

static bool is_in_data_dir(pid_t pid, const struct stat *data)
{
    char path[64];
    struct stat cwd;
    snprintf(path, sizeof path, "/proc/%ld/cwd", (long)pid);
    if (stat(path, &cwd) != 0 || cwd.st_dev != data->st_dev || cwd.st_ino != data->st_ino) {
        return false;
    }
    return is_postgres(pid) || is_dying(pid);
}

/* What postmaster.pid says: pid in line 1, port in line 4, the SysV key and id of its shared memory in line 7. */
static bool read_lock_file(struct sf_op *op, const struct sf_postgres *pg, pid_t *pid, int *port, long *shm_id)
{
    struct sf_str text;
    struct sf_err ignored;
    if (sf_territory_read_file(op, sf_str_fmt(op->arena, "%s/postmaster.pid", pg->data_dir).p, &text, &ignored) != SF_OK) {
        return false;
    }
    long value = strtol(text.p, NULL, 10), key = 0;
    const char *line = text.p;
    *port = 0;
    for (int i = 1; line && i < 7; i++) {
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
        if (line && i == 3) {
            long number = strtol(line, NULL, 10);
            *port = number > 0 && number <= 65535 ? (int)number : 0;
        }
    }
    *shm_id = -1;
    if (line && sscanf(line, "%ld %ld", &key, shm_id) != 2) {
        *shm_id = -1;
    }
    *pid = (pid_t)value;
    return value > 1 && value < INT32_MAX;
}

bool sf_postgres_is_running(struct sf_op *op, const struct sf_postgres *pg, pid_t *pid, uint64_t *start_time)
{
    struct stat data;
    pid_t found;
    int port;
    long shm_id;
    if (!read_lock_file(op, pg, &found, &port, &shm_id) || stat(pg->data_dir, &data) != 0) {
        return false;
    }
    uint64_t started = sf_proc_start_time(found);
    if (started == 0 || !is_in_data_dir(found, &data) || !sf_proc_is_alive(found, started)) {
        return false;
    }
    if (pid) {
        *pid = found;
    }
    if (start_time) {
        *start_time = started;
    }
    return true;
}

/* Whether it is an initdb, a pg_ctl or a server that is just starting for this cluster: a run of ours that was killed leaves them
 * at work, and they have not entered the data directory yet. */
static bool is_at_work_for(pid_t pid, const struct sf_postgres *pg)
{
    static const char *const tools[] = {"/initdb", "/pg_ctl", "/postgres"};
    char path[64], line[4096];
    snprintf(path, sizeof path, "/proc/%ld/cmdline", (long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, line, sizeof line - 1) : -1;
    if (fd >= 0) {
        close(fd);
    }
    if (n <= 0) {
        return false;
    }
    struct sf_str all = {line, (size_t)n};
    line[n] = '\0';
    struct sf_str program = sf_str_of(line); /* up to the first NUL */
    bool is_tool = sf_str_ends(program, SF_STR("/sh")) && sf_str_find(all, SF_STR("/postgres\" -D")) != SIZE_MAX;
    for (size_t i = 0; i < SF_COUNT(tools); i++) {
        is_tool = is_tool || sf_str_ends(program, sf_str_of(tools[i]));
    }
    return is_tool && sf_str_find(all, sf_str_of(pg->data_dir)) != SIZE_MAX;
}

/* Ends all processes of this cluster that no postmaster of its data directory rules: orphans of a killed one, tools of a killed
 * run, and a server whose data directory was removed under it. */
static enum sf_code end_orphans(const struct sf_postgres *pg, struct sf_err *err)
{
    struct stat data;
    enum sf_code rc = SF_OK;
    pid_t recorded = pg->recorded_pid > 1 && pg->recorded_pid < INT32_MAX ? (pid_t)pg->recorded_pid : 0;
    if (recorded && sf_proc_is_alive(recorded, (uint64_t)pg->recorded_start) && is_postgres(recorded)) {
        rc = sf_proc_stop(recorded, (uint64_t)pg->recorded_start, SIGQUIT, 5000, err);
    }
    bool has_data = stat(pg->data_dir, &data) == 0;
    DIR *proc = opendir("/proc");
    if (!proc) {
        return sf_fail_errno(err, SF_E_IO, "cannot list processes in /proc");
    }
    struct dirent *entry;
    while (!rc && (entry = readdir(proc)) != NULL) {
        int64_t pid;
        if (!sf_str_int64(sf_str_of(entry->d_name), &pid) || pid <= 1 ||
            !((has_data && is_in_data_dir((pid_t)pid, &data)) || is_at_work_for((pid_t)pid, pg))) {
            continue;
        }
        uint64_t started = sf_proc_start_time((pid_t)pid);
        rc = started ? sf_proc_stop((pid_t)pid, started, SIGQUIT, 2000, err) : SF_OK;
    }
    closedir(proc);
    return rc;
}

/* A killed postmaster leaves its lock file, which by then may name somebody else's process, and a shared memory segment. */
static void clear_stale_lock(struct sf_op *op, const struct sf_postgres *pg)
{
    pid_t pid;
    int port;
    long shm_id;
    if (read_lock_file(op, pg, &pid, &port, &shm_id) && shm_id >= 0) {
        struct shmid_ds segment; /* freed now, or when the last process that is dying lets go of it */
        if (shmctl((int)shm_id, IPC_STAT, &segment) == 0 && segment.shm_cpid == pid &&
            segment.shm_perm.cuid == sf_territory_of(op)->run_uid) {
            (void)shmctl((int)shm_id, IPC_RMID, NULL);
        }
    }
    sf_territory_enter(op);
    (void)unlink(sf_str_fmt(op->arena, "%s/postmaster.pid", pg->data_dir).p);
    sf_territory_leave(op);
}

/* --- the control socket's directory --- */

/* Removes socket and lock files; the directory is entered by the caller. A lock file that a killed server leaves would stop the
 * next one as long as a process of its number exists, be it a zombie. */
static void remove_socket_files(const struct sf_postgres *pg)
{
    int fd = open(pg->socket_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;
    while (dir && (entry = readdir(dir)) != NULL) {
        if (strncmp(entry->d_name, ".s.PGSQL.", 9) == 0) {
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
        }
    }
    if (dir) {
        closedir(dir);
    } else if (fd >= 0) {
        close(fd);
    }
}

/* An empty, private directory. */
static enum sf_code make_sockets_dir(struct sf_op *op, const struct sf_postgres *pg, struct sf_err *err)
{
    struct stat st;
    sf_territory_enter(op);
    bool ok = mkdir(pg->socket_dir, 0700) == 0 || errno == EEXIST;
    ok = ok && lstat(pg->socket_dir, &st) == 0;
    bool is_private = ok && S_ISDIR(st.st_mode) && st.st_uid == sf_territory_of(op)->run_uid && (st.st_mode & 077) == 0;
    if (is_private) {
        remove_socket_files(pg);
    }
    sf_territory_leave(op);
    if (!ok) {
        return sf_fail_errno(err, SF_E_IO, "cannot make the control socket's directory '%s'", pg->socket_dir);
    }
    if (!is_private) {
        sf_fail(err, SF_E_DENIED, "the control socket's directory '%s' is not a private one of account '%s'", pg->socket_dir,
                sf_territory_of(op)->run_user);
        sf_hint(err, "somebody else made it: look at it, remove it, then run again");
        return SF_E_DENIED;
    }
    return SF_OK;
}

enum sf_code sf_postgres_remove_sockets(struct sf_op *op, const struct sf_postgres *pg, struct sf_err *err)
{
    sf_territory_enter(op);
    remove_socket_files(pg);
    bool ok = rmdir(pg->socket_dir) == 0 || errno == ENOENT || errno == ENOTDIR;
    sf_territory_leave(op);
    return ok ? SF_OK : sf_fail_errno(err, SF_E_IO, "cannot remove the control socket's directory '%s'", pg->socket_dir);
}

/* --- initdb --- */

enum sf_code sf_postgres_init(struct sf_op *op, const struct sf_postgres *pg, struct sf_str password, struct sf_err *err)
{
    const char *bin;
    enum sf_code rc = sf_postgres_bin(op, pg, &bin, err);
    if (rc || sf_postgres_data_major(op, pg) != 0) {
        return rc;
    }
    const char *fresh = sf_str_fmt(op->arena, "%s/data.new", pg->dir).p;
    const char *secret = sf_str_fmt(op->arena, "%s/password", pg->dir).p;
    rc = end_orphans(pg, err); /* an initdb of a run that was killed may be at work on it */
    if (!rc) {
        rc = sf_territory_remove_tree(op, fresh, err);
    }
    if (!rc) {
        rc = sf_territory_remove_tree(op, pg->data_dir, err); /* one without PG_VERSION is nothing PostgreSQL could use */
    }
    if (!rc) {
        rc = sf_op_intent(op, "initdb", err);
    }
    if (!rc) {
        rc = sf_territory_write_file(op, secret, sf_str_fmt(op->arena, "%.*s\n", SF_ARG(password)), 0600, err);
    }
    if (rc) {
        return rc;
    }
    const char *const argv[] = {
        sf_str_fmt(op->arena, "%s/initdb", bin).p,
        sf_str_fmt(op->arena, "--pgdata=%s", fresh).p,
        sf_str_fmt(op->arena, "--username=%s", pg->username).p,
        sf_str_fmt(op->arena, "--pwfile=%s", secret).p,
        "--locale=C.UTF-8",
        "--encoding=UTF8",
        "--auth-local=peer",
        "--auth-host=scram-sha-256",
        "--no-sync", /* one syncfs() below instead of an fsync for each of a thousand files */
        NULL,
    };
    int status = 0;
    struct sf_str output;
    struct sf_proc_spec spec = {.argv = argv, .dir = pg->dir, .as_run_account = true};
    rc = sf_proc_run(op, &spec, &status, &output, err);
    struct sf_err unlinked;
    enum sf_code cleaned = sf_territory_remove_tree(op, secret, &unlinked);
    if (!rc && cleaned) {
        rc = cleaned;
        if (err) {
            *err = unlinked;
        }
    }
    if (!rc && status != 0) {
        struct sf_str tail = sf_str_trim(output);
        size_t cut = tail.n;
        while (cut > 0 && tail.p[cut - 1] != '\n') {
            cut--;
        }
        rc =
            sf_fail(err, SF_E_IO, "initdb of cluster '%.*s' failed: %.*s", SF_ARG(pg->id), SF_ARG(sf_str_slice(tail, cut, tail.n)));
        sf_hint(err, "free space and the rights on '%s' are the usual causes; running again starts over", pg->dir);
    }
    if (rc) {
        return rc;
    }
    sf_territory_enter(op);
    int fd = open(fresh, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool ok = fd >= 0 && syncfs(fd) == 0 && rename(fresh, pg->data_dir) == 0;
    if (fd >= 0) {
        close(fd);
    }
    sf_territory_leave(op);
    return ok ? SF_OK : sf_fail_errno(err, SF_E_IO, "cannot put '%s' in its place", pg->data_dir);
}

/* --- start and stop --- */

/* Whether a server could listen there now; a machine without that address family has nothing in the way. */
static bool can_listen(int family, const void *address, socklen_t size)
{
    int on = 1, fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return true;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    }
    bool can = (bind(fd, address, size) == 0 && listen(fd, 1) == 0) || errno == EADDRNOTAVAIL;
    close(fd);
    return can;
}

static bool is_port_free(const char *addresses, int port)
{
    bool is_wide = strstr(addresses, "0.0.0.0") != NULL, is_wide6 = sf_str_ends(sf_str_of(addresses), SF_STR(",::"));
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    v4.sin_addr.s_addr = htonl(is_wide ? INADDR_ANY : INADDR_LOOPBACK);
    v6.sin6_addr = is_wide6 ? in6addr_any : in6addr_loopback;
    return can_listen(AF_INET, &v4, sizeof v4) && (!strchr(addresses, ':') || can_listen(AF_INET6, &v6, sizeof v6));
}

static enum sf_code record_server(struct sf_op *op, const struct sf_postgres *pg, pid_t pid, uint64_t start_time,
                                  struct sf_err *err)
{
    struct sf_value *server = sf_value_map(op->arena);
    sf_map_set_int(op->arena, server, "port", pg->port);
    sf_map_set_str(op->arena, server, "version", sf_str_of(pg->version));
    sf_map_set_int(op->arena, server, "pid", pid);
    sf_map_set_int(op->arena, server, "start_time", (int64_t)start_time);
    struct sf_str text = sf_json_text(op->arena, server, SF_JSON_STATE);
    return sf_territory_write_file(op, sf_str_fmt(op->arena, "%s/server.json", pg->dir).p, text, 0600, err);
}

static enum sf_code fail_start(struct sf_op *op, const struct sf_postgres *pg, struct sf_err *err)
{
    struct sf_str reason = sf_postgres_reason(op, pg);
    sf_fail(err, SF_E_UNAVAILABLE, "cluster '%.*s' did not start: %.*s", SF_ARG(pg->id),
            SF_ARG(reason.n ? reason : SF_STR("its log says no reason")));
    sf_hint(err, "see %s", sf_postgres_log(op, pg));
    return sf_postgres_full(pg, reason, SF_E_UNAVAILABLE, err);
}

static enum sf_code launch(struct sf_op *op, const struct sf_postgres *pg, const char *bin, int *status, struct sf_err *err)
{
    int64_t left_s = op->deadline_ms > 0 ? (op->deadline_ms - sf_clock_ms()) / 1000 : 60;
    const char *const argv[] = {
        sf_str_fmt(op->arena, "%s/pg_ctl", bin).p,
        "start",
        "--silent",
        "--wait",
        sf_str_fmt(op->arena, "--timeout=%lld", (long long)(left_s > 1 ? left_s : 1)).p,
        sf_str_fmt(op->arena, "--pgdata=%s", pg->data_dir).p,
        sf_str_fmt(op->arena, "--log=%s", sf_postgres_log(op, pg)).p,
        NULL,
    };
    struct sf_proc_spec spec = {.argv = argv, .dir = pg->dir, .as_run_account = true};
    return sf_proc_run(op, &spec, status, NULL, err);
}

/* The server's own idea of its version: "15.20". */
static void ask_version(struct sf_op *op, struct sf_postgres *pg)
{
    struct sf_pg *conn = NULL;
    const struct sf_value *rows = NULL;
    struct sf_err ignored;
    if (sf_postgres_connect(op, pg, "postgres", true, &conn, &ignored) != SF_OK) {
        return;
    }
    if (sf_pg_exec(conn, SF_STR("SELECT split_part(current_setting('server_version'), ' ', 1)"), &rows, &ignored) == SF_OK &&
        rows->list.n == 1) {
        pg->version = rows->list.items[0]->list.items[0]->s.p;
    }
    sf_pg_close(conn);
}

bool sf_postgres_is_recorded(struct sf_op *op, const struct sf_postgres *pg)
{
    pid_t pid;
    uint64_t start_time;
    return !sf_postgres_is_running(op, pg, &pid, &start_time) ||
           (pg->port > 0 && pg->recorded_pid == pid && pg->recorded_start == (int64_t)start_time);
}

enum sf_code sf_postgres_start(struct sf_op *op, struct sf_postgres *pg, struct sf_err *err)
{
    const char *bin;
    pid_t pid;
    uint64_t start_time;
    if (sf_postgres_is_running(op, pg, &pid, &start_time)) {
        if (sf_postgres_is_recorded(op, pg)) {
            return SF_OK;
        }
        ask_version(op, pg); /* sf_postgres_load() took the port from the running server */
        return record_server(op, pg, pid, start_time, err);
    }
    enum sf_code rc = sf_postgres_bin(op, pg, &bin, err);
    if (!rc) {
        rc = end_orphans(pg, err);
    }
    if (!rc) {
        clear_stale_lock(op, pg);
        rc = make_sockets_dir(op, pg, err);
    }
    if (!rc) {
        rc = sf_op_intent(op, "start postgres", err);
    }
    int first = pg->port ? pg->port : pg->declared_port;
    pg->port = first;
    for (int tries = 0; !rc; tries++) {
        bool changed;
        int status = 0;
        if (tries == MAX_PORT_TRIES || pg->port > 65535) {
            sf_fail(err, SF_E_UNAVAILABLE, "no port from %d on is free for cluster '%.*s'", first, SF_ARG(pg->id));
            sf_hint(err, "ask for another one with `port:`");
            return SF_E_UNAVAILABLE;
        }
        rc = sf_postgres_configure(op, pg, &changed, err);
        const char *addresses = rc ? NULL : sf_postgres_listen_on_disk(op, pg);
        if (rc || !addresses || !is_port_free(addresses, pg->port)) {
            pg->port++;
            continue;
        }
        pg->log_end = sf_postgres_log_end(op, pg);
        rc = launch(op, pg, bin, &status, err);
        bool is_half = !rc && status == 0 && sf_postgres_has_logged(op, pg, "Address already in use");
        if (rc || (status == 0 && !is_half)) {
            break;
        }
        if (is_half) { /* it is content with one of its addresses, while a client finds somebody else at the other */
            rc = sf_postgres_stop(op, pg, SIGQUIT, err);
        } else if (is_port_free(addresses, pg->port)) {
            return fail_start(op, pg, err);
        }
        pg->port++; /* somebody took it in between */
    }
    if (rc) {
        return rc;
    }
    if (pg->port != first) {
        sf_op_warn(op, "port %d is taken; cluster '%.*s' listens on %d instead, and keeps it", first, SF_ARG(pg->id), pg->port);
    }
    if (!sf_postgres_is_running(op, pg, &pid, &start_time)) {
        return fail_start(op, pg, err);
    }
    ask_version(op, pg);
    return record_server(op, pg, pid, start_time, err);
}

enum sf_code sf_postgres_stop(struct sf_op *op, const struct sf_postgres *pg, int sig, struct sf_err *err)
{
    pid_t pid;
    uint64_t start_time;
    enum sf_code rc = SF_OK;
    if (sf_postgres_is_running(op, pg, &pid, &start_time)) {
        rc = sf_proc_stop(pid, start_time, sig, STOP_WAIT_MS, err);
    }
    if (!rc) {
        rc = end_orphans(pg, err);
    }
    if (!rc) {
        clear_stale_lock(op, pg);
    }
    return rc;
}

/* --- engine control --- */

static bool is_op_cancelled(void *ctx)
{
    return sf_op_is_cancelled(ctx);
}

static void pass_warning(void *ctx, const char *message)
{
    sf_op_warn(ctx, "%s", message);
}

enum sf_code sf_postgres_connect(struct sf_op *op, const struct sf_postgres *pg, const char *database, bool is_read_only,
                                 struct sf_pg **conn, struct sf_err *err)
{
    struct sf_pg_target target = {
        .host = pg->socket_dir,
        .port = pg->port,
        .user = pg->username,
        .database = database,
        .application_name = "sfstack control",
        .is_read_only = is_read_only,
        .deadline_ms = op->deadline_ms > 0 ? op->deadline_ms : sf_clock_ms() + 60000,
        .is_cancelled = is_op_cancelled,
        .warn = pass_warning,
        .ctx = op,
    };
    enum sf_code rc = pg->port ? sf_pg_open(op->arena, &target, conn, err)
                               : sf_fail(err, SF_E_UNAVAILABLE, "cluster '%.*s' has never been started", SF_ARG(pg->id));
    if (rc == SF_E_UNAVAILABLE) {
        sf_context(err, "cluster '%.*s' cannot be asked", SF_ARG(pg->id));
        sf_hint(err, "sfapply starts it, unless the stack says `running: false`");
    }
    return rc;
}
