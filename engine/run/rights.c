/* Before a plan is shown: asks the world whether this caller may do all of it, every statement on a worker of its own. What the
 * world says is a note, not an error: it may know less than it enforces, or more. Changes nothing. */
#include "engine/run/session.h"

#include "engine/core/clock.h"
#include "engine/plan/rights.h"

enum { ASK_DEADLINE_S = 30 }; /* all tries of a question together */

/* One statement on its way to being answered. */
struct question {
    struct sf_task task;
    const struct sf_value *statement;
    struct sf_arena *arena; /* of the answer */
    const struct sf_value *denied;
    bool is_answered;
    enum sf_code rc;
    struct sf_err err;
    struct sf_retry retry;
};

struct asking {
    struct sf_run *run;
    bool has_failed; /* then nothing more is asked: what one is not told, the next is not told either */
    int64_t deadline_ms;
};

static enum sf_step_result start(void *ctx, struct sf_task *task)
{
    const struct asking *asking = ctx;
    (void)task;
    return asking->has_failed ? SF_STEP_DONE : SF_STEP_WORK;
}

static void work(void *ctx, struct sf_task *task)
{
    const struct asking *asking = ctx;
    struct question *q = task->owner;
    q->err = (struct sf_err){0};
    q->rc = asking->run->provider.ask_rights(q->arena, &asking->run->site, q->statement, &q->denied, &q->err);
}

static enum sf_step_result finish(void *ctx, struct sf_task *task)
{
    struct asking *asking = ctx;
    struct question *q = task->owner;
    struct sf_retry_budget *budget = &asking->run->retries;
    if (q->rc && !asking->has_failed &&
        sf_retry_again(budget, &q->retry, q->rc, &q->err, SF_RETRY_ATTEMPTS, asking->deadline_ms, &task->park_ms))
        return SF_STEP_PARK;
    sf_retry_done(budget, &q->retry);
    q->is_answered = true;
    asking->has_failed |= q->rc != SF_OK;
    return SF_STEP_DONE;
}

static void skip(void *ctx, struct sf_task *task)
{
    (void)ctx;
    (void)task;
}

static enum sf_code commit(void *ctx)
{
    (void)ctx;
    return SF_OK;
}

static void tick(void *ctx)
{
    const struct asking *asking = ctx;
    const struct sf_run_events *events = asking->run->events;
    if (events && events->tick)
        events->tick(events->ctx, asking->run);
}

/* In the order of the statements, up to the first that got no answer. */
static void note_answers(struct sf_run *run, const struct question *questions, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct question *q = &questions[i];
        if (q->is_answered && q->rc) {
            sf_run_note(run, SF_STR_NONE,
                        sf_str_fmt(run->arena, "whether this caller may do all of this could not be asked: %s", q->err.message));
            return;
        }
        for (size_t k = 0; q->is_answered && q->denied && k < q->denied->list.n; k++)
            sf_run_note(run, SF_STR_NONE,
                        sf_str_fmt(run->arena,
                                   "this caller seems not to be allowed %.*s (sfplan -caller-policy prints what is needed)",
                                   SF_ARG(q->denied->list.items[k]->s)));
    }
}

enum sf_code sf_run_ask_rights(struct sf_run *run, struct sf_err *err)
{
    if (!run->provider.ask_rights || run->graph.options.no_refresh || !sf_graph_has_changes(&run->graph))
        return SF_OK;
    const struct sf_value *statements = sf_map_getz(sf_graph_rights(&run->graph, run->arena, true), "Statement");
    size_t n = statements->list.n;
    struct question *questions = SF_NEW_ARRAY(run->arena, n, struct question);
    struct sf_task **tasks = SF_NEW_ARRAY(run->arena, n, struct sf_task *);
    struct sf_pool pool = {"rights", run->parallelism, 0};
    for (size_t i = 0; i < n; i++) {
        questions[i] = (struct question){.statement = statements->list.items[i], .arena = sf_arena_new()};
        questions[i].task = (struct sf_task){.owner = &questions[i], .pool = &pool};
        tasks[i] = &questions[i].task;
    }
    struct asking asking = {.run = run, .deadline_ms = sf_clock_ms() + 1000LL * ASK_DEADLINE_S};
    struct sf_walk walk = {
        .ctx = &asking, .start = start, .work = work, .finish = finish, .skip = skip, .commit = commit, .tick = tick};
    enum sf_code rc = sf_sched_run(run->sched, &walk, tasks, n);
    note_answers(run, questions, n);
    for (size_t i = 0; i < n; i++)
        sf_arena_free(questions[i].arena);
    return rc ? sf_fail(err, rc, "cancelled while planning; nothing was changed") : SF_OK;
}
