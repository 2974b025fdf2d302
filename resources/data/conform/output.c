/* See output.h. */
#define OPENSSL_SUPPRESS_DEPRECATED /* the plain context costs a tenth of EVP's for short texts */
#include "resources/data/conform/output.h"

#include "engine/core/clock.h"
#include "resources/data/conform/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { IN_BYTES = 128 * 1024, OUT_BYTES = 128 * 1024, LEVEL = 1, GZIP_WINDOW = 15 + 16 };

struct sf_output {
    int fd;
    char temporary[PATH_MAX];
    char folder[PATH_MAX]; /* absolute */
    size_t n_objects_dir;  /* of `folder`, with the slash */
    z_stream z;
    SHA256_CTX sha;
    uint64_t rows, bytes, sum;
    size_t n_in;
    char in[IN_BYTES];
    unsigned char out[OUT_BYTES];
};

enum sf_code sf_output_make_dir(const char *path, struct sf_err *err)
{
    char part[PATH_MAX];
    size_t n = strlen(path);
    if (n >= sizeof part)
        return sf_fail(err, SF_E_IO, "path '%s' is too long", path);
    memcpy(part, path, n + 1);
    for (size_t i = 1; i <= n; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        char kept = part[i];
        part[i] = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            return sf_fail_errno(err, SF_E_IO, "cannot make directory '%s'", part);
        part[i] = kept;
    }
    return SF_OK;
}

static enum sf_code write_out(struct sf_output *o, size_t n, struct sf_err *err)
{
    SHA256_Update(&o->sha, o->out, n);
    o->bytes += n;
    for (size_t done = 0; done < n;) {
        ssize_t wrote = write(o->fd, o->out + done, n - done);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return sf_fail_errno(err, SF_E_IO, "cannot write '%s'", o->temporary);
        done += (size_t)wrote;
    }
    return SF_OK;
}

static enum sf_code compress_in(struct sf_output *o, int flush, struct sf_err *err)
{
    o->z.next_in = (unsigned char *)o->in;
    o->z.avail_in = (unsigned)o->n_in;
    o->n_in = 0;
    int state;
    do {
        o->z.next_out = o->out;
        o->z.avail_out = OUT_BYTES;
        state = deflate(&o->z, flush);
        if (state != Z_OK && state != Z_STREAM_END && state != Z_BUF_ERROR)
            return sf_fail(err, SF_E_INTERNAL, "deflate failed with %d", state);
        size_t n = OUT_BYTES - o->z.avail_out;
        enum sf_code rc = n ? write_out(o, n, err) : SF_OK;
        if (rc)
            return rc;
    } while (o->z.avail_out == 0 || (flush == Z_FINISH && state != Z_STREAM_END));
    return SF_OK;
}

static enum sf_code add_bytes(struct sf_output *o, struct sf_str s, struct sf_err *err)
{
    while (s.n) {
        size_t room = IN_BYTES - o->n_in, n = s.n < room ? s.n : room;
        memcpy(o->in + o->n_in, s.p, n);
        o->n_in += n;
        s.p += n;
        s.n -= n;
        if (o->n_in == IN_BYTES) {
            enum sf_code rc = compress_in(o, Z_NO_FLUSH, err);
            if (rc)
                return rc;
        }
    }
    return SF_OK;
}

enum sf_code sf_output_open(const char *objects_dir, struct sf_str folder, struct sf_str header, struct sf_output **out,
                            struct sf_err *err)
{
    *out = NULL;
    struct sf_output *o = malloc(sizeof *o);
    if (!o)
        sf_out_of_memory();
    o->rows = o->bytes = o->sum = 0;
    o->n_in = 0;
    o->n_objects_dir = strlen(objects_dir) + 1;
    int n = snprintf(o->folder, sizeof o->folder, "%s/%.*s", objects_dir, SF_ARG(folder));
    int m = snprintf(o->temporary, sizeof o->temporary, "%s/.new-XXXXXX", objects_dir);
    if (n < 0 || m < 0 || (size_t)n + 32 > sizeof o->folder || (size_t)m >= sizeof o->temporary) {
        free(o);
        return sf_fail(err, SF_E_IO, "path '%s' is too long", objects_dir);
    }
    enum sf_code rc = sf_output_make_dir(o->folder, err);
    if (rc) {
        free(o);
        return rc;
    }
    o->fd = mkostemp(o->temporary, O_CLOEXEC);
    if (o->fd < 0) {
        rc = sf_fail_errno(err, SF_E_IO, "cannot make a file in '%s'", objects_dir);
        free(o);
        return rc;
    }
    fchmod(o->fd, 0644);
    memset(&o->z, 0, sizeof o->z);
    if (deflateInit2(&o->z, LEVEL, Z_DEFLATED, GZIP_WINDOW, 9, Z_DEFAULT_STRATEGY) != Z_OK)
        sf_out_of_memory();
    SHA256_Init(&o->sha);
    *out = o;
    rc = add_bytes(o, header, err);
    if (!rc)
        rc = add_bytes(o, SF_STR("\n"), err);
    if (rc) {
        sf_output_abandon(o);
        *out = NULL;
    }
    return rc;
}

enum sf_code sf_output_row(struct sf_output *o, struct sf_str line, struct sf_err *err)
{
    o->sum += sf_text_hash60(line);
    o->rows++;
    enum sf_code rc = add_bytes(o, line, err);
    return rc ? rc : add_bytes(o, SF_STR("\n"), err);
}

void sf_output_abandon(struct sf_output *o)
{
    if (!o)
        return;
    deflateEnd(&o->z);
    close(o->fd);
    unlink(o->temporary);
    free(o);
}

static enum sf_code put_in_place(struct sf_output *o, const char *path, struct sf_err *err)
{
    struct stat st;
    if (stat(path, &st) == 0 && st.st_size >= 0 && (uint64_t)st.st_size == o->bytes) {
        unlink(o->temporary);
        return SF_OK;
    }
    if (rename(o->temporary, path) != 0)
        return sf_fail_errno(err, SF_E_IO, "cannot rename '%s' to '%s'", o->temporary, path);
    return SF_OK;
}

enum sf_code sf_output_close(struct sf_output *o, struct sf_arena *arena, struct sf_object_file *object, struct sf_err *err)
{
    enum sf_code rc = compress_in(o, Z_FINISH, err);
    if (rc) {
        sf_output_abandon(o);
        return rc;
    }
    unsigned char sum[SHA256_DIGEST_LENGTH];
    SHA256_Final(sum, &o->sha);
    sf_text_hex(sum, sizeof sum, object->sha256);
    object->sha256[64] = '\0';
    object->rows = o->rows;
    object->bytes = o->bytes;
    struct sf_str counted = sf_str_fmt(arena, "%llu:%llu", (unsigned long long)o->rows, (unsigned long long)o->sum);
    memcpy(object->digest, sf_sha256_hex(arena, counted).p, 16);
    object->digest[16] = '\0';
    struct sf_str path = sf_str_fmt(arena, "%s/%.16s.csv.gz", o->folder, object->sha256);
    object->key = sf_str_slice(path, o->n_objects_dir, path.n);
    rc = put_in_place(o, path.p, err);
    if (rc) {
        sf_output_abandon(o);
        return rc;
    }
    deflateEnd(&o->z);
    close(o->fd);
    free(o);
    return SF_OK;
}
