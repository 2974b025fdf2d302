/* What is shown while calls are under way: on a terminal one line that is written over, with rate and time left; elsewhere a line
 * a call, at most every 30 seconds (SF_HEARTBEAT=10s), and one when a call that was told of has ended. Nothing for short ones. */
#ifndef SF_CLI_PROGRESS_H
#define SF_CLI_PROGRESS_H

#include "engine/run/apply.h"

struct sf_progress_display {
    bool is_terminal; /* stderr is one that can go back to the start of a line */
    bool is_shown;    /* a line stands there without its end */
    int64_t heartbeat_ms;
    char shown[512];
};

void sf_progress_init(struct sf_progress_display *display, bool is_terminal);
/* Appends "fetching bpnb-jwfb: 412,000 of 776,841 rows, 41,200 a second, 9 s left", as far as it is known. Nothing in
 * it steers a terminal. */
void sf_progress_describe(struct sf_buf *out, const struct sf_progress *progress, int64_t now_ms);
/* On a terminal: writes the line anew, for what has been running for a second or more. */
void sf_progress_show(struct sf_progress_display *display, struct sf_run *run);
/* Takes the line away again: before anything else is written, and at the end. */
void sf_progress_clear(struct sf_progress_display *display);
/* Whether it is time for a line about this call; *since_ms is when it began. */
bool sf_progress_is_due(const struct sf_progress_display *display, struct sf_run_ctx *call, int64_t now_ms, int64_t *since_ms);

#endif
