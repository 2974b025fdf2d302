/* See progress.h. */
#include "engine/cli/progress.h"

#include "engine/core/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { HEARTBEAT_MS = 30000, SHORT_MS = 1000, RATE_MS = 500, DEFAULT_COLUMNS = 80, MAX_LINE_BYTES = 400 };

#define CLEAR_LINE "\r\033[K"

/* "30s", "30", "0": seconds; anything else counts as nothing said. */
static int64_t heartbeat_ms(void)
{
    struct sf_str text = sf_str_of(getenv("SF_HEARTBEAT"));
    int64_t seconds;
    if (sf_str_ends(text, SF_STR("s")))
        text.n--;
    return sf_str_int64(text, &seconds) && seconds >= 0 && seconds <= 86400 ? seconds * 1000 : HEARTBEAT_MS;
}

void sf_progress_init(struct sf_progress_display *display, bool is_terminal)
{
    *display = (struct sf_progress_display){.is_terminal = is_terminal, .heartbeat_ms = heartbeat_ms()};
}

/* --- words --- */

static void add_number(struct sf_buf *out, uint64_t n, bool is_bytes)
{
    char digits[24];
    if (is_bytes) {
        sf_buf_addf(out, n < 9950000 ? "%.1f" : "%.0f", (double)n / 1e6);
        return;
    }
    int length = snprintf(digits, sizeof digits, "%" PRIu64, n);
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            sf_buf_addc(out, ',');
        sf_buf_addc(out, digits[i]);
    }
}

static void add_time(struct sf_buf *out, double seconds)
{
    if (seconds < 90)
        sf_buf_addf(out, "%.0f s", seconds < 1 ? 1 : seconds);
    else if (seconds < 5400)
        sf_buf_addf(out, "%.0f min", seconds / 60);
    else
        sf_buf_addf(out, "%.1f h", seconds / 3600);
}

void sf_progress_describe(struct sf_buf *out, const struct sf_progress *p, int64_t now_ms)
{
    bool is_bytes = strcmp(p->unit, "bytes") == 0;
    const char *unit = is_bytes ? "MB" : p->unit;
    sf_buf_add_shown(out, sf_str_of(p->what), ""); /* names and addresses in it are other people's */
    if (!p->unit[0])
        return;
    sf_buf_addz(out, ": ");
    add_number(out, p->done, is_bytes);
    if (p->total >= p->done && p->total > 0) {
        sf_buf_addz(out, " of ");
        add_number(out, p->total, is_bytes);
    }
    sf_buf_addf(out, " %s", unit);
    int64_t took_ms = now_ms - p->first_ms;
    if (took_ms < RATE_MS || p->done <= p->first_done)
        return;
    double rate = (double)(p->done - p->first_done) * 1000 / (double)took_ms;
    sf_buf_addz(out, ", ");
    add_number(out, (uint64_t)rate, is_bytes);
    sf_buf_addf(out, "%s a second", is_bytes ? " MB" : "");
    if (p->total > p->done) {
        sf_buf_addz(out, ", ");
        add_time(out, (double)(p->total - p->done) / rate);
        sf_buf_addz(out, " left");
    }
}

/* --- which calls --- */

static bool is_running(const struct sf_run_ctx *call, int64_t *since_ms)
{
    const struct sf_step *step = call->step;
    *since_ms = step ? step->started_ms : call->reading_since_ms;
    return step ? step->status == SF_STATUS_RUNNING && step->verb != SF_VERB_RECORD : call->reading_since_ms != 0;
}

bool sf_progress_is_due(const struct sf_progress_display *display, struct sf_run_ctx *call, int64_t now_ms, int64_t *since_ms)
{
    if (!is_running(call, since_ms))
        return false;
    int64_t last = call->told_ms > *since_ms ? call->told_ms : *since_ms;
    if (now_ms - last < display->heartbeat_ms)
        return false;
    call->told_ms = now_ms;
    return true;
}

/* --- the line on a terminal --- */

static size_t columns(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col : DEFAULT_COLUMNS;
}

/* As much of it as fits into one line: a wider one could not be written over. Wide characters count as one, which costs a line. */
static struct sf_str fitting(struct sf_str text, size_t n_columns)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n && i < MAX_LINE_BYTES; i++)
        if (((unsigned char)text.p[i] & 0xc0) != 0x80 && ++n == n_columns)
            return sf_str_slice(text, 0, i);
    return sf_str_slice(text, 0, MAX_LINE_BYTES);
}

void sf_progress_show(struct sf_progress_display *display, struct sf_run *run)
{
    struct sf_buf line = SF_BUF(SF_MAX_MESSAGE_BYTES);
    int64_t now = sf_clock_ms(), since = 0, longest = 0;
    const struct sf_run_ctx *told = NULL;
    struct sf_progress progress = {.done = 0};
    size_t n = 0;
    pthread_mutex_lock(&run->mutex);
    for (size_t i = 0; i < run->n_calls; i++) {
        const struct sf_run_ctx *call = run->calls[i];
        if (!is_running(call, &since) || now - since < SHORT_MS)
            continue;
        n++;
        if (!told || (call->progress.what[0] && !progress.what[0])) {
            told = call;
            longest = since;
            progress = call->progress;
        }
    }
    pthread_mutex_unlock(&run->mutex);
    if (told) {
        sf_buf_addf(&line, "%.*s: ", SF_ARG(told->node->address));
        sf_progress_describe(&line, &progress, now);
        sf_buf_addf(&line, "%s[%" PRId64 " s]", progress.what[0] ? " " : "", (now - longest) / 1000);
        if (n > 1)
            sf_buf_addf(&line, " and %zu more", n - 1);
    }
    struct sf_str text = fitting(sf_buf_str(&line), columns());
    if (text.n != strlen(display->shown) || memcmp(text.p ? text.p : "", display->shown, text.n) != 0) {
        fprintf(stderr, CLEAR_LINE "%.*s", SF_ARG(text));
        fflush(stderr);
        snprintf(display->shown, sizeof display->shown, "%.*s", SF_ARG(text));
        display->is_shown = text.n > 0;
    }
    sf_buf_free(&line);
}

void sf_progress_clear(struct sf_progress_display *display)
{
    if (display->is_shown) {
        fputs(CLEAR_LINE, stderr);
        fflush(stderr);
    }
    display->is_shown = false;
    display->shown[0] = 0;
}
