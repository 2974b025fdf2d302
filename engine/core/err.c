/* See err.h. */
#include "engine/core/err.h"

#include <errno.h>
#include <stdio.h>

static void fill(struct sf_err *err, enum sf_code code, const char *fmt, va_list ap)
{
    *err = (struct sf_err){.code = code};
    vsnprintf(err->message, sizeof(err->message), fmt, ap);
}

enum sf_code(sf_fail)(struct sf_err *err, enum sf_code code, const char *fmt, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        fill(err, code, fmt, ap);
        va_end(ap);
    }
    return code;
}

void sf_hint(struct sf_err *err, const char *fmt, ...)
{
    if (!err)
        return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err->hint, sizeof(err->hint), fmt, ap);
    va_end(ap);
}

void sf_context(struct sf_err *err, const char *fmt, ...)
{
    if (!err)
        return;
    char rest[sizeof(err->message)];
    memcpy(rest, err->message, sizeof(rest));
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(err->message, sizeof(err->message), fmt, ap);
    va_end(ap);
    struct sf_buf text = SF_BUF(sizeof(err->message) * 2);
    sf_buf_addf(&text, "%s: %s", n < 0 ? "" : err->message, rest);
    size_t kept = text.n < sizeof(err->message) ? text.n : sizeof(err->message) - 1;
    memcpy(err->message, text.p, kept);
    err->message[kept] = 0;
    sf_buf_free(&text);
}

enum sf_code(sf_fail_errno)(struct sf_err *err, enum sf_code code, const char *fmt, ...)
{
    int cause = errno;
    if (!err)
        return code;
    va_list ap;
    va_start(ap, fmt);
    fill(err, code, fmt, ap);
    va_end(ap);
    size_t n = strlen(err->message);
    char text[128];
    snprintf(err->message + n, sizeof(err->message) - n, ": %s", strerror_r(cause, text, sizeof(text)));
    if (cause == ENOSPC || cause == EDQUOT)
        sf_hint(err, "free some disk space and run the command again; nothing that was recorded is lost");
    return code;
}

int sf_exit_code(enum sf_code code)
{
    switch (code) {
    case SF_OK:
        return 0;
    case SF_E_USAGE:
        return 64;
    case SF_E_CONFIG:
        return 65;
    case SF_E_AUTH:
    case SF_E_DENIED:
        return 4;
    case SF_E_LOCKED:
    case SF_E_STALE:
        return 5;
    case SF_E_UNKNOWN:
        return 6;
    case SF_E_UNPUBLISHED:
        return 3;
    case SF_E_CANCELLED:
        return 130;
    case SF_E_ABSENT:
    case SF_E_CONFLICT:
    case SF_E_THROTTLED:
    case SF_E_UNAVAILABLE:
    case SF_E_REFUSED:
    case SF_E_DATA:
    case SF_E_IO:
    case SF_E_INTERNAL:
        return 1;
    }
    return 1;
}
