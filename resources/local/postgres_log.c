/* What a local cluster's server wrote into its log when it gave up (postgres.h): the reason that a client is not told.
 *
 * A PostgreSQL that cannot write its own log of changes panics: every session ends, and all that a client sees is a connection
 * lost. Only what was written since the cluster was loaded counts, so that an old reason explains nothing new. */
#include "resources/local/postgres.h"

#include <fcntl.h>
#include <unistd.h>

enum { LOG_TAIL_BYTES = 8192 };

const char *sf_postgres_log(struct sf_op *op, const struct sf_postgres *pg)
{
    return sf_str_fmt(op->arena, "%s/log", pg->dir).p;
}

static int open_log(struct sf_op *op, const struct sf_postgres *pg)
{
    sf_territory_enter(op);
    int fd = open(sf_postgres_log(op, pg), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    sf_territory_leave(op);
    return fd;
}

int64_t sf_postgres_log_end(struct sf_op *op, const struct sf_postgres *pg)
{
    int fd = open_log(op, pg);
    if (fd < 0) {
        return 0;
    }
    off_t end = lseek(fd, 0, SEEK_END);
    close(fd);
    return end > 0 ? end : 0;
}

struct sf_str sf_postgres_log_reason(struct sf_str text)
{
    static const char *const severities[] = {"PANIC:  ", "FATAL:  "}; /* FATAL is also what it says to others while it recovers */
    for (size_t i = 0; i < SF_COUNT(severities); i++) {
        struct sf_str severity = sf_str_of(severities[i]), rest = text, found = SF_STR_NONE;
        for (size_t at; (at = sf_str_find(rest, severity)) != SIZE_MAX;) {
            rest = found = sf_str_slice(rest, at + severity.n, rest.n);
        }
        if (found.n) {
            size_t end = sf_str_find(found, SF_STR("\n"));
            return end == SIZE_MAX ? found : sf_str_slice(found, 0, end);
        }
    }
    return SF_STR_NONE;
}

/* The end of what was logged since. */
static struct sf_str tail_of(struct sf_op *op, const struct sf_postgres *pg)
{
    char *bytes = sf_arena_alloc(op->arena, LOG_TAIL_BYTES);
    int64_t tail = sf_postgres_log_end(op, pg) - LOG_TAIL_BYTES;
    int fd = open_log(op, pg);
    if (fd < 0) {
        return SF_STR_NONE;
    }
    ssize_t n = pread(fd, bytes, LOG_TAIL_BYTES, tail > pg->log_end ? tail : pg->log_end);
    close(fd);
    return (struct sf_str){bytes, n > 0 ? (size_t)n : 0};
}

struct sf_str sf_postgres_reason(struct sf_op *op, const struct sf_postgres *pg)
{
    return sf_postgres_log_reason(tail_of(op, pg));
}

bool sf_postgres_has_logged(struct sf_op *op, const struct sf_postgres *pg, const char *text)
{
    return sf_str_find(tail_of(op, pg), sf_str_of(text)) != SIZE_MAX;
}

enum sf_code sf_postgres_full(const struct sf_postgres *pg, struct sf_str reason, enum sf_code rc, struct sf_err *err)
{
    if (sf_str_find(reason, SF_STR("No space left on device")) == SIZE_MAX) {
        return rc;
    }
    sf_hint(err, "free space where '%s' lies, then run again: what is unfinished is finished then", pg->dir);
    if (rc == SF_E_UNAVAILABLE) {
        rc = SF_E_IO; /* nothing was changed, and waiting does not help */
        if (err) {
            err->code = rc;
        }
    }
    return rc;
}

enum sf_code sf_postgres_blame(struct sf_op *op, const struct sf_postgres *pg, enum sf_code rc, struct sf_err *err)
{
    struct sf_str reason = SF_STR_NONE;
    if (rc == SF_E_UNAVAILABLE || rc == SF_E_UNKNOWN) {
        reason = sf_postgres_reason(op, pg);
    }
    if (!reason.n) {
        return rc;
    }
    sf_context(err, "cluster '%.*s' gave up (%.*s)", SF_ARG(pg->id), SF_ARG(reason));
    return sf_postgres_full(pg, reason, rc, err);
}
