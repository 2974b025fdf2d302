/* Errors: a result code plus one explicit object, passed down as the last parameter and filled where the cause is known.
 *
 * No thread-local state, no exit deep inside. The object is plain memory, so it crosses the worker queue by copy.
 * Message style: lower case, no full stop, the object in single quotes; the hint is one thing the person can do. */
#ifndef SF_CORE_ERR_H
#define SF_CORE_ERR_H

#include "engine/core/str.h"

/* A place in a file of the user's. line is 1-based, 0 when there is no place; column counts characters from 1. */
struct sf_mark {
    const char *file; /* NUL-terminated, lives as long as the run */
    uint32_t line;
    uint32_t column;
    uint32_t length; /* characters under the carets; 0 counts as 1 */
};

struct sf_err {
    enum sf_code code;
    char id[8];           /* "SF0214" for config errors, empty otherwise */
    char remote_code[64]; /* what the other side called it: SQLSTATE, AWS error code, SSH error */
    char request_id[64];
    struct sf_mark where;
    int64_t retry_after_ms; /* of a throttled call: when the other side said to come back; 0: it did not */
    char message[SF_MAX_MESSAGE_BYTES];
    char hint[SF_MAX_MESSAGE_BYTES];
};

/* Fills `err` (which may be NULL) and returns `code`, so that failing is one statement. Clears an earlier hint. */
enum sf_code sf_fail(struct sf_err *err, enum sf_code code, const char *fmt, ...) SF_PRINTF(3, 4);
/* Adds the hint line to an error just filled. */
void sf_hint(struct sf_err *err, const char *fmt, ...) SF_PRINTF(2, 3);
/* Prefixes the message: "while creating bucket 'x': ...". Once per layer that knows something useful. */
void sf_context(struct sf_err *err, const char *fmt, ...) SF_PRINTF(2, 3);
/* sf_fail() with ": " and the text of errno at the time of the call; ENOSPC and EDQUOT get their hint. */
enum sf_code sf_fail_errno(struct sf_err *err, enum sf_code code, const char *fmt, ...) SF_PRINTF(3, 4);
#ifdef SF_ANALYZE /* static analysis of one file does not see into err.c: what a failing call returns is the code it was given */
#define sf_fail(err, code, ...) ((void)(sf_fail)((err), (code), __VA_ARGS__), (code))
#define sf_fail_errno(err, code, ...) ((void)(sf_fail_errno)((err), (code), __VA_ARGS__), (code))
#endif
/* The process exit code for a result (DESIGN: exit codes). */
int sf_exit_code(enum sf_code code);

#endif
