/* Many files put over several SFTP sessions at once: what a long line needs, since libssh2 asks one thing at a time and waits for
 * the answer, and a file takes four to six questions.
 *
 * One session is opened first. Only if its login takes long, which is what a long line looks like, are more opened: on a short one
 * they would cost more than they bring. Each has a thread, and memory, of its own; the caller's thread waits and is told. */
#ifndef SF_NET_SFTP_POOL_H
#define SF_NET_SFTP_POOL_H

#include "resources/net/sftp.h"

struct sf_sftp_file {
    struct sf_str path;
    const char *local_path; /* NULL: `bytes` */
    struct sf_str bytes;
    int step; /* files of a higher step are begun when all of lower steps are there */
};

/* What the caller is told, on its own thread. A failure ends the work. Each may be NULL. */
struct sf_sftp_calls {
    enum sf_code (*ready)(void *ctx, struct sf_err *err);          /* logged in; nothing was put yet, nor is before this returns */
    enum sf_code (*done)(void *ctx, size_t i, struct sf_err *err); /* file `i` is there */
    void *ctx;
};

/* Puts all files, ordered by step. Returns SF_OK when all are there; else the first failure, after the other sessions have ended
 * what they were at (see sftp.h for the codes): then any file may be there, not there or partly there, unless ready() was not
 * called. `target` as for sf_sftp_connect(); its is_cancelled is called from several threads. */
enum sf_code sf_sftp_put_many(const struct sf_sftp_target *target, const struct sf_sftp_file *files, size_t n,
                              const struct sf_sftp_calls *calls, struct sf_err *err) SF_MUST_CHECK;

#endif
