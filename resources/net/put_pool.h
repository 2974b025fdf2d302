/* Many files put over several sessions at once, on whatever road: what a long line needs, where one at a time mostly waits.
 *
 * Each session has a thread, and memory, of its own; the caller's thread waits and is told. */
#ifndef SF_NET_PUT_POOL_H
#define SF_NET_PUT_POOL_H

#include "engine/core/err.h"
#include "engine/core/str.h"

/* What is put. */
struct sf_put_file {
    struct sf_str path;     /* where it goes: a path, or a key */
    const char *local_path; /* NULL: `bytes` */
    struct sf_str bytes;
    int64_t size;         /* of either */
    struct sf_str sha256; /* hex; may be empty */
    int step;             /* files of a higher step are begun when all of lower steps are there */
    struct sf_str etag;   /* set by a bucket that was put to and has such a thing: what it calls these bytes now */
};

/* What the caller is told, on its own thread. A failure ends the work. Each may be NULL. */
struct sf_put_calls {
    enum sf_code (*ready)(void *ctx, struct sf_err *err);          /* nothing was put yet, nor is before this returns */
    enum sf_code (*done)(void *ctx, size_t i, struct sf_err *err); /* item `i` is there */
    void *ctx;
};

/* One session's end of the pool. */
struct sf_put_session {
    const struct sf_put_road *road;
    struct sf_arena *arena;        /* as long as the session */
    void *impl;                    /* open()'s */
    bool (*is_stopped)(void *ctx); /* somebody failed, or the whole was cancelled */
    void *ctx;
};

/* How items get there. All are called on the session's own thread. */
struct sf_put_road {
    size_t max_sessions;
    /* One session is opened first. Only if it takes longer than this are more: on a short line they would cost more than they
     * bring. 0: all at once. */
    int64_t patience_ms;
    enum sf_code (*open)(struct sf_put_session *session, struct sf_err *err);
    enum sf_code (*put)(struct sf_put_session *session, size_t i, struct sf_err *err);
    void (*close)(struct sf_put_session *session); /* also after open() failed */
    bool (*is_cancelled)(void *ctx);               /* called from several threads; NULL: never */
    void *cancel_ctx;
    const void *ctx; /* the road's own */
};

/* Puts items 0 to n-1, ordered by step (NULL: all of one). SF_OK when all are there; else the first failure, after the other
 * sessions have ended what they were at: then any item may be there, not there or partly there, unless ready() was not called. */
enum sf_code sf_put_all(const struct sf_put_road *road, const int *steps, size_t n, const struct sf_put_calls *calls,
                        struct sf_err *err) SF_MUST_CHECK;

#endif
