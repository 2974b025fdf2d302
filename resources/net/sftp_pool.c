/* See sftp_pool.h. */
#include "resources/net/sftp_pool.h"

/* LONG_LOGIN_MS: on loopback and in one data centre a login takes a few dozen; with 50 ms to the server and back over 500. */
enum { MAX_SESSIONS = 12, LONG_LOGIN_MS = 100 };

struct delivery {
    const struct sf_sftp_target *target;
    const struct sf_put_file *files;
    struct sf_sftp_folders *folders;
};

static enum sf_code open_session(struct sf_put_session *session, struct sf_err *err)
{
    const struct delivery *d = session->road->ctx;
    struct sf_sftp_target target = *d->target;
    struct sf_sftp *sftp = NULL;
    target.is_cancelled = session->is_stopped;
    target.ctx = session->ctx;
    target.folders = d->folders;
    enum sf_code rc = sf_sftp_connect(session->arena, &target, &sftp, err);
    session->impl = sftp;
    return rc;
}

static enum sf_code put_file(struct sf_put_session *session, size_t i, struct sf_err *err)
{
    const struct delivery *d = session->road->ctx;
    const struct sf_put_file *file = &d->files[i];
    enum sf_code rc = file->local_path ? sf_sftp_put_file(session->impl, file->path, file->local_path, NULL, err)
                                       : sf_sftp_put_bytes(session->impl, file->path, file->bytes, err);
    if (rc)
        sf_context(err, "while delivering '%.*s'", SF_ARG(file->path));
    return rc;
}

static void close_session(struct sf_put_session *session)
{
    sf_sftp_close(session->impl);
}

enum sf_code sf_sftp_put_many(const struct sf_sftp_target *target, const struct sf_put_file *files, size_t n,
                              const struct sf_put_calls *calls, struct sf_err *err)
{
    struct sf_sftp_folders folders;
    struct delivery delivery = {target, files, &folders};
    const struct sf_put_road road = {.max_sessions = MAX_SESSIONS,
                                     .patience_ms = LONG_LOGIN_MS,
                                     .open = open_session,
                                     .put = put_file,
                                     .close = close_session,
                                     .is_cancelled = target->is_cancelled,
                                     .cancel_ctx = target->ctx,
                                     .ctx = &delivery};
    struct sf_arena *arena = sf_arena_new();
    int *steps = SF_NEW_ARRAY(arena, n + 1, int);
    for (size_t i = 0; i < n; i++)
        steps[i] = files[i].step;
    sf_sftp_folders_open(&folders);
    enum sf_code rc = sf_put_all(&road, steps, n, calls, err);
    sf_sftp_folders_close(&folders);
    sf_arena_free(arena);
    return rc;
}
