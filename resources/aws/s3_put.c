/* See s3_put.h. What is put is cut into units, a small file or a part of a large one; who puts the last part of a file makes it an
 * object. A unit is its thread's alone; what the units of a file share are its parts, each written by one thread, and a counter. */
#include "resources/aws/s3_put.h"

#include "resources/aws/s3_multipart.h"

#include "engine/core/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* A try that was turned away is made again here: given back to the engine, it would have all others end. */
enum { MAX_SESSIONS = 8, MAX_TRIES = 5, FIRST_PAUSE_MS = 100 };

/* One file on its way. */
struct file {
    struct sf_put_file *put;
    struct sf_s3_upload upload; /* n_parts 0: put whole */
    int64_t part_bytes;
    char etag[SF_S3_MAX_ETAG];
    atomic_size_t n_left; /* units that are not there yet */
    size_t n_told;
};

struct unit {
    struct file *file;
    size_t part; /* from 0 */
};

struct job {
    struct sf_op *op;
    struct sf_str bucket;
    struct file *files;
    struct unit *units;
    size_t n_units;
    const struct sf_put_calls *calls; /* of files */
};

/* A thread's own: a unit's bytes. As large as they were so far, for most files are far smaller than a part. */
struct session {
    char *window;
    size_t size;
};

/* --- reading --- */

static enum sf_code read_all(const char *path, int64_t at, char *bytes, size_t n, bool is_end, struct sf_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t have = 0;
    char more;
    if (fd < 0)
        return sf_fail_errno(err, SF_E_IO, "cannot open '%s'", path);
    ssize_t got = 1;
    while (have < n && got) {
        got = pread(fd, bytes + have, n - have, (off_t)(at + (int64_t)have));
        if (got < 0 && errno != EINTR)
            break;
        have += got > 0 ? (size_t)got : 0;
    }
    bool is_longer = is_end && have == n && pread(fd, &more, 1, (off_t)(at + (int64_t)n)) > 0;
    int cause = errno;
    close(fd);
    errno = cause;
    if (got < 0)
        return sf_fail_errno(err, SF_E_IO, "cannot read '%s'", path);
    if (have == n && !is_longer)
        return SF_OK;
    sf_fail(err, SF_E_STALE, "'%s' changed while it was put", path);
    sf_hint(err, "plan again: the cache is rebuilt from the source");
    return SF_E_STALE;
}

/* The unit's bytes: in the session's window, or where they are. */
static enum sf_code load(struct session *s, const struct unit *unit, struct sf_str *bytes, struct sf_err *err)
{
    const struct file *file = unit->file;
    int64_t at = (int64_t)unit->part * file->part_bytes, left = file->put->size - at;
    size_t n = (size_t)(left < file->part_bytes ? left : file->part_bytes);
    if (!file->put->local_path) {
        *bytes = sf_str_slice(file->put->bytes, (size_t)at, (size_t)at + n);
        return SF_OK;
    }
    if (s->size < n) {
        free(s->window);
        s->size = n;
        s->window = malloc(n);
        if (!s->window)
            sf_out_of_memory();
    }
    *bytes = (struct sf_str){s->window, n};
    return read_all(file->put->local_path, at, s->window, n, left <= file->part_bytes, err);
}

/* --- one unit --- */

static struct sf_aws_call call_of(struct sf_op *op, const struct job *job, const struct unit *unit, struct sf_str bytes,
                                  struct sf_str digest)
{
    const struct file *file = unit->file;
    struct sf_aws_call call = {.service = SF_AWS_S3,
                               .action = "PutObject",
                               .effect = SF_AWS_PUT,
                               .method = "PUT",
                               .bucket = job->bucket,
                               .key = file->put->path,
                               .body = bytes,
                               .body_sha256 = digest,
                               .is_announced = true,
                               .resource = sf_s3_key_arn(op, job->bucket, file->put->path)};
    if (file->upload.n_parts) {
        struct sf_value *query = sf_value_map(op->arena);
        sf_map_set_str(op->arena, query, "partNumber", sf_str_fmt(op->arena, "%zu", unit->part + 1));
        sf_map_set_str(op->arena, query, "uploadId", file->upload.id);
        call.action = "UploadPart";
        call.permission = "s3:PutObject";
        call.query = query;
    }
    return call;
}

static void keep_etag(char *to, struct sf_str etag)
{
    etag = sf_s3_bare_etag(etag);
    snprintf(to, SF_S3_MAX_ETAG, "%.*s", (int)(etag.n < SF_S3_MAX_ETAG ? etag.n : 0), etag.n ? etag.p : "");
}

/* Waits a little; false when there is no more trying. */
static bool may_try_again(const struct sf_put_session *session, const struct sf_op *op, enum sf_code rc, const struct sf_err *err,
                          int tries)
{
    int64_t pause_ms = (int64_t)FIRST_PAUSE_MS << tries;
    uint32_t random;
    sf_random_bytes(&random, sizeof(random));
    pause_ms = pause_ms / 2 + random % (pause_ms / 2 + 1);
    if ((rc != SF_E_UNAVAILABLE && rc != SF_E_THROTTLED) || tries + 1 >= MAX_TRIES || err->retry_after_ms > 2 * pause_ms ||
        session->is_stopped(session->ctx) || (op->deadline_ms && sf_clock_ms() + pause_ms >= op->deadline_ms))
        return false;
    nanosleep(&(struct timespec){.tv_sec = pause_ms / 1000, .tv_nsec = pause_ms % 1000 * 1000000}, NULL);
    return !session->is_stopped(session->ctx);
}

/* A part that is there from an earlier run: S3's checksum says so, or where it has none the MD5 that is the ETag of a part. */
static bool is_there(const struct sf_s3_part_put *part, struct sf_str bytes, const char *checksum)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE + 1] = "";
    unsigned int n = 0;
    if (!part->is_there || part->bytes != (int64_t)bytes.n)
        return false;
    if (part->checksum[0])
        return strcmp(part->checksum, checksum) == 0;
    if (EVP_Digest(bytes.p, bytes.n, digest, &n, EVP_md5(), NULL) != 1)
        return false;
    for (unsigned int i = 0; i < n; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return strcmp(part->etag, hex) == 0;
}

/* Sends the unit as often as it takes; the reply's ETag to `etag`. */
static enum sf_code send_unit(const struct sf_put_session *session, const struct job *job, const struct unit *unit,
                              struct sf_str bytes, struct sf_str digest, char *etag, struct sf_err *err)
{
    enum sf_code rc = SF_OK;
    for (int tries = 0;; tries++) {
        struct sf_op op = *job->op;
        const struct sf_value *reply = NULL;
        op.arena = sf_arena_new();
        *err = (struct sf_err){0};
        struct sf_aws_call call = call_of(&op, job, unit, bytes, digest);
        rc = session->is_stopped(session->ctx) ? sf_fail(err, SF_E_CANCELLED, "stopped before '%.*s' was put", SF_ARG(call.key))
                                               : sf_aws_call(&op, &call, &reply, err);
        if (!rc)
            keep_etag(etag, sf_aws_text(reply, "etag"));
        if (rc == SF_E_ABSENT && sf_aws_is_error(err, "NoSuchUpload", NULL)) /* somebody ended it: the next try begins anew */
            rc = err->code = SF_E_UNAVAILABLE;
        else if (rc && may_try_again(session, &op, rc, err, tries)) {
            sf_arena_free(op.arena);
            continue;
        }
        sf_arena_free(op.arena);
        return rc;
    }
}

static enum sf_code finish(const struct sf_put_session *session, const struct job *job, struct file *file, struct sf_err *err)
{
    for (int tries = 0;; tries++) {
        struct sf_op op = *job->op;
        struct sf_str etag = SF_STR_NONE;
        op.arena = sf_arena_new();
        *err = (struct sf_err){0};
        enum sf_code rc = sf_s3_upload_finish(&op, job->bucket, &file->upload, &etag, err);
        if (!rc)
            keep_etag(file->etag, etag);
        /* an answer was lost, and it was finished then: looking at the object will tell */
        bool is_done = rc == SF_E_ABSENT && tries > 0 && sf_aws_is_error(err, "NoSuchUpload", NULL);
        if (rc == SF_E_ABSENT && !is_done) /* somebody ended it: the next try begins anew */
            rc = err->code = SF_E_UNAVAILABLE;
        bool is_again =
            rc && !is_done && !sf_aws_is_error(err, "NoSuchUpload", NULL) && may_try_again(session, &op, rc, err, tries);
        sf_arena_free(op.arena);
        if (!is_again)
            return is_done ? SF_OK : rc;
    }
}

static enum sf_code put_unit(struct sf_put_session *session, size_t i, struct sf_err *err)
{
    const struct job *job = session->road->ctx;
    const struct unit *unit = &job->units[i];
    struct file *file = unit->file;
    struct sf_s3_part_put *part = file->upload.n_parts ? &file->upload.parts[unit->part] : NULL;
    unsigned char digest[EVP_MAX_MD_SIZE], checksum[SF_S3_MAX_CHECKSUM];
    struct sf_str bytes;
    enum sf_code rc = load(session->impl, unit, &bytes, err);
    if (!rc && EVP_Digest(bytes.p ? bytes.p : "", bytes.n, digest, NULL, EVP_sha256(), NULL) != 1)
        sf_out_of_memory();
    if (!rc) {
        EVP_EncodeBlock(checksum, digest, SF_S3_DIGEST_BYTES);
        struct sf_str known = {(const char *)digest, SF_S3_DIGEST_BYTES};
        if (!part)
            rc = send_unit(session, job, unit, bytes, known, file->etag, err);
        else if (!is_there(part, bytes, (const char *)checksum))
            rc = send_unit(session, job, unit, bytes, known, part->etag, err);
    }
    if (!rc && part)
        snprintf(part->checksum, sizeof(part->checksum), "%s", (const char *)checksum);
    if (!rc && atomic_fetch_sub(&file->n_left, 1) == 1 && part)
        rc = finish(session, job, file, err);
    if (rc)
        sf_context(err, "while delivering '%.*s'", SF_ARG(file->put->path));
    return rc;
}

/* --- the whole --- */

static enum sf_code open_session(struct sf_put_session *session, struct sf_err *err)
{
    (void)err;
    session->impl = SF_NEW(session->arena, struct session);
    return SF_OK;
}

static void close_session(struct sf_put_session *session)
{
    struct session *s = session->impl;
    free(s->window);
}

static bool is_op_cancelled(void *op)
{
    return sf_op_is_cancelled(op);
}

/* A file is there when its last unit was told. */
static enum sf_code tell(void *ctx, size_t i, struct sf_err *err)
{
    const struct job *job = ctx;
    struct file *file = job->units[i].file;
    size_t n_units = file->upload.n_parts ? file->upload.n_parts : 1;
    if (++file->n_told < n_units)
        return SF_OK;
    file->put->etag = sf_str_dup(job->op->arena, sf_str_of(file->etag));
    return job->calls->done ? job->calls->done(job->calls->ctx, (size_t)(file - job->files), err) : SF_OK;
}

static enum sf_code cut(struct job *job, struct sf_put_file *files, size_t n, int **steps, struct sf_err *err)
{
    struct sf_arena *arena = job->op->arena;
    size_t n_units = 0, at = 0;
    enum sf_code rc = SF_OK;
    job->files = SF_NEW_ARRAY(arena, n + 1, struct file);
    for (size_t i = 0; i < n; i++) {
        struct file *file = &job->files[i];
        file->put = &files[i];
        file->part_bytes = sf_s3_part_bytes(files[i].size);
        file->upload.key = files[i].path;
        if (files[i].size > file->part_bytes)
            file->upload.n_parts = (size_t)((files[i].size + file->part_bytes - 1) / file->part_bytes);
        file->upload.parts = SF_NEW_ARRAY(arena, file->upload.n_parts + 1, struct sf_s3_part_put);
        atomic_init(&file->n_left, file->upload.n_parts ? file->upload.n_parts : 1);
        n_units += file->upload.n_parts ? file->upload.n_parts : 1;
    }
    job->units = SF_NEW_ARRAY(arena, n_units + 1, struct unit);
    *steps = SF_NEW_ARRAY(arena, n_units + 1, int);
    for (size_t i = 0; !rc && i < n; i++) {
        struct file *file = &job->files[i];
        for (size_t part = 0; part == 0 || part < file->upload.n_parts; part++, at++) {
            job->units[at] = (struct unit){file, part};
            (*steps)[at] = files[i].step;
        }
        if (file->upload.n_parts)
            rc = sf_s3_upload_begin(job->op, job->bucket, &file->upload, err);
    }
    job->n_units = at;
    return rc;
}

enum sf_code sf_aws_bucket_put_many(struct sf_op *op, const struct sf_object *bucket, struct sf_put_file *files, size_t n,
                                    const struct sf_put_calls *calls, struct sf_err *err)
{
    struct job job = {.op = op, .bucket = bucket->id, .calls = calls};
    int *steps;
    enum sf_code rc = calls->ready ? calls->ready(calls->ctx, err) : SF_OK;
    if (!rc)
        rc = cut(&job, files, n, &steps, err);
    if (rc)
        return rc;
    const struct sf_put_road road = {.max_sessions = MAX_SESSIONS,
                                     .open = open_session,
                                     .put = put_unit,
                                     .close = close_session,
                                     .is_cancelled = is_op_cancelled,
                                     .cancel_ctx = op,
                                     .ctx = &job};
    const struct sf_put_calls told = {.done = tell, .ctx = &job};
    return sf_put_all(&road, steps, job.n_units, &told, err);
}

enum sf_code sf_aws_bucket_abandon(struct sf_op *op, const struct sf_object *bucket, struct sf_str prefix,
                                   const struct sf_map *keys, struct sf_err *err)
{
    enum sf_code rc = sf_s3_uploads_abort(op, bucket->id, prefix, keys, err);
    return rc == SF_E_ABSENT ? SF_OK : rc;
}
