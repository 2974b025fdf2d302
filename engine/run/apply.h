/* Apply: the decided graph as steps in order, each journaled. The only place where the world changes. */
#ifndef SF_RUN_APPLY_H
#define SF_RUN_APPLY_H

#include "engine/run/retry.h"
#include "engine/run/session.h"

enum sf_verb { SF_VERB_CREATE, SF_VERB_UPDATE, SF_VERB_DESTROY, SF_VERB_FORGET, SF_VERB_RECORD };
enum sf_step_status {
    SF_STATUS_WAITING,
    SF_STATUS_RUNNING,
    SF_STATUS_DONE,
    SF_STATUS_FAILED,
    SF_STATUS_SKIPPED,
    SF_STATUS_UNKNOWN
};

struct sf_step {
    struct sf_task task;
    struct sf_node *node;
    enum sf_verb verb;
    const struct sf_recorded *row; /* what a destroy or forget takes away: the current object or a deposed one */
    enum sf_step_status status;
    struct sf_step *contents, *next_content; /* those that leave state when this one does */
    bool has_left_state;                     /* its row was deleted */
    bool was_unchanged;                      /* an update that turned out to have nothing to do: no call was made */
    struct sf_err *err;                      /* of the call under way; kept in the run's arena when failed or unknown, else NULL */
    enum sf_code rc;
    int64_t started_ms, ended_ms;
    struct sf_str id; /* identity, when known */

    /* the call under way */
    bool is_resuming; /* the driver asked to be called for the rest of the work */
    bool is_polling;  /* read() is asked whether it is ready */
    int polls;        /* how often it was waited for */
    struct sf_retry retry;
    struct sf_err *lost; /* the create whose answer was lost; NULL: none */
    int64_t lost_ms;
    bool is_to_be_made_again; /* it did not come true */
    bool has_intent;
    bool carries_intent; /* it is one that an earlier run left open */
    struct sf_str intent;
    struct sf_arena *arena;
    struct sf_run_ctx ctx;
    struct sf_op op;
    struct sf_value *want, *refs;
    struct sf_outcome outcome;
};

struct sf_apply_result {
    size_t added, changed, destroyed, forgotten, failed, skipped, unknown;
    enum sf_code code; /* SF_OK, or what the exit code comes from */
};

/* Applies run->graph. Returns SF_OK when it could be walked to the end, whatever became of single steps: those are in result->code
 * and in run->steps. */
enum sf_code sf_run_apply(struct sf_run *run, struct sf_apply_result *result, struct sf_err *err) SF_MUST_CHECK;

const char *sf_verb_name(enum sf_verb verb);

#endif
