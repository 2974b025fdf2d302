/* The scheduler: walks a graph of tasks with one thread that owns everything and N workers that make blocking calls.
 *
 * One blocking counter a task: when a predecessor is done it is decremented, at zero the task is ready. A task that
 * has to wait for the world is parked on a timer, which costs no thread. Work and results are messages; nothing else
 * is shared. Whatever a round of the loop recorded is committed once, before anything that depends on it is released:
 * a hundred quick tasks cost one fsync, a slow one waits for nobody. */
#ifndef SF_RUN_SCHED_H
#define SF_RUN_SCHED_H

#include "engine/core/err.h"

enum sf_step_result {
    SF_STEP_DONE,
    SF_STEP_FAILED,
    SF_STEP_WORK, /* call work() on a worker, then finish() */
    SF_STEP_PARK, /* call start() again after task->park_ms */
};

enum sf_task_state {
    SF_TASK_BLOCKED,
    SF_TASK_READY,
    SF_TASK_RUNNING,
    SF_TASK_PARKED,
    SF_TASK_DONE,
    SF_TASK_FAILED,
    SF_TASK_SKIPPED
};

/* A concurrency cap shared by tasks of one pool. */
struct sf_pool {
    const char *name;
    int max;
    int running;
};

struct sf_task {
    size_t blocked;        /* predecessors not yet done */
    struct sf_task **next; /* those that wait for this one */
    size_t n_next;
    struct sf_pool *pool; /* NULL: none */
    enum sf_task_state state;
    int64_t park_ms; /* set before answering SF_STEP_PARK */
    int64_t due_ms;  /* while parked */
    bool has_failed_predecessor;
    struct sf_task *link; /* queues */
    void *owner;
};

/* What a walk does with its tasks. All but work() run on the scheduler's thread. */
struct sf_walk {
    void *ctx;
    enum sf_step_result (*start)(void *ctx, struct sf_task *task);
    void (*work)(void *ctx, struct sf_task *task); /* on a worker */
    enum sf_step_result (*finish)(void *ctx, struct sf_task *task);
    void (*skip)(void *ctx, struct sf_task *task); /* a predecessor failed or the run was cancelled */
    enum sf_code (*commit)(void *ctx);             /* once a round; failure ends the walk */
    void (*tick)(void *ctx);                       /* about ten times a second while waiting; may be NULL */
};

struct sf_sched;

/* Workers are started as they are needed, at most `workers`. */
struct sf_sched *sf_sched_new(int workers);
/* Joins the workers. */
void sf_sched_free(struct sf_sched *sched);

/* Runs all tasks. Returns SF_OK when every task is done, failed or skipped; SF_E_CANCELLED after a signal; what commit()
 * returned if it failed (running calls are waited for, nothing new is started). */
enum sf_code sf_sched_run(struct sf_sched *sched, const struct sf_walk *walk, struct sf_task **tasks, size_t n) SF_MUST_CHECK;

/* From a worker: has the scheduler run handle(arg) on its own thread and commit; returns then. handle's result is returned, or the
 * commit's. */
typedef enum sf_code sf_request_fn(void *arg);
enum sf_code sf_sched_call(struct sf_sched *sched, sf_request_fn *handle, void *arg) SF_MUST_CHECK;

/* Signals: installs handlers for SIGINT and SIGTERM (once a process). 0: none yet, 1: one came, 2: more. */
void sf_sched_catch_signals(void);
int sf_sched_cancel_level(void);
int sf_sched_cancel_signal(void); /* the first one's number, 0 if none */

#endif
