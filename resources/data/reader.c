/* See reader.h. */
#include "resources/data/reader_maker.h"

#include "attr/cluster.h"
#include "attr/star_schema.h"
#include "engine/core/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_NAME "reader_password"

enum { PASSWORD_LENGTH = 32, MAX_PASSFILE = 4096 };

/* --- text --- */

static struct sf_str file_part(struct sf_arena *arena, struct sf_str s)
{
    char *out = sf_arena_alloc(arena, s.n + 1);
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
        out[i] = is_plain ? c : '_';
    }
    return (struct sf_str){out, s.n};
}

/* A word for a POSIX shell. */
static struct sf_str shell_word(struct sf_arena *arena, struct sf_str s)
{
    bool is_plain = s.n > 0;
    for (size_t i = 0; i < s.n; i++)
        is_plain &= strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@%+,=", s.p[i]) && s.p[i];
    if (is_plain)
        return sf_str_dup(arena, s);
    struct sf_buf buf = SF_BUF(8192);
    sf_buf_addc(&buf, '\'');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\'')
            sf_buf_addz(&buf, "'\\''");
        else
            sf_buf_addc(&buf, s.p[i]);
    }
    sf_buf_addc(&buf, '\'');
    struct sf_str text = sf_str_dup(arena, sf_buf_str(&buf));
    sf_buf_free(&buf);
    return text;
}

/* A field of a passfile: colon and backslash are escaped (libpq, "The Password File"). */
static void add_pass_field(struct sf_buf *buf, struct sf_str field)
{
    for (size_t i = 0; i < field.n; i++) {
        if (field.p[i] == ':' || field.p[i] == '\\')
            sf_buf_addc(buf, '\\');
        sf_buf_addc(buf, field.p[i]);
    }
}

/* "host:port:*:reader:" with the endpoint as it is now; empty while it is not known. The database is left open: the role is the
 * cluster's. */
static struct sf_str pass_line_start(struct sf_op *op, const struct sf_object *cluster, struct sf_str reader)
{
    struct sf_str host = sf_map_str(cluster->attrs, CLUSTER_HOST);
    int64_t port = sf_map_int(cluster->attrs, CLUSTER_PORT, 0);
    if (host.n == 0 || port == 0)
        return SF_STR_NONE;
    struct sf_buf buf = SF_BUF(MAX_PASSFILE);
    add_pass_field(&buf, host);
    sf_buf_addf(&buf, ":%" PRId64 ":*:", port);
    add_pass_field(&buf, reader);
    sf_buf_addc(&buf, ':');
    struct sf_str line = sf_str_dup(op->arena, sf_buf_str(&buf));
    sf_buf_free(&buf);
    return line;
}

const char *sf_reader_passfile(struct sf_op *op, const struct sf_object *cluster, struct sf_str reader)
{
    struct sf_str identity = sf_map_str(cluster->attrs, CLUSTER_IDENTIFIER);
    return sf_str_fmt(op->arena, "%s/%s-%s.pgpass", op->site->secrets_dir, file_part(op->arena, identity).p,
                      file_part(op->arena, reader).p)
        .p;
}

struct sf_str sf_reader_command(struct sf_op *op, const struct sf_object *cluster, struct sf_str reader, bool *is_shut_out)
{
    struct sf_str host = sf_map_str(cluster->attrs, CLUSTER_HOST), database = sf_map_str(cluster->attrs, CLUSTER_DATABASE);
    struct sf_str environment = SF_STR_NONE;
    int64_t port = sf_map_int(cluster->attrs, CLUSTER_PORT, 0);
    const struct sf_world *world = op->site->world;
    *is_shut_out = world && world->warehouse_client && !world->warehouse_client(op, cluster, &environment);
    if (*is_shut_out || host.n == 0 || port == 0 || database.n == 0)
        return SF_STR_NONE;
    return sf_str_fmt(op->arena, "%.*s%sPGPASSFILE=%s psql -h %s -p %" PRId64 " -U %s -d %s", SF_ARG(environment),
                      environment.n ? " " : "", shell_word(op->arena, sf_str_of(sf_reader_passfile(op, cluster, reader))).p,
                      shell_word(op->arena, host).p, port, shell_word(op->arena, reader).p, shell_word(op->arena, database).p);
}

/* --- the passfile --- */

/* Password in a passfile of ours; empty when there is none, or it is for another endpoint and `start` is given. */
static struct sf_str read_passfile(struct sf_op *op, const char *path, struct sf_str start)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return SF_STR_NONE;
    char *bytes = sf_arena_alloc(op->arena, MAX_PASSFILE + 1);
    struct stat st;
    ssize_t n = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077) == 0 ? read(fd, bytes, MAX_PASSFILE) : -1;
    close(fd);
    if (n <= 0)
        return SF_STR_NONE;
    struct sf_str line = sf_str_trim((struct sf_str){bytes, (size_t)n});
    if (start.n > 0 && !sf_str_starts(line, start))
        return SF_STR_NONE;
    size_t at = line.n;
    while (at > 0 && line.p[at - 1] != ':')
        at--;
    struct sf_str password = sf_str_slice(line, at, line.n);
    return password.n == PASSWORD_LENGTH ? password : SF_STR_NONE;
}

bool sf_reader_has_passfile(struct sf_op *op, const struct sf_object *cluster, struct sf_str reader)
{
    struct sf_str start = pass_line_start(op, cluster, reader);
    return start.n > 0 && read_passfile(op, sf_reader_passfile(op, cluster, reader), start).n > 0;
}

static enum sf_code write_passfile(struct sf_op *op, const char *path, struct sf_str start, struct sf_str password,
                                   struct sf_err *err)
{
    const char *fresh = sf_str_fmt(op->arena, "%s.new", path).p;
    struct sf_str line = sf_str_fmt(op->arena, "%.*s%.*s\n", SF_ARG(start), SF_ARG(password));
    if (unlink(fresh) != 0 && errno != ENOENT)
        return sf_fail_errno(err, SF_E_IO, "cannot replace '%s'", fresh);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return sf_fail_errno(err, SF_E_IO, "cannot write the passfile '%s'", fresh);
    enum sf_code rc = SF_OK;
    if (write(fd, line.p, line.n) != (ssize_t)line.n || fsync(fd) != 0)
        rc = sf_fail_errno(err, SF_E_IO, "cannot write the passfile '%s'", fresh);
    close(fd);
    if (!rc && rename(fresh, path) != 0)
        rc = sf_fail_errno(err, SF_E_IO, "cannot put the passfile '%s' in place", path);
    if (rc)
        unlink(fresh);
    return rc;
}

/* Also makes the directory: a stack without an ssh_key has none yet. Who had the lock before may have removed its file: then what
 * is held keeps nobody out. */
static int lock_passfile(struct sf_op *op, const char *path)
{
    const char *name = sf_str_fmt(op->arena, "%s.lock", path).p;
    if (mkdir(op->site->secrets_dir, 0700) != 0 && errno != EEXIST)
        return -1;
    for (;;) {
        struct stat held, there;
        int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
            return -1;
        if (flock(fd, LOCK_EX) == 0 && fstat(fd, &held) == 0 && lstat(name, &there) == 0 && held.st_ino == there.st_ino)
            return fd;
        int cause = errno;
        bool is_gone = fstat(fd, &held) == 0 && (lstat(name, &there) != 0 || held.st_ino != there.st_ino);
        close(fd);
        errno = cause;
        if (!is_gone)
            return -1;
    }
}

/* --- the password --- */

static struct sf_str base64(struct sf_arena *arena, const unsigned char *bytes, int n)
{
    unsigned char *out = sf_arena_alloc(arena, (size_t)n * 2 + 5);
    int length = EVP_EncodeBlock(out, bytes, n);
    return (struct sf_str){(char *)out, (size_t)length};
}

struct sf_str sf_reader_scram(struct sf_arena *arena, struct sf_str password, const unsigned char salt[16], int iterations)
{
    unsigned char salted[32], client[32], stored[32], server[32];
    unsigned int n = 0;
    PKCS5_PBKDF2_HMAC(password.p, (int)password.n, salt, 16, iterations, EVP_sha256(), sizeof(salted), salted);
    HMAC(EVP_sha256(), salted, sizeof(salted), (const unsigned char *)"Client Key", 10, client, &n);
    SHA256(client, sizeof(client), stored);
    HMAC(EVP_sha256(), salted, sizeof(salted), (const unsigned char *)"Server Key", 10, server, &n);
    struct sf_str text = sf_str_fmt(arena, "SCRAM-SHA-256$%d:%s$%s:%s", iterations, base64(arena, salt, 16).p,
                                    base64(arena, stored, 32).p, base64(arena, server, 32).p);
    OPENSSL_cleanse(salted, sizeof(salted));
    OPENSSL_cleanse(client, sizeof(client));
    return text;
}

bool sf_reader_password_fits(struct sf_op *op, const struct sf_object *cluster, struct sf_str reader, struct sf_str verifier)
{
    struct sf_str password = read_passfile(op, sf_reader_passfile(op, cluster, reader), SF_STR_NONE);
    if (password.n == 0)
        return true;
    struct sf_str start = sf_str_fmt(op->arena, "SCRAM-SHA-256$%d:", SF_SCRAM_ITERATIONS);
    unsigned char salt[18]; /* 16 bytes and what base64 pads them to */
    if (!sf_str_starts(verifier, start) || verifier.n < start.n + 24 ||
        EVP_DecodeBlock(salt, (const unsigned char *)verifier.p + start.n, 24) != 18)
        return false; /* we write no other kind */
    return sf_str_eq(verifier, sf_reader_scram(op->arena, password, salt, SF_SCRAM_ITERATIONS));
}

static struct sf_str generate_password(struct sf_arena *arena)
{
    static const char alphabet[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    unsigned char random[PASSWORD_LENGTH];
    sf_random_bytes(random, sizeof(random));
    char *out = sf_arena_alloc(arena, PASSWORD_LENGTH + 1);
    for (size_t i = 0; i < PASSWORD_LENGTH; i++)
        out[i] = alphabet[random[i] & 63];
    OPENSSL_cleanse(random, sizeof(random));
    return (struct sf_str){out, PASSWORD_LENGTH};
}

/* The password to use, sealed in state before it is used anywhere: the passfile's (another star may have made it), else the one
 * sealed earlier, else a new one. */
enum sf_code sf_reader_password(struct sf_op *op, const struct sf_object *cluster, struct sf_str reader, struct sf_str *password,
                                struct sf_err *err)
{
    *password = read_passfile(op, sf_reader_passfile(op, cluster, reader), SF_STR_NONE);
    return password->n > 0 ? SF_OK : sf_op_unseal(op, NULL, SECRET_NAME, password, err);
}

static enum sf_code choose_password(struct sf_op *op, const char *path, struct sf_str *password, struct sf_err *err)
{
    struct sf_str sealed;
    enum sf_code rc = sf_op_unseal(op, NULL, SECRET_NAME, &sealed, err);
    if (rc && rc != SF_E_ABSENT)
        return rc;
    bool has_sealed = rc == SF_OK;
    *password = read_passfile(op, path, SF_STR_NONE);
    if (password->n == 0)
        *password = has_sealed ? sealed : generate_password(op->arena);
    if (has_sealed && sf_str_eq(sealed, *password))
        return SF_OK;
    return sf_op_seal(op, SECRET_NAME, *password, err);
}

enum sf_code sf_reader_make(struct sf_op *op, const struct sf_object *cluster, const struct sf_star_site *site, struct sf_err *err)
{
    struct sf_str start = pass_line_start(op, cluster, site->reader);
    if (start.n == 0)
        return sf_fail(err, SF_E_UNAVAILABLE, "the endpoint of cluster '%.*s' is not known", SF_ARG(cluster->name));
    const char *path = sf_reader_passfile(op, cluster, site->reader);
    int lock = lock_passfile(op, path);
    if (lock < 0)
        return sf_fail_errno(err, SF_E_IO, "cannot lock the passfile '%s'", path);
    struct sf_str password;
    enum sf_code rc = choose_password(op, path, &password, err);
    if (rc)
        goto out;
    struct sf_script script = {.arena = op->arena};
    rc = op->site->world->dialect->reader->make(op, cluster, site, password, &script, err);
    if (rc)
        goto out;
    rc = sf_op_intent(op, "CREATE ROLE", err);
    size_t failed;
    if (!rc)
        rc = op->site->world->warehouse_control(op, cluster, script.list, script.n, NULL, &failed, err);
    if (rc) {
        sf_context(err, "while making reader role '%.*s'", SF_ARG(site->reader));
        goto out;
    }
    rc = write_passfile(op, path, start, password, err);
out:
    close(lock);
    return rc;
}

/* What the warehouse is told. *is_used: another star has this reader. */
static enum sf_code take_role(struct sf_op *op, const struct sf_object *cluster, struct sf_str reader, bool *is_used,
                              struct sf_err *err)
{
    struct sf_script script = {.arena = op->arena};
    size_t failed;
    enum sf_code rc = op->site->world->dialect->reader->leave(op, cluster, reader, is_used, &script, err);
    if (rc || script.n == 0)
        return rc;
    rc = sf_op_intent(op, *is_used ? "ALTER ROLE" : "DROP ROLE", err);
    return rc ? rc : op->site->world->warehouse_control(op, cluster, script.list, script.n, NULL, &failed, err);
}

/* Under the lock of making one, or two stars that go at once would both drop their reader. */
enum sf_code sf_reader_leave(struct sf_op *op, const struct sf_object *cluster, struct sf_str reader, struct sf_err *err)
{
    const char *path = sf_reader_passfile(op, cluster, reader);
    bool is_used = false;
    int lock = lock_passfile(op, path);
    if (lock < 0)
        return sf_fail_errno(err, SF_E_IO, "cannot lock the passfile '%s'", path);
    enum sf_code rc = take_role(op, cluster, reader, &is_used, err);
    if (!rc && !is_used) {
        if (unlink(path) != 0 && errno != ENOENT)
            rc = sf_fail_errno(err, SF_E_IO, "cannot remove the passfile '%s'", path);
        unlink(sf_str_fmt(op->arena, "%s.lock", path).p);
    }
    close(lock);
    return rc;
}
