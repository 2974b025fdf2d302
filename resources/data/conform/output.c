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

struct sf_output {
    int fd;
    char temporary[PATH_MAX];
    char folder[PATH_MAX];           /* absolute */
    size_t n_objects_dir;            /* of `folder`, with the slash */
    struct sf_pack *pack, *own_pack; /* the latter NULL where it is the caller's */
    SHA256_CTX sha;
    uint64_t rows, bytes, sum;
};

enum sf_code sf_output_make_dir(const char *path, struct sf_err *err)
{
    char part[PATH_MAX];
    size_t n = strlen(path);
    if (n >= sizeof part)
        return sf_fail(err, SF_E_IO, "path '%s' is too long", path);
    memcpy(part, path, n + 1);
    if (mkdir(path, 0777) == 0 || errno == EEXIST)
        return SF_OK;
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

static enum sf_code write_out(struct sf_output *o, struct sf_str piece, struct sf_err *err)
{
    SHA256_Update(&o->sha, piece.p, piece.n);
    o->bytes += piece.n;
    while (piece.n) {
        ssize_t wrote = write(o->fd, piece.p, piece.n);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return sf_fail_errno(err, SF_E_IO, "cannot write '%s'", o->temporary);
        piece = sf_str_slice(piece, (size_t)wrote, piece.n);
    }
    return SF_OK;
}

static enum sf_code add_bytes(struct sf_output *o, struct sf_str s, struct sf_err *err)
{
    while (s.n) {
        struct sf_str piece = sf_pack_add(o->pack, &s);
        enum sf_code rc = piece.n ? write_out(o, piece, err) : SF_OK;
        if (rc)
            return rc;
    }
    return SF_OK;
}

enum sf_code sf_output_open(const char *objects_dir, struct sf_str folder, struct sf_str header, struct sf_output **out,
                            struct sf_err *err)
{
    return sf_output_open_with(NULL, objects_dir, folder, header, out, err);
}

enum sf_code sf_output_open_with(struct sf_pack *pack, const char *objects_dir, struct sf_str folder, struct sf_str header,
                                 struct sf_output **out, struct sf_err *err)
{
    *out = NULL;
    struct sf_output *o = malloc(sizeof *o);
    if (!o)
        sf_out_of_memory();
    o->rows = o->bytes = o->sum = 0;
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
    o->own_pack = pack ? NULL : sf_pack_new();
    o->pack = pack ? pack : o->own_pack;
    if (pack)
        sf_pack_restart(pack);
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
    return sf_output_row_hashed(o, line, sf_text_hash60(line), err);
}

enum sf_code sf_output_row_hashed(struct sf_output *o, struct sf_str line, uint64_t hash, struct sf_err *err)
{
    o->sum += hash;
    o->rows++;
    enum sf_code rc = add_bytes(o, line, err);
    return rc ? rc : add_bytes(o, SF_STR("\n"), err);
}

struct sf_pack *sf_output_pack(struct sf_output *o)
{
    return o->pack;
}

enum sf_code sf_output_text(struct sf_output *o, struct sf_str text, struct sf_err *err)
{
    return add_bytes(o, text, err);
}

enum sf_code sf_output_drain(struct sf_output *o, struct sf_err *err)
{
    return write_out(o, sf_pack_take(o->pack), err);
}

void sf_output_count(struct sf_output *o, uint64_t rows, uint64_t hash)
{
    o->rows += rows;
    o->sum += hash;
}

void sf_output_abandon(struct sf_output *o)
{
    if (!o)
        return;
    sf_pack_free(o->own_pack);
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
    enum sf_code rc = write_out(o, sf_pack_finish(o->pack), err);
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
    sf_pack_free(o->own_pack);
    close(o->fd);
    free(o);
    return SF_OK;
}
