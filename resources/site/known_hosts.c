/* See known_hosts.h. Lines of other hosts, whoever wrote them, are kept as they are. */
#include "resources/site/known_hosts.h"

#include "resources/site/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

enum { MAX_FILE_BYTES = 1024 * 1024 };

const char *sf_known_hosts_path(const struct sf_op *op)
{
    return sf_str_fmt(op->arena, "%s/known_hosts", op->site->secrets_dir).p;
}

/* "[127.0.0.1]:2222 ssh-ed25519 AAAA...": the comment of a key line is left out. */
static void add_line(struct sf_buf *buf, struct sf_str prefix, struct sf_str key)
{
    key = sf_str_trim(key);
    size_t first = sf_str_find(key, SF_STR(" "));
    size_t second = first == SIZE_MAX ? SIZE_MAX : sf_str_find(sf_str_slice(key, first + 1, key.n), SF_STR(" "));
    if (second != SIZE_MAX)
        key = sf_str_slice(key, 0, first + 1 + second);
    sf_buf_addf(buf, "%.*s%.*s\n", SF_ARG(prefix), SF_ARG(key));
}

/* The file without the lines that start with `prefix`, which go to `own`. */
static enum sf_code split(struct sf_op *op, struct sf_str prefix, struct sf_buf *others, struct sf_buf *own, struct sf_err *err)
{
    struct sf_str text;
    enum sf_code rc = sf_file_read(op->arena, sf_known_hosts_path(op), &text, err);
    if (rc == SF_E_ABSENT)
        return SF_OK;
    while (rc == SF_OK && text.n) {
        size_t end = sf_str_find(text, SF_STR("\n"));
        struct sf_str line = sf_str_slice(text, 0, end);
        text = end == SIZE_MAX ? SF_STR_NONE : sf_str_slice(text, end + 1, text.n);
        sf_buf_addf(sf_str_starts(line, prefix) ? own : others, "%.*s\n", SF_ARG(line));
    }
    return rc;
}

static struct sf_str prefix_of(struct sf_op *op, struct sf_str host, int port)
{
    return port == 22 ? sf_str_fmt(op->arena, "%.*s ", SF_ARG(host)) : sf_str_fmt(op->arena, "[%.*s]:%d ", SF_ARG(host), port);
}

static enum sf_code write_lines(struct sf_op *op, struct sf_str text, struct sf_err *err)
{
    const char *path = sf_known_hosts_path(op);
    if (!text.n)
        return sf_file_remove(path, err);
    return sf_file_is(op->arena, path, text, 0600) ? SF_OK : sf_file_replace(op->arena, path, text, 0600, err);
}

enum sf_code sf_known_hosts_set(struct sf_op *op, struct sf_str host, int port, const struct sf_str *keys, size_t n,
                                struct sf_err *err)
{
    struct sf_buf text = SF_BUF(MAX_FILE_BYTES), own = SF_BUF(MAX_FILE_BYTES);
    struct sf_str prefix = prefix_of(op, host, port);
    const char *dir = op->site->secrets_dir;
    if (!n && access(sf_known_hosts_path(op), F_OK) != 0)
        return SF_OK;
    enum sf_code rc = sf_file_mkdir(op->arena, dir, 0700, err);
    if (rc)
        return rc;
    int lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* the file itself is replaced, so the directory is what is locked */
    if (lock < 0 || flock(lock, LOCK_EX) != 0)
        rc = sf_fail_errno(err, SF_E_IO, "cannot lock '%s'", dir);
    if (rc == SF_OK)
        rc = split(op, prefix, &text, &own, err);
    for (size_t i = 0; i < n; i++)
        add_line(&text, prefix, keys[i]);
    if (rc == SF_OK)
        rc = write_lines(op, sf_buf_str(&text), err);
    if (lock >= 0)
        close(lock);
    sf_buf_free(&text);
    sf_buf_free(&own);
    return rc;
}

bool sf_known_hosts_has(struct sf_op *op, struct sf_str host, int port, const struct sf_str *keys, size_t n)
{
    struct sf_buf others = SF_BUF(MAX_FILE_BYTES), own = SF_BUF(MAX_FILE_BYTES), want = SF_BUF(MAX_FILE_BYTES);
    struct sf_str prefix = prefix_of(op, host, port);
    for (size_t i = 0; i < n; i++)
        add_line(&want, prefix, keys[i]);
    bool is_same = split(op, prefix, &others, &own, NULL) == SF_OK && sf_str_eq(sf_buf_str(&own), sf_buf_str(&want));
    sf_buf_free(&others);
    sf_buf_free(&own);
    sf_buf_free(&want);
    return is_same;
}
