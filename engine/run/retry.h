/* When a call that was turned away for now is tried again: exponential with jitter, within a budget that all calls of a run share.
 *
 * The budget is a token bucket, as in the AWS SDKs' standard mode: 500 tokens, a retry takes 5 (10 when the other side did not
 * answer), a success after retries gives back what its last retry took. When it is empty the other side is in trouble and asking
 * more often makes it worse. */
#ifndef SF_RUN_RETRY_H
#define SF_RUN_RETRY_H

#include "engine/core/err.h"

enum { SF_RETRY_TOKENS = 500, SF_RETRY_ATTEMPTS = 8 };

struct sf_retry_budget {
    int tokens;
};

/* One call's history; zeroed at first. */
struct sf_retry {
    int attempts;  /* retries so far */
    int last_cost; /* what the last of them took */
};

/* Whether the call that ended with `rc` is to be made again, and after how long: at least as long as the other side asked for
 * (err->retry_after_ms). No when rc is neither SF_E_THROTTLED nor SF_E_UNAVAILABLE, after `max_attempts` retries, when the wait
 * would pass `deadline_ms` (sf_clock_ms()), or when the budget is spent: then the hint says so. */
bool sf_retry_again(struct sf_retry_budget *budget, struct sf_retry *retry, enum sf_code rc, struct sf_err *err, int max_attempts,
                    int64_t deadline_ms, int64_t *wait_ms);
/* The call came through. */
void sf_retry_done(struct sf_retry_budget *budget, struct sf_retry *retry);

#endif
