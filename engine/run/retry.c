/* See retry.h. */
#include "engine/run/retry.h"

#include "engine/core/clock.h"

enum { FIRST_WAIT_MS = 200, MAX_WAIT_MS = 20000, THROTTLED_COST = 5, UNANSWERED_COST = 10 };

/* Between half and the whole of what doubling gives: many calls turned away at once do not come back at once. */
static int64_t jittered_ms(int attempts)
{
    int64_t whole = attempts < 7 ? (int64_t)FIRST_WAIT_MS << attempts : MAX_WAIT_MS;
    uint32_t random;
    sf_random_bytes(&random, sizeof(random));
    if (whole > MAX_WAIT_MS)
        whole = MAX_WAIT_MS;
    return whole / 2 + random % (whole / 2 + 1);
}

bool sf_retry_again(struct sf_retry_budget *budget, struct sf_retry *retry, enum sf_code rc, struct sf_err *err, int max_attempts,
                    int64_t deadline_ms, int64_t *wait_ms)
{
    if ((rc != SF_E_THROTTLED && rc != SF_E_UNAVAILABLE) || retry->attempts >= max_attempts)
        return false;
    int cost = rc == SF_E_THROTTLED ? THROTTLED_COST : UNANSWERED_COST;
    int64_t wait = jittered_ms(retry->attempts);
    if (err->retry_after_ms > wait)
        wait = err->retry_after_ms;
    if (sf_clock_ms() + wait >= deadline_ms)
        return false;
    if (budget->tokens < cost) {
        sf_hint(err, "too many calls of this run had to be repeated; run the same command again in a few minutes, or with a lower "
                     "-parallelism");
        return false;
    }
    budget->tokens -= cost;
    retry->last_cost = cost;
    retry->attempts++;
    *wait_ms = wait;
    return true;
}

void sf_retry_done(struct sf_retry_budget *budget, struct sf_retry *retry)
{
    budget->tokens += retry->last_cost;
    if (budget->tokens > SF_RETRY_TOKENS)
        budget->tokens = SF_RETRY_TOKENS;
    *retry = (struct sf_retry){0};
}
