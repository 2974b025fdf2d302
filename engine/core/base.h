/* The few words every file uses: result codes, attributes for the compiler, and the hard limits.
 *
 * Nothing here does anything. A result code says what class of thing happened; the text for people is in
 * struct sf_err (err.h), which travels beside it. */
#ifndef SF_CORE_BASE_H
#define SF_CORE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SF_MUST_CHECK __attribute__((warn_unused_result))
#define SF_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#define SF_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Result of anything that can fail. SF_OK is zero, so `if (rc)` reads as "if it failed". */
enum sf_code {
    SF_OK = 0,
    SF_E_USAGE,       /* the command line is wrong: exit 64 */
    SF_E_CONFIG,      /* the stack file or a variable is wrong: exit 65 */
    SF_E_AUTH,        /* no, wrong or expired credentials: exit 4 */
    SF_E_DENIED,      /* known caller, action not allowed: exit 4 */
    SF_E_ABSENT,      /* the thing does not exist: an answer, not a failure */
    SF_E_CONFLICT,    /* something of that name exists and is not ours */
    SF_E_THROTTLED,   /* refused for now, cannot have happened: retried by the scheduler */
    SF_E_UNAVAILABLE, /* the other side is down: cannot have happened */
    SF_E_UNKNOWN,     /* timeout, reset, unreadable reply: it may have happened; find() decides. exit 6 */
    SF_E_REFUSED,     /* the other side understood and said no: cannot have happened */
    SF_E_CANCELLED,   /* a signal asked for it: exit 130 or 143 */
    SF_E_LOCKED,      /* another run holds the lock: exit 5 */
    SF_E_STALE,       /* the saved plan no longer fits, or another world's state: exit 5 */
    SF_E_DATA,        /* the data was refused (file structure): exit 1 */
    SF_E_UNPUBLISHED, /* checks or rejects stopped publication: exit 3 */
    SF_E_IO,          /* file system, disk full, permissions */
    SF_E_INTERNAL,    /* a bug of ours */
};

/* Hard maxima. Every buffer that the outside can make grow has one of these. */
enum {
    SF_MAX_YAML_BYTES = 4 * 1024 * 1024,
    SF_MAX_YAML_DEPTH = 32,
    SF_MAX_JSON_BYTES = 64 * 1024 * 1024,
    SF_MAX_JSON_DEPTH = 64,
    SF_MAX_DIAGNOSTICS = 20,
    SF_MAX_RESOURCES = 100000,
    SF_MAX_WORKERS = 256,
    SF_MAX_MESSAGE_BYTES = 1024,
};

#endif
