/* See sftp.h. libssh2 in blocking mode with a timeout set before each call from what is left of the deadline: straight-line
 * code, one place where its errors become ours (fail()). */
#include "resources/net/sftp.h"

#include "engine/core/clock.h"
#include "resources/net/sftp_methods.h"

#include <errno.h>
#include <fcntl.h>
#include <libssh2.h>
#include <libssh2_sftp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* libssh2 keeps as many bytes in flight as one call is given (src/sftp.c), so speed over a long line follows from this. */
enum {
    WINDOW_BYTES = 2 * 1024 * 1024,
    DEFAULT_MS = 30000,
    STALL_MS = 120 * 1000, /* without an answer; a window goes over the slowest of lines in less */
    CLOSE_MS = 2000,
    MAX_LIST = 1000000
};

struct sf_sftp {
    struct sf_arena *arena;
    LIBSSH2_SESSION *ssh;
    LIBSSH2_SFTP *sftp;
    int fd;
    bool is_broken; /* a call timed out or the line is gone: do not talk on it any more */
    const struct sf_sftp_target *target;
    char where[300]; /* "sftp://host:port" */
    int64_t deadline_ms;
    char *window; /* of put_file */
};

static const struct {
    unsigned long status;
    const char *name, *text;
} statuses[] = {
    {LIBSSH2_FX_EOF, "SSH_FX_EOF", "end of file"},
    {LIBSSH2_FX_NO_SUCH_FILE, "SSH_FX_NO_SUCH_FILE", "no such file"},
    {LIBSSH2_FX_PERMISSION_DENIED, "SSH_FX_PERMISSION_DENIED", "permission denied"},
    {LIBSSH2_FX_FAILURE, "SSH_FX_FAILURE", "failure"},
    {LIBSSH2_FX_BAD_MESSAGE, "SSH_FX_BAD_MESSAGE", "bad message"},
    {LIBSSH2_FX_NO_CONNECTION, "SSH_FX_NO_CONNECTION", "no connection"},
    {LIBSSH2_FX_CONNECTION_LOST, "SSH_FX_CONNECTION_LOST", "connection lost"},
    {LIBSSH2_FX_OP_UNSUPPORTED, "SSH_FX_OP_UNSUPPORTED", "operation not supported"},
    {LIBSSH2_FX_FILE_ALREADY_EXISTS, "SSH_FX_FILE_ALREADY_EXISTS", "file exists already"},
    {LIBSSH2_FX_NO_SPACE_ON_FILESYSTEM, "SSH_FX_NO_SPACE_ON_FILESYSTEM", "no space left"},
    {LIBSSH2_FX_QUOTA_EXCEEDED, "SSH_FX_QUOTA_EXCEEDED", "quota exceeded"},
    {LIBSSH2_FX_DIR_NOT_EMPTY, "SSH_FX_DIR_NOT_EMPTY", "directory not empty"},
};

static void init_library(void)
{
    libssh2_init(0);
}

/* --- errors --- */

static enum sf_code fail_status(struct sf_sftp *s, const char *what, struct sf_str path, struct sf_err *err)
{
    unsigned long status = libssh2_sftp_last_error(s->sftp);
    const char *name = "SSH_FX_OTHER", *text = "refused";
    for (size_t i = 0; i < SF_COUNT(statuses); i++) {
        if (statuses[i].status == status) {
            name = statuses[i].name;
            text = statuses[i].text;
        }
    }
    enum sf_code code = status == LIBSSH2_FX_NO_SUCH_FILE        ? SF_E_ABSENT
                        : status == LIBSSH2_FX_PERMISSION_DENIED ? SF_E_DENIED
                                                                 : SF_E_REFUSED;
    sf_fail(err, code, "cannot %s '%.*s' on %s: %s (%s)", what, SF_ARG(path), s->where, text, name);
    if (err)
        snprintf(err->remote_code, sizeof(err->remote_code), "%s", name);
    if (code == SF_E_DENIED)
        sf_hint(err, "what user '%.*s' may do there is decided by the policies of its role", SF_ARG(s->target->user));
    if (status == LIBSSH2_FX_NO_SPACE_ON_FILESYSTEM || status == LIBSSH2_FX_QUOTA_EXCEEDED)
        sf_hint(err, "free some space there, then run again");
    return code;
}

/* The only place where libssh2's errors of a session in use become ours. */
static enum sf_code fail(struct sf_sftp *s, const char *what, struct sf_str path, struct sf_err *err)
{
    char *text = NULL;
    int cause = libssh2_session_last_error(s->ssh, &text, NULL, 0);
    if (cause == LIBSSH2_ERROR_SFTP_PROTOCOL && libssh2_sftp_last_error(s->sftp) != LIBSSH2_FX_OK)
        return fail_status(s, what, path, err);
    s->is_broken = true;
    bool is_late = cause == LIBSSH2_ERROR_TIMEOUT;
    sf_fail(err, SF_E_UNKNOWN, "lost %s while trying to %s '%.*s': %s", s->where, what, SF_ARG(path),
            is_late         ? "no answer in time"
            : text && *text ? text
                            : "connection lost");
    if (err)
        snprintf(err->remote_code, sizeof(err->remote_code), "libssh2:%d", cause);
    sf_hint(err, "whether it came true is found out by the next run: run again");
    return SF_E_UNKNOWN;
}

/* Sets how long a call may take: what is left of the time, but no longer than a server that is there could be silent. */
static void set_timeout(struct sf_sftp *s)
{
    int64_t left = s->deadline_ms - sf_clock_ms();
    libssh2_session_set_timeout(s->ssh, (long)(left > STALL_MS ? STALL_MS : left > 1 ? left : 1));
}

/* Before every call. */
static enum sf_code begin(struct sf_sftp *s, const char *what, struct sf_str path, struct sf_err *err)
{
    if (memchr(path.p ? path.p : "", 0, path.n) || path.n > 4096)
        return sf_fail(err, SF_E_REFUSED, "'%.*s' is no path for %s", SF_ARG(path), s->where);
    if (s->is_broken)
        return sf_fail(err, SF_E_UNAVAILABLE, "cannot %s '%.*s': the connection to %s is lost", what, SF_ARG(path), s->where);
    if (s->target->is_cancelled && s->target->is_cancelled(s->target->ctx))
        return sf_fail(err, SF_E_CANCELLED, "stopped before it could %s '%.*s' on %s", what, SF_ARG(path), s->where);
    int64_t left = s->deadline_ms - sf_clock_ms();
    if (left <= 0)
        return sf_fail(err, SF_E_UNAVAILABLE, "no time was left to %s '%.*s' on %s", what, SF_ARG(path), s->where);
    set_timeout(s);
    return SF_OK;
}

/* --- connecting --- */

static bool connect_within(int fd, const struct sockaddr *address, socklen_t n, int64_t until)
{
    if (connect(fd, address, n) == 0)
        return true;
    if (errno != EINPROGRESS)
        return false;
    for (;;) {
        int64_t left = until - sf_clock_ms();
        struct pollfd p = {fd, POLLOUT, 0};
        int got = left > 0 ? poll(&p, 1, (int)(left > 60000 ? 60000 : left)) : 0;
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0 && left > 0)
            continue;
        if (got <= 0) {
            errno = ETIMEDOUT;
            return false;
        }
        int cause = 0;
        socklen_t size = sizeof(cause);
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &cause, &size);
        errno = cause;
        return cause == 0;
    }
}

static enum sf_code open_socket(struct sf_sftp *s, struct sf_err *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *list = NULL;
    const char *host = sf_str_dup(s->arena, s->target->host).p;
    const char *port = sf_str_fmt(s->arena, "%d", s->target->port).p;
    int found = getaddrinfo(host, port, &hints, &list);
    if (found != 0)
        return sf_fail(err, SF_E_UNAVAILABLE, "cannot find the host of %s: %s", s->where, gai_strerror(found));
    int cause = 0;
    for (struct addrinfo *a = list; a && s->fd < 0; a = a->ai_next) {
        s->fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (s->fd >= 0 && !connect_within(s->fd, a->ai_addr, a->ai_addrlen, s->deadline_ms)) {
            cause = errno;
            close(s->fd);
            s->fd = -1;
        }
    }
    freeaddrinfo(list);
    if (s->fd >= 0) {
        int yes = 1;
        setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
        return SF_OK;
    }
    errno = cause;
    sf_fail_errno(err, SF_E_UNAVAILABLE, "cannot connect to %s", s->where);
    if (cause == ECONNREFUSED)
        sf_hint(err, "is the SFTP server running? sfplan shows it");
    return SF_E_UNAVAILABLE;
}

/* Nothing was sent yet that could have changed anything. */
static enum sf_code fail_connect(struct sf_sftp *s, enum sf_code code, const char *what, struct sf_err *err)
{
    char *text = NULL;
    int cause = libssh2_session_last_error(s->ssh, &text, NULL, 0);
    sf_fail(err, code, "%s %s failed: %s", what, s->where, text && *text ? text : "connection closed");
    if (err)
        snprintf(err->remote_code, sizeof(err->remote_code), "libssh2:%d", cause);
    return code;
}

/* Without an algorithm in common nothing is gained by trying again. */
static enum sf_code fail_handshake(struct sf_sftp *s, struct sf_err *err)
{
    if (libssh2_session_last_errno(s->ssh) != LIBSSH2_ERROR_KEX_FAILURE)
        return fail_connect(s, SF_E_UNAVAILABLE, "the SSH handshake with", err);
    sf_fail(err, SF_E_REFUSED, "%s and this program's SSH (libssh2 %s) have no algorithm in common", s->where, sf_ssh_version());
    if (err)
        snprintf(err->remote_code, sizeof(err->remote_code), "libssh2:%d", LIBSSH2_ERROR_KEX_FAILURE);
    sf_hint(err,
            "have the server offer more (on AWS `security_policy: TransferSecurityPolicy-2022-03` and an ed25519 host key), or go "
            "round it: `via: bucket` on the upload");
    return SF_E_REFUSED;
}

static enum sf_code check_host_key(struct sf_sftp *s, struct sf_err *err)
{
    const char *digest = libssh2_hostkey_hash(s->ssh, LIBSSH2_HOSTKEY_HASH_SHA256);
    unsigned char base64[64];
    if (!digest)
        return fail_connect(s, SF_E_UNAVAILABLE, "reading the host key of", err);
    int n = EVP_EncodeBlock(base64, (const unsigned char *)digest, 32);
    while (n > 0 && base64[n - 1] == '=')
        n--;
    struct sf_str shown = sf_str_fmt(s->arena, "SHA256:%.*s", n, (const char *)base64);
    for (size_t i = 0; i < s->target->n_fingerprints; i++) {
        if (sf_str_eq(s->target->fingerprints[i], shown))
            return SF_OK;
    }
    sf_fail(err, SF_E_AUTH, "the host key of %s is %.*s, not the expected one", s->where, SF_ARG(shown));
    sf_hint(err, "nothing was sent; find out who answers there before you go on");
    return SF_E_AUTH;
}

static enum sf_code log_in(struct sf_sftp *s, struct sf_err *err)
{
    struct sf_str user = s->target->user, key = s->target->private_key;
    if (libssh2_userauth_publickey_frommemory(s->ssh, user.p, user.n, NULL, 0, key.p, key.n, NULL) == 0)
        return SF_OK;
    char *text = NULL;
    int cause = libssh2_session_last_error(s->ssh, &text, NULL, 0);
    if (cause == LIBSSH2_ERROR_TIMEOUT || cause == LIBSSH2_ERROR_SOCKET_RECV || cause == LIBSSH2_ERROR_SOCKET_SEND ||
        cause == LIBSSH2_ERROR_SOCKET_DISCONNECT)
        return fail_connect(s, SF_E_UNAVAILABLE, "logging in to", err);
    sf_fail(err, SF_E_AUTH, "%s refused the login of '%.*s': %s", s->where, SF_ARG(user), text && *text ? text : "no reason given");
    if (err)
        snprintf(err->remote_code, sizeof(err->remote_code), "libssh2:%d", cause);
    sf_hint(err, "the user must hold this key, and its role must trust transfer.amazonaws.com");
    return SF_E_AUTH;
}

static enum sf_code open_session(struct sf_sftp *s, struct sf_err *err)
{
    enum sf_code rc = open_socket(s, err);
    if (rc)
        return rc;
    s->ssh = libssh2_session_init();
    if (!s->ssh)
        sf_out_of_memory();
    libssh2_session_set_blocking(s->ssh, 1);
    static const struct {
        int method;
        enum sf_ssh_part part;
    } offers[] = {{LIBSSH2_METHOD_CRYPT_CS, SF_SSH_CIPHER},
                  {LIBSSH2_METHOD_CRYPT_SC, SF_SSH_CIPHER},
                  {LIBSSH2_METHOD_MAC_CS, SF_SSH_MAC},
                  {LIBSSH2_METHOD_MAC_SC, SF_SSH_MAC}};
    for (size_t i = 0; i < SF_COUNT(offers); i++)
        libssh2_session_method_pref(s->ssh, offers[i].method, sf_ssh_offer(offers[i].part));
    set_timeout(s);
    if (libssh2_session_handshake(s->ssh, s->fd) != 0)
        return fail_handshake(s, err);
    rc = check_host_key(s, err);
    if (rc == SF_OK)
        rc = log_in(s, err);
    if (rc)
        return rc;
    s->sftp = libssh2_sftp_init(s->ssh);
    return s->sftp ? SF_OK : fail_connect(s, SF_E_UNAVAILABLE, "starting SFTP on", err);
}

static void end_session(struct sf_sftp *s)
{
    if (s->ssh)
        libssh2_session_set_timeout(s->ssh, CLOSE_MS);
    /* closing talks to the server; on a broken line it would only wait */
    if (s->is_broken && s->fd >= 0)
        shutdown(s->fd, SHUT_RDWR);
    if (s->sftp)
        libssh2_sftp_shutdown(s->sftp);
    if (s->ssh && !s->is_broken)
        libssh2_session_disconnect(s->ssh, "done");
    if (s->ssh)
        libssh2_session_free(s->ssh);
    if (s->fd >= 0)
        close(s->fd);
    s->sftp = NULL;
    s->ssh = NULL;
    s->fd = -1;
}

enum sf_code sf_sftp_connect(struct sf_arena *arena, const struct sf_sftp_target *target, struct sf_sftp **out, struct sf_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_library);
    *out = NULL;
    struct sf_sftp *s = SF_NEW(arena, struct sf_sftp);
    s->arena = arena;
    s->fd = -1;
    struct sf_sftp_target *own = SF_NEW(arena, struct sf_sftp_target);
    *own = *target;
    s->target = own;
    s->deadline_ms = target->deadline_ms > 0 ? target->deadline_ms : sf_clock_ms() + DEFAULT_MS;
    snprintf(s->where, sizeof(s->where), "sftp://%.*s:%d", (int)(target->host.n > 253 ? 253 : target->host.n),
             target->host.p ? target->host.p : "", target->port);
    enum sf_code rc = open_session(s, err);
    bool may_retry = rc == SF_E_UNAVAILABLE && s->ssh && sf_clock_ms() < s->deadline_ms;
    if (may_retry) {
        s->is_broken = true;
        end_session(s);
        s->is_broken = false;
        rc = open_session(s, err);
    }
    if (rc) {
        s->is_broken = rc == SF_E_UNAVAILABLE;
        sf_sftp_close(s);
        return rc;
    }
    *out = s;
    return SF_OK;
}

void sf_sftp_close(struct sf_sftp *s)
{
    if (!s)
        return;
    end_session(s);
}

/* --- writing --- */

static LIBSSH2_SFTP_HANDLE *open_file(struct sf_sftp *s, struct sf_str path, unsigned long flags)
{
    return libssh2_sftp_open_ex(s->sftp, path.p, (unsigned)path.n, flags, 0644, LIBSSH2_SFTP_OPENFILE);
}

/* Makes the directories above `path`, but for those that are known to be there. */
static enum sf_code make_parents(struct sf_sftp *s, struct sf_str path, bool trusts_known, struct sf_err *err)
{
    struct sf_sftp_folders *folders = s->target->folders;
    for (size_t i = 1; i < path.n; i++) {
        if (path.p[i] != '/')
            continue;
        struct sf_str parent = sf_str_dup(s->arena, sf_str_slice(path, 0, i));
        if (folders && trusts_known && sf_sftp_folders_have(folders, parent))
            continue;
        enum sf_code rc = sf_sftp_mkdir(s, parent, err);
        if (rc == SF_E_UNKNOWN || rc == SF_E_CANCELLED || rc == SF_E_UNAVAILABLE)
            return rc;
        if (folders)
            sf_sftp_folders_keep(folders, parent);
    }
    return SF_OK;
}

/* Opens for writing; a missing directory is made only when the server has said, of this file or another, that one is missing. */
static enum sf_code open_to_write(struct sf_sftp *s, struct sf_str path, LIBSSH2_SFTP_HANDLE **file, struct sf_err *err)
{
    const unsigned long flags = LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT | LIBSSH2_FXF_TRUNC;
    struct sf_sftp_folders *folders = s->target->folders;
    bool must_make = folders && sf_sftp_folders_are_needed(folders);
    enum sf_code rc = must_make ? make_parents(s, path, true, err) : SF_OK;
    if (rc == SF_OK)
        rc = begin(s, "put", path, err);
    if (rc)
        return rc;
    *file = open_file(s, path, flags);
    if (*file)
        return SF_OK;
    rc = fail(s, "put", path, err);
    if (rc != SF_E_ABSENT)
        return rc;
    if (folders)
        sf_sftp_folders_need(folders);
    rc = make_parents(s, path, false, err);
    if (rc == SF_OK)
        rc = begin(s, "put", path, err);
    if (rc)
        return rc;
    *file = open_file(s, path, flags);
    if (*file)
        return SF_OK;
    rc = fail(s, "put", path, err);
    /* nothing to put it into is a refusal, not an answer about the file */
    return rc == SF_E_ABSENT ? SF_E_REFUSED : rc;
}

/* Sends `n` bytes. A short count is what the server has acknowledged: the call is made again with the rest, which starts with
 * bytes that are on their way already and which libssh2 does not send twice. */
static enum sf_code send_all(struct sf_sftp *s, LIBSSH2_SFTP_HANDLE *file, struct sf_str path, const char *bytes, size_t n,
                             size_t keep, size_t *sent, struct sf_err *err)
{
    *sent = 0;
    while (n - *sent > keep) {
        enum sf_code rc = begin(s, "put", path, err);
        /* part of it is there already */
        if (rc == SF_E_UNAVAILABLE)
            rc = SF_E_UNKNOWN;
        if (rc)
            return rc;
        size_t left = n - *sent;
        ssize_t got = libssh2_sftp_write(file, bytes + *sent, left < WINDOW_BYTES ? left : WINDOW_BYTES);
        if (got < 0)
            return fail(s, "put", path, err);
        *sent += (size_t)got;
    }
    return SF_OK;
}

static enum sf_code close_file(struct sf_sftp *s, LIBSSH2_SFTP_HANDLE *file, struct sf_str path, enum sf_code rc,
                               struct sf_err *err)
{
    if (s->is_broken) {
        /* frees what it holds; the line is shut, so it does not wait */
        shutdown(s->fd, SHUT_RDWR);
        libssh2_sftp_close_handle(file);
        return rc;
    }
    if (libssh2_sftp_close_handle(file) != 0 && rc == SF_OK)
        return fail(s, "put", path, err);
    return rc;
}

enum sf_code sf_sftp_put_bytes(struct sf_sftp *s, struct sf_str path, struct sf_str bytes, struct sf_err *err)
{
    LIBSSH2_SFTP_HANDLE *file;
    size_t sent;
    path = sf_str_dup(s->arena, path);
    enum sf_code rc = open_to_write(s, path, &file, err);
    if (rc)
        return rc;
    rc = send_all(s, file, path, bytes.p, bytes.n, 0, &sent, err);
    return close_file(s, file, path, rc, err);
}

/* A window over the local file slides along as the server acknowledges. */
static enum sf_code send_file(struct sf_sftp *s, LIBSSH2_SFTP_HANDLE *file, struct sf_str path, int fd, const char *local_path,
                              int64_t *total, struct sf_err *err)
{
    size_t have = 0, sent;
    bool is_end = false;
    *total = 0;
    for (;;) {
        while (!is_end && have < WINDOW_BYTES) {
            ssize_t got = read(fd, s->window + have, WINDOW_BYTES - have);
            if (got < 0 && errno == EINTR)
                continue;
            if (got < 0)
                return sf_fail_errno(err, SF_E_IO, "cannot read '%s'", local_path);
            is_end = got == 0;
            have += (size_t)got;
        }
        if (!have)
            return SF_OK;
        /* until the end there is something to refill with as soon as half of it is acknowledged */
        enum sf_code rc = send_all(s, file, path, s->window, have, is_end ? 0 : WINDOW_BYTES / 2, &sent, err);
        if (rc)
            return rc;
        *total += (int64_t)sent;
        have -= sent;
        memmove(s->window, s->window + sent, have);
    }
}

enum sf_code sf_sftp_put_file(struct sf_sftp *s, struct sf_str path, const char *local_path, int64_t *sent, struct sf_err *err)
{
    LIBSSH2_SFTP_HANDLE *file;
    int64_t total = 0;
    path = sf_str_dup(s->arena, path);
    if (!s->window)
        s->window = sf_arena_alloc(s->arena, WINDOW_BYTES);
    int fd = open(local_path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return sf_fail_errno(err, SF_E_IO, "cannot open '%s'", local_path);
    enum sf_code rc = open_to_write(s, path, &file, err);
    if (rc == SF_OK) {
        rc = send_file(s, file, path, fd, local_path, &total, err);
        rc = close_file(s, file, path, rc, err);
    }
    close(fd);
    if (sent)
        *sent = total;
    return rc;
}

enum sf_code sf_sftp_mkdir(struct sf_sftp *s, struct sf_str path, struct sf_err *err)
{
    enum sf_code rc = begin(s, "make the directory", path, err);
    if (rc)
        return rc;
    return libssh2_sftp_mkdir_ex(s->sftp, path.p, (unsigned)path.n, 0755) == 0 ? SF_OK : fail(s, "make the directory", path, err);
}

enum sf_code sf_sftp_mkdir_parents(struct sf_sftp *s, struct sf_str path, struct sf_err *err)
{
    return make_parents(s, path, false, err);
}

/* --- looking, reading, removing --- */

static void fill_entry(struct sf_sftp_entry *entry, const LIBSSH2_SFTP_ATTRIBUTES *attrs)
{
    entry->bytes = attrs->flags & LIBSSH2_SFTP_ATTR_SIZE ? (int64_t)attrs->filesize : 0;
    entry->is_dir = (attrs->flags & LIBSSH2_SFTP_ATTR_PERMISSIONS) && LIBSSH2_SFTP_S_ISDIR(attrs->permissions);
}

enum sf_code sf_sftp_stat(struct sf_sftp *s, struct sf_str path, struct sf_sftp_entry *entry, struct sf_err *err)
{
    LIBSSH2_SFTP_ATTRIBUTES attrs = {0};
    enum sf_code rc = begin(s, "look at", path, err);
    if (rc)
        return rc;
    if (libssh2_sftp_stat_ex(s->sftp, path.p, (unsigned)path.n, LIBSSH2_SFTP_STAT, &attrs) != 0)
        return fail(s, "look at", path, err);
    *entry = (struct sf_sftp_entry){.name = sf_str_dup(s->arena, path)};
    fill_entry(entry, &attrs);
    return SF_OK;
}

enum sf_code sf_sftp_get(struct sf_sftp *s, struct sf_str path, size_t max_bytes, struct sf_str *bytes, struct sf_err *err)
{
    struct sf_buf buf = SF_BUF(max_bytes);
    char part[32768];
    *bytes = SF_STR_NONE;
    enum sf_code rc = begin(s, "get", path, err);
    if (rc)
        return rc;
    LIBSSH2_SFTP_HANDLE *file = open_file(s, path, LIBSSH2_FXF_READ);
    if (!file)
        return fail(s, "get", path, err);
    for (;;) {
        rc = begin(s, "get", path, err);
        ssize_t got = rc ? 0 : libssh2_sftp_read(file, part, sizeof(part));
        if (got < 0)
            rc = fail(s, "get", path, err);
        if (rc || got == 0)
            break;
        sf_buf_add(&buf, (struct sf_str){part, (size_t)got});
        if (buf.overflow) {
            rc = sf_fail(err, SF_E_REFUSED, "'%.*s' on %s is larger than %zu bytes", SF_ARG(path), s->where, max_bytes);
            break;
        }
    }
    rc = close_file(s, file, path, rc, err);
    if (rc == SF_OK)
        *bytes = sf_str_dup(s->arena, sf_buf_str(&buf));
    sf_buf_free(&buf);
    return rc;
}

static enum sf_code read_entries(struct sf_sftp *s, LIBSSH2_SFTP_HANDLE *dir, struct sf_str path, struct sf_sftp_entry **entries,
                                 size_t *n, struct sf_err *err)
{
    char name[1024];
    size_t cap = 0;
    for (;;) {
        LIBSSH2_SFTP_ATTRIBUTES attrs = {0};
        enum sf_code rc = begin(s, "list", path, err);
        if (rc)
            return rc;
        int got = libssh2_sftp_readdir_ex(dir, name, sizeof(name), NULL, 0, &attrs);
        if (got == 0)
            return SF_OK;
        if (got < 0)
            return fail(s, "list", path, err);
        struct sf_str text = {name, (size_t)got};
        if (sf_str_is(text, ".") || sf_str_is(text, ".."))
            continue;
        if (*n == MAX_LIST)
            return sf_fail(err, SF_E_REFUSED, "'%.*s' on %s has more than %d entries", SF_ARG(path), s->where, MAX_LIST);
        if (*n == cap) {
            cap = cap ? cap * 2 : 64;
            struct sf_sftp_entry *more = SF_NEW_ARRAY(s->arena, cap, struct sf_sftp_entry);
            if (*n)
                memcpy(more, *entries, *n * sizeof(*more));
            *entries = more;
        }
        struct sf_sftp_entry *entry = &(*entries)[(*n)++];
        entry->name = sf_str_dup(s->arena, text);
        fill_entry(entry, &attrs);
    }
}

enum sf_code sf_sftp_list(struct sf_sftp *s, struct sf_str path, struct sf_sftp_entry **entries, size_t *n, struct sf_err *err)
{
    *entries = NULL;
    *n = 0;
    enum sf_code rc = begin(s, "list", path, err);
    if (rc)
        return rc;
    LIBSSH2_SFTP_HANDLE *dir = libssh2_sftp_open_ex(s->sftp, path.p, (unsigned)path.n, 0, 0, LIBSSH2_SFTP_OPENDIR);
    if (!dir)
        return fail(s, "list", path, err);
    rc = read_entries(s, dir, path, entries, n, err);
    return close_file(s, dir, path, rc, err);
}

enum sf_code sf_sftp_remove(struct sf_sftp *s, struct sf_str path, struct sf_err *err)
{
    enum sf_code rc = begin(s, "remove", path, err);
    if (rc)
        return rc;
    return libssh2_sftp_unlink_ex(s->sftp, path.p, (unsigned)path.n) == 0 ? SF_OK : fail(s, "remove", path, err);
}

enum sf_code sf_sftp_rmdir(struct sf_sftp *s, struct sf_str path, struct sf_err *err)
{
    enum sf_code rc = begin(s, "remove the directory", path, err);
    if (rc)
        return rc;
    return libssh2_sftp_rmdir_ex(s->sftp, path.p, (unsigned)path.n) == 0 ? SF_OK : fail(s, "remove the directory", path, err);
}

enum sf_code sf_sftp_rename(struct sf_sftp *s, struct sf_str from, struct sf_str to, struct sf_err *err)
{
    enum sf_code rc = begin(s, "rename", from, err);
    if (rc)
        return rc;
    return libssh2_sftp_rename_ex(s->sftp, from.p, (unsigned)from.n, to.p, (unsigned)to.n,
                                  LIBSSH2_SFTP_RENAME_OVERWRITE | LIBSSH2_SFTP_RENAME_ATOMIC | LIBSSH2_SFTP_RENAME_NATIVE) == 0
               ? SF_OK
               : fail(s, "rename", from, err);
}
