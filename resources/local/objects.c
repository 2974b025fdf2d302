/* See objects.h. Every path is walked one segment at a time from the bucket's directory without following links: a person who
 * may put files into a bucket cannot lead the engine out of it. */
#include "resources/local/objects.h"

#include "engine/core/clock.h"
#include "resources/local/territory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_KEY_BYTES = 1024, MAX_SEGMENT_BYTES = 255, MAX_TRIES = 8 };

bool sf_local_is_bucket_name(struct sf_str name)
{
    if (name.n < 3 || name.n > 63 || sf_str_find(name, SF_STR("..")) != SIZE_MAX)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool is_alnum = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!is_alnum && (i == 0 || i == name.n - 1 || (c != '.' && c != '-')))
            return false;
    }
    return true;
}

static struct sf_str next_segment(struct sf_str *rest)
{
    size_t cut = sf_str_find(*rest, SF_STR("/"));
    struct sf_str segment = sf_str_slice(*rest, 0, cut);
    *rest = cut == SIZE_MAX ? SF_STR_NONE : sf_str_slice(*rest, cut + 1, rest->n);
    return segment;
}

enum sf_code sf_local_check_key(struct sf_str key, struct sf_err *err)
{
    const char *wrong = NULL;
    if (key.n == 0 || key.n > MAX_KEY_BYTES)
        wrong = "must have 1 to 1024 bytes";
    else if (!sf_str_is_utf8(key))
        wrong = "is not UTF-8";
    else if (key.p[key.n - 1] == '/')
        wrong = "ends with '/'";
    for (size_t i = 0; !wrong && i < key.n; i++) {
        if ((unsigned char)key.p[i] < 0x20 || key.p[i] == 0x7f)
            wrong = "holds a control character";
    }
    for (struct sf_str rest = key; !wrong && rest.n;) {
        struct sf_str segment = next_segment(&rest);
        if (!segment.n)
            wrong = "has an empty segment";
        else if (sf_str_is(segment, ".") || sf_str_is(segment, ".."))
            wrong = "has a '.' or '..' segment";
        else if (segment.n > MAX_SEGMENT_BYTES)
            wrong = "has a segment of more than 255 bytes";
        else if (sf_str_starts(segment, SF_STR(SF_TEMP_PREFIX)))
            wrong = "has a segment that starts with '" SF_TEMP_PREFIX "'";
    }
    if (!wrong)
        return SF_OK;
    sf_fail(err, SF_E_REFUSED, "the object key '%.*s' %s", (int)(key.n > 200 ? 200 : key.n), key.p ? key.p : "", wrong);
    sf_hint(err, "a local bucket keeps objects as files: use keys that are plain relative paths");
    return SF_E_REFUSED;
}

static struct sf_str bucket_name(const struct sf_object *bucket)
{
    return bucket->id.n ? bucket->id : sf_map_str(bucket->attrs, "name");
}

/* The bucket's data directory; entered by the caller. */
static enum sf_code open_data(struct sf_op *op, const struct sf_object *bucket, int *fd, struct sf_err *err)
{
    struct sf_str name = bucket_name(bucket);
    *fd = -1;
    if (!sf_local_is_bucket_name(name))
        return sf_fail(err, SF_E_REFUSED, "'%.*s' is not the name of a bucket", SF_ARG(name));
    *fd = open(sf_territory_path(op, "buckets/%.*s/data", SF_ARG(name)), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (*fd >= 0)
        return SF_OK;
    if (errno == ENOENT || errno == ENOTDIR) {
        sf_fail(err, SF_E_ABSENT, "there is no bucket '%.*s'", SF_ARG(name));
        sf_hint(err, "sfapply makes it");
        return SF_E_ABSENT;
    }
    return sf_fail_errno(err, SF_E_IO, "cannot open bucket '%.*s'", SF_ARG(name));
}

/* Opens the directory that holds the last segment of `key`, which goes to *leaf. -1 with errno. */
static int open_parent(struct sf_op *op, int data_fd, struct sf_str key, bool may_make, struct sf_str *leaf)
{
    struct sf_str rest = key;
    int fd = fcntl(data_fd, F_DUPFD_CLOEXEC, 3);
    for (;;) {
        *leaf = sf_str_dup(op->arena, next_segment(&rest));
        if (!rest.n || fd < 0)
            return fd;
        if (may_make && mkdirat(fd, leaf->p, 0700) != 0 && errno != EEXIST) {
            int cause = errno;
            close(fd);
            errno = cause;
            return -1;
        }
        int child = openat(fd, leaf->p, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int cause = errno;
        close(fd);
        errno = cause;
        fd = child;
    }
}

/* --- list --- */

struct listing {
    struct sf_op *op;
    struct sf_str prefix;
    struct sf_bucket_entry *entries;
    size_t n, cap;
};

static void add_entry(struct listing *l, struct sf_str key, int64_t bytes)
{
    l->entries = sf_arena_grow(l->op->arena, l->entries, l->n, &l->cap, sizeof(*l->entries));
    l->entries[l->n++] = (struct sf_bucket_entry){.key = key, .bytes = bytes};
}

/* Takes over `fd`. `path` ends with "/" or is empty. */
static bool walk(struct listing *l, int fd, struct sf_str path)
{
    DIR *dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return false;
    }
    bool ok = true;
    struct dirent *entry;
    while (ok && (errno = 0, entry = readdir(dir)) != NULL) {
        struct stat st;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            sf_str_starts(sf_str_of(entry->d_name), SF_STR(SF_TEMP_PREFIX)))
            continue;
        struct sf_str key = sf_str_fmt(l->op->arena, "%.*s%s", SF_ARG(path), entry->d_name);
        size_t common = key.n < l->prefix.n ? key.n : l->prefix.n;
        if (memcmp(key.p, l->prefix.n ? l->prefix.p : "", common) != 0)
            continue;
        if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
            ok = errno == ENOENT; /* deleted meanwhile */
            continue;
        }
        if (!S_ISDIR(st.st_mode)) {
            if (key.n >= l->prefix.n)
                add_entry(l, key, S_ISREG(st.st_mode) ? (int64_t)st.st_size : 0);
            continue;
        }
        int child = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        ok = child >= 0 ? walk(l, child, sf_str_fmt(l->op->arena, "%.*s/", SF_ARG(key))) : errno == ENOENT;
    }
    if (ok && errno && errno != ENOENT)
        ok = false;
    int cause = errno;
    closedir(dir);
    errno = cause;
    return ok;
}

static int by_key(const void *a, const void *b)
{
    return sf_str_cmp(((const struct sf_bucket_entry *)a)->key, ((const struct sf_bucket_entry *)b)->key);
}

enum sf_code sf_local_bucket_list(struct sf_op *op, const struct sf_object *bucket, struct sf_str prefix,
                                  struct sf_bucket_entry **entries, size_t *n, struct sf_err *err)
{
    struct listing l = {.op = op, .prefix = prefix};
    int fd;
    *entries = NULL;
    *n = 0;
    sf_territory_enter(op);
    enum sf_code rc = open_data(op, bucket, &fd, err);
    if (rc == SF_OK && !walk(&l, fd, SF_STR_NONE))
        rc = sf_fail_errno(err, SF_E_IO, "cannot list bucket '%.*s'", SF_ARG(bucket_name(bucket)));
    sf_territory_leave(op);
    if (rc)
        return rc;
    if (l.n)
        qsort(l.entries, l.n, sizeof(*l.entries), by_key);
    *entries = l.entries;
    *n = l.n;
    return SF_OK;
}

/* --- open --- */

struct file_reader {
    int fd;
    struct sf_str key;
};

static enum sf_code reader_read(struct sf_reader *reader, void *bytes, size_t n, size_t *got, struct sf_err *err)
{
    struct file_reader *r = reader->impl;
    ssize_t count;
    do
        count = read(r->fd, bytes, n);
    while (count < 0 && errno == EINTR);
    *got = count > 0 ? (size_t)count : 0;
    if (count < 0)
        return sf_fail_errno(err, SF_E_IO, "cannot read the object '%.*s'", SF_ARG(r->key));
    return SF_OK;
}

static void reader_close(struct sf_reader *reader)
{
    struct file_reader *r = reader->impl;
    if (r && r->fd >= 0)
        close(r->fd);
    reader->impl = NULL;
}

static enum sf_code open_object(struct sf_op *op, const struct sf_object *bucket, struct sf_str key, int *fd, struct sf_err *err)
{
    int data_fd, parent = -1;
    struct sf_str leaf;
    struct stat st;
    enum sf_code rc = open_data(op, bucket, &data_fd, err);
    if (rc)
        return rc;
    parent = open_parent(op, data_fd, key, false, &leaf);
    /* O_NONBLOCK: a fifo that somebody put there must not hang us */
    *fd = parent < 0 ? -1 : openat(parent, leaf.p, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (*fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        rc = sf_fail(err, SF_E_ABSENT, "there is no object '%.*s' in bucket '%.*s'", SF_ARG(key), SF_ARG(bucket_name(bucket)));
    else if (*fd < 0)
        rc =
            sf_fail_errno(err, SF_E_IO, "cannot open the object '%.*s' in bucket '%.*s'", SF_ARG(key), SF_ARG(bucket_name(bucket)));
    else if (fstat(*fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(*fd);
        rc = sf_fail(err, SF_E_ABSENT, "'%.*s' in bucket '%.*s' is not an object but a directory or a special file", SF_ARG(key),
                     SF_ARG(bucket_name(bucket)));
    }
    if (parent >= 0)
        close(parent);
    close(data_fd);
    return rc;
}

enum sf_code sf_local_bucket_open(struct sf_op *op, const struct sf_object *bucket, struct sf_str key, struct sf_reader *reader,
                                  struct sf_err *err)
{
    struct file_reader *r = SF_NEW(op->arena, struct file_reader);
    *r = (struct file_reader){-1, sf_str_dup(op->arena, key)};
    *reader = (struct sf_reader){reader_read, reader_close, r};
    enum sf_code rc = sf_local_check_key(key, err);
    if (rc)
        return rc;
    sf_territory_enter(op);
    rc = open_object(op, bucket, key, &r->fd, err);
    sf_territory_leave(op);
    if (rc)
        r->fd = -1;
    return rc;
}

/* --- put --- */

/* Where an object's bytes come from. */
struct content {
    struct sf_str bytes;
    int fd; /* of a file that holds them instead, or -1 */
    int64_t size;
};

static bool write_all(int fd, struct sf_str bytes)
{
    bool ok = true;
    while (ok && bytes.n) {
        ssize_t put = write(fd, bytes.p, bytes.n);
        ok = put >= 0 || errno == EINTR;
        if (put > 0) {
            bytes.p += put;
            bytes.n -= (size_t)put;
        }
    }
    return ok;
}

/* *copied: how many bytes the file had. */
static bool copy_all(int to, int from, int64_t *copied)
{
    char chunk[64 * 1024];
    *copied = 0;
    for (;;) {
        ssize_t got = read(from, chunk, sizeof(chunk));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0;
        if (!write_all(to, (struct sf_str){chunk, (size_t)got}))
            return false;
        *copied += got;
    }
}

static bool write_temp(int dir_fd, const char *temp, struct content *content)
{
    int fd = openat(dir_fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool ok = content->fd >= 0 ? copy_all(fd, content->fd, &content->size) : write_all(fd, content->bytes);
    ok = ok && fsync(fd) == 0;
    int cause = errno;
    close(fd);
    errno = cause;
    return ok;
}

/* With `size` given, a file of another is not put: errno is EILSEQ then. */
static bool put_object(struct sf_op *op, int data_fd, struct sf_str key, struct content *content)
{
    unsigned char random[8];
    sf_random_bytes(random, sizeof(random));
    struct sf_str hex = sf_str_hex(op->arena, random, sizeof(random));
    const char *temp = sf_str_fmt(op->arena, SF_TEMP_PREFIX "%.*s", SF_ARG(hex)).p;
    int64_t size = content->size;
    bool ok = write_temp(data_fd, temp, content);
    if (ok && content->size != size) {
        errno = EILSEQ;
        ok = false;
    }
    /* a delete elsewhere may prune the directory that was just made: try again then */
    for (int tries = 0; ok; tries++) {
        struct sf_str leaf;
        int parent = open_parent(op, data_fd, key, true, &leaf);
        ok = parent >= 0 && renameat(data_fd, temp, parent, leaf.p) == 0 && fsync(parent) == 0;
        int cause = errno;
        if (parent >= 0)
            close(parent);
        errno = cause;
        if (ok)
            return true;
        ok = cause == ENOENT && tries < MAX_TRIES;
    }
    int cause = errno;
    unlinkat(data_fd, temp, 0);
    errno = cause;
    return false;
}

static enum sf_code put_content(struct sf_op *op, const struct sf_object *bucket, struct sf_str key, struct content *content,
                                struct sf_err *err)
{
    int data_fd;
    enum sf_code rc = sf_local_check_key(key, err);
    if (rc)
        return rc;
    sf_territory_enter(op);
    rc = open_data(op, bucket, &data_fd, err);
    if (rc == SF_OK) {
        if (!put_object(op, data_fd, key, content)) {
            bool in_the_way = errno == ENOTDIR || errno == EISDIR || errno == ENOTEMPTY || errno == ELOOP;
            rc = errno == EILSEQ
                     ? sf_fail(err, SF_E_STALE, "the file for object '%.*s' changed while it was put", SF_ARG(key))
                     : sf_fail_errno(err, in_the_way ? SF_E_CONFLICT : SF_E_IO, "cannot put the object '%.*s' into bucket '%.*s'",
                                     SF_ARG(key), SF_ARG(bucket_name(bucket)));
            if (in_the_way)
                sf_hint(err, "a local bucket keeps objects as files: one key cannot be another key's directory");
        }
        close(data_fd);
    }
    sf_territory_leave(op);
    return rc;
}

enum sf_code sf_local_bucket_put(struct sf_op *op, const struct sf_object *bucket, struct sf_str key, struct sf_str bytes,
                                 struct sf_err *err)
{
    struct content content = {bytes, -1, (int64_t)bytes.n};
    return put_content(op, bucket, key, &content, err);
}

static enum sf_code put_file(struct sf_op *op, const struct sf_object *bucket, const struct sf_put_file *file, struct sf_err *err)
{
    struct content content = {file->bytes, -1, file->size};
    /* the cache is the caller's, the bucket the servers': opened before that account is entered */
    if (file->local_path && (content.fd = open(file->local_path, O_RDONLY | O_CLOEXEC)) < 0)
        return sf_fail_errno(err, SF_E_IO, "cannot open '%s'", file->local_path);
    enum sf_code rc = put_content(op, bucket, file->path, &content, err);
    if (content.fd >= 0)
        close(content.fd);
    return rc;
}

enum sf_code sf_local_bucket_put_many(struct sf_op *op, const struct sf_object *bucket, struct sf_put_file *files, size_t n,
                                      const struct sf_put_calls *calls, struct sf_err *err)
{
    enum sf_code rc = calls->ready ? calls->ready(calls->ctx, err) : SF_OK;
    for (size_t i = 0; !rc && i < n; i++) {
        if (sf_op_is_cancelled(op))
            return sf_fail(err, SF_E_CANCELLED, "stopped before '%.*s' was put", SF_ARG(files[i].path));
        rc = put_file(op, bucket, &files[i], err);
        if (!rc && calls->done)
            rc = calls->done(calls->ctx, i, err);
    }
    return rc;
}

/* --- delete --- */

/* Removes the directories above `key` that are empty now. */
static void prune(struct sf_op *op, int data_fd, struct sf_str key)
{
    while (key.n) {
        while (key.n && key.p[key.n - 1] != '/')
            key.n--;
        if (!key.n)
            return;
        key.n--; /* now the directory's own path */
        struct sf_str leaf;
        int parent = open_parent(op, data_fd, key, false, &leaf);
        bool ok = parent >= 0 && unlinkat(parent, leaf.p, AT_REMOVEDIR) == 0;
        if (parent >= 0)
            close(parent);
        if (!ok)
            return;
    }
}

enum sf_code sf_local_bucket_delete(struct sf_op *op, const struct sf_object *bucket, struct sf_str key, struct sf_err *err)
{
    int data_fd;
    struct sf_str leaf;
    enum sf_code rc = sf_local_check_key(key, err);
    if (rc)
        return rc;
    sf_territory_enter(op);
    rc = open_data(op, bucket, &data_fd, err);
    if (rc == SF_OK) {
        int parent = open_parent(op, data_fd, key, false, &leaf);
        bool ok = (parent >= 0 && unlinkat(parent, leaf.p, 0) == 0) || errno == ENOENT || errno == ENOTDIR;
        if (!ok)
            rc = sf_fail_errno(err, SF_E_IO, "cannot delete the object '%.*s' in bucket '%.*s'", SF_ARG(key),
                               SF_ARG(bucket_name(bucket)));
        if (parent >= 0)
            close(parent);
        if (rc == SF_OK)
            prune(op, data_fd, key);
        close(data_fd);
    }
    sf_territory_leave(op);
    return rc == SF_E_ABSENT ? SF_OK : rc;
}
