/* One run of a program: stack, site, store, graph and scheduler, opened in the right order and closed in reverse.
 *
 * Everything but sf_op_*() calls of drivers happens on the thread that opened it. */
#ifndef SF_RUN_SESSION_H
#define SF_RUN_SESSION_H

#include "engine/plan/graph.h"
#include "engine/run/retry.h"
#include "engine/run/sched.h"
#include "state/store.h"

#include <pthread.h>

struct sf_run;
struct sf_step;

/* What the command line shows while things happen; all on the scheduler's thread, any may be NULL. */
struct sf_run_events {
    void *ctx;
    void (*read_ended)(void *ctx, const struct sf_run_ctx *call);
    void (*step_started)(void *ctx, const struct sf_step *step);
    void (*step_ended)(void *ctx, const struct sf_step *step);
    void (*step_retries)(void *ctx, const struct sf_step *step); /* not for the first, short waits; step->err says why */
    void (*tick)(void *ctx, struct sf_run *run);
};

struct sf_note {
    struct sf_str address;
    struct sf_str text;
    struct sf_note *next;
};

/* A check that a resource has, and what became of it in this run. */
struct sf_run_check {
    struct sf_str address, name;
    enum sf_check_outcome outcome; /* SF_CHECK_SKIPPED: it was not run */
    int64_t failing;
    struct sf_str rows;
    struct sf_run_check *next;
};

struct sf_run {
    struct sf_arena *arena;
    struct sf_diags *diags;
    struct sf_stack *stack;
    struct sf_site site;
    struct sf_provider provider;
    struct sf_store *store; /* NULL: no state yet, and this run may not make one */
    struct sf_sched *sched;
    struct sf_graph graph;
    struct sf_str id; /* UUID of this run */
    const char *state_path;
    bool may_write;
    bool in_transaction;
    const struct sf_run_events *events;
    pthread_t thread;      /* the scheduler's */
    pthread_mutex_t mutex; /* guards notes, checks and progress texts */
    struct sf_note *notes, **last_note;
    struct sf_run_check *checks; /* in the order of their declaration, in check_arena; both guarded by mutex */
    struct sf_arena *check_arena;
    const struct sf_value *unstored_world; /* world record to store once writing starts */
    int parallelism;
    struct sf_retry_budget retries; /* the scheduler's thread only */
    struct sf_run_ctx **calls;      /* of the walk under way, running or not; for the display */
    size_t n_calls;
    struct sf_step **steps; /* of the apply under way */
    size_t n_steps;
    int64_t started_ms;
    struct sf_arena **kept; /* arenas of what was read while planning; freed at the end */
    size_t n_kept;
};

/* How far a driver call is, by its own account. */
struct sf_progress {
    char what[160]; /* "fetching bpnb-jwfb", or all that there is to say; empty: nothing */
    char unit[32];  /* of the numbers; empty: there are none */
    uint64_t done, total;
    uint64_t first_done; /* when it was first told of, first_ms */
    int64_t first_ms;
};

/* The engine's side of a driver call. */
struct sf_run_ctx {
    struct sf_run *run;
    struct sf_node *node;
    struct sf_step *step;        /* NULL while planning */
    struct sf_progress progress; /* guarded by run->mutex */
    int64_t reading_since_ms;    /* while planning; 0: no call is under way */
    int64_t told_ms;             /* the display's: when it last wrote a line about it; 0: never */
};

struct sf_run_params {
    const char *stack_file;
    struct sf_str provider; /* override, or empty */
    const char *state_path; /* override, or NULL */
    const struct sf_var_setting *settings;
    size_t n_settings;
    struct sf_plan_options options;
    bool may_write;      /* take the lock, create the state */
    const char *command; /* for the lock holder line */
    int64_t lock_wait_ms;
    int parallelism;
    const struct sf_str *accepted_checks; /* -accept-check */
    size_t n_accepted_checks;
    const struct sf_run_events *events;
};

/* Loads the stack, opens store and world. On SF_E_CONFIG the diagnostics in run->diags say more than err. `run` is caller-provided
 * memory, always to be closed with sf_run_close(). */
enum sf_code sf_run_open(struct sf_run *run, const struct sf_run_params *params, struct sf_err *err) SF_MUST_CHECK;
void sf_run_close(struct sf_run *run);

/* Refreshes and decides everything: run->graph is the plan. `persist` also resolves open intents in the store. Failures of single
 * nodes are in run->diags and make it SF_E_CONFIG or the first one's code. */
enum sf_code sf_run_plan(struct sf_run *run, bool persist, struct sf_err *err) SF_MUST_CHECK;

/* Notes what of the plan the world says this caller may not do, or why that could not be asked: no failure. All statements are
 * asked at the same time. SF_E_CANCELLED. */
enum sf_code sf_run_ask_rights(struct sf_run *run, struct sf_err *err) SF_MUST_CHECK;

/* Begins a store transaction unless one is open; the scheduler's commit ends it. */
enum sf_code sf_run_begin(struct sf_run *run, struct sf_err *err) SF_MUST_CHECK;
enum sf_code sf_run_commit(struct sf_run *run, struct sf_err *err) SF_MUST_CHECK;
/* Takes back what is in the open transaction, if there is one. */
void sf_run_rollback(struct sf_run *run);

/* A row for the store from a node and what is known of it. */
struct sf_row sf_run_row(struct sf_run *run, struct sf_arena *arena, const struct sf_node *node, struct sf_str id,
                         enum sf_row_status status, const struct sf_value *attrs, const struct sf_value *refs);
/* An operation for a driver call on `node`. */
struct sf_op sf_run_op(struct sf_run *run, struct sf_run_ctx *ctx, struct sf_arena *arena, const struct sf_object *self,
                       int seconds);

/* Sets what a slow derive() is to take over instead of looking at its source: while planning. */
void sf_run_settle(const struct sf_run *run, const struct sf_node *node, struct sf_op *op);

/* A line for the plan's or the run's notes, once; `address` may be empty. Any thread. */
void sf_run_note(struct sf_run *run, struct sf_str address, struct sf_str text);

/* Makes generated variables that have no value yet, sealed and durable before anything can use them. */
enum sf_code sf_run_generate(struct sf_run *run, struct sf_err *err) SF_MUST_CHECK;

#endif
