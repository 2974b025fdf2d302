/* Planning: walks the graph, asks every driver for what is derived and what is actual, and lets engine/plan decide. Changes nothing
 * in the world; with `persist` it closes the open intents of earlier runs in the store. */
#include "engine/run/session.h"

#include "engine/core/clock.h"

#include <stdlib.h>

enum { READ_DEADLINE_S = 120, UNANSWERED_ATTEMPTS = 3 };

/* One node on its way to being decided. */
struct visit {
    struct sf_task task;
    struct sf_run *run;
    struct sf_node *node;
    struct sf_arena *arena; /* of the worker's calls; lives until the run ends: what was read is kept in it */
    struct sf_run_ctx ctx;
    bool wants_derive, wants_read, wants_find, wants_adopt, wants_preflight, wants_foresight;
    enum sf_code rc;
    struct sf_err *err; /* of the worker's calls, or the planning's scratch for calls made inline */
    struct sf_outcome outcome;
    enum sf_code find_rc, read_rc;
    struct sf_retry retry;
    int64_t deadline_ms; /* of all tries together */
};

struct planning {
    struct sf_run *run;
    bool persist;
    struct visit *visits;
    enum sf_code first_failure;
    struct sf_err *err;
    struct sf_err scratch;
};

static struct sf_op read_op(struct visit *visit, const struct sf_object *self)
{
    struct sf_op op = sf_run_op(visit->run, &visit->ctx, visit->arena, self, READ_DEADLINE_S);
    op.is_planning = true;
    return op;
}

static void fail_visit(struct planning *planning, struct visit *visit, const char *doing)
{
    struct sf_node *node = visit->node;
    node->has_failed = true;
    node->is_decided = true;
    struct sf_err *err = SF_NEW(planning->run->arena, struct sf_err);
    *err = *visit->err;
    sf_context(err, "%s '%.*s'", doing, SF_ARG(node->address));
    if (node->resource && !err->where.line)
        err->where = node->resource->mark;
    sf_diag_add_err(planning->run->diags, err);
    node->read_err = err;
    if (!planning->first_failure) {
        planning->first_failure = visit->rc;
        *planning->err = *err;
    }
}

static enum sf_step_result decide(struct planning *planning, struct visit *visit)
{
    struct sf_run *run = planning->run;
    struct sf_node *node = visit->node;
    sf_node_decide(&run->graph, node);
    if (node->has_failed) {
        if (!planning->first_failure)
            planning->first_failure = SF_E_CONFIG;
        return SF_STEP_FAILED;
    }
    if (node->absent_secret) {
        const struct sf_variable *secret = node->absent_secret;
        visit->rc = sf_fail(visit->err, SF_E_CONFIG, "the secret variable '%.*s' has no value in this run", SF_ARG(secret->name));
        sf_hint(visit->err, "it comes from %.*s; it may be left out only while nothing needs it", SF_ARG(secret->source));
        fail_visit(planning, visit, node->action == SF_UPDATE ? "to update" : "to create");
        return SF_STEP_FAILED;
    }
    if (node->action == SF_CREATE && node->driver->preflight && !visit->wants_preflight && node->is_targeted &&
        !run->graph.options.no_preflight) {
        visit->wants_preflight = true;
        return SF_STEP_WORK;
    }
    bool goes = node->action == SF_DELETE || node->action == SF_REPLACE;
    if (goes && node->driver->foresee && !visit->wants_foresight && node->is_targeted && !run->graph.options.no_preflight &&
        !run->graph.options.no_refresh) {
        visit->wants_foresight = true;
        return SF_STEP_WORK;
    }
    return SF_STEP_DONE;
}

static enum sf_step_result start(void *ctx, struct sf_task *task)
{
    struct planning *planning = ctx;
    struct visit *visit = task->owner;
    struct sf_run *run = planning->run;
    struct sf_node *node = visit->node;
    const struct sf_driver *driver = node->driver;
    if (visit->retry.attempts) /* back from being parked */
        return SF_STEP_WORK;
    visit->err = &planning->scratch;
    sf_node_prepare_now(&run->graph, node);
    if (node->resource && node->is_targeted && !run->graph.options.is_refresh_only) {
        if (sf_node_evaluate(&run->graph, node) != SF_OK) {
            node->has_failed = node->is_decided = true;
            planning->first_failure = SF_E_CONFIG;
            return SF_STEP_FAILED;
        }
        sf_node_prepare_planned(&run->graph, node);
        if (driver->derive && !driver->is_slow_derive) {
            visit->arena = run->arena;
            struct sf_op op = read_op(visit, &node->planned);
            visit->rc = driver->derive(&op, node->want, visit->err);
            visit->arena = NULL;
            if (visit->rc) {
                fail_visit(planning, visit, "while evaluating");
                return SF_STEP_FAILED;
            }
        }
        visit->wants_derive = driver->derive && driver->is_slow_derive;
    }
    if (node->container && node->container->seen == SF_SEEN_UNREADABLE && node->recorded && !run->graph.options.no_refresh) {
        node->seen = SF_SEEN_UNREADABLE;
        node->read_err = node->container->read_err;
    } else {
        visit->wants_read = sf_node_wants_read(&run->graph, node);
    }
    bool is_open_create = node->intent && sf_str_is(node->intent->verb, "create") && !node->recorded;
    visit->wants_find = is_open_create && driver->find;
    visit->wants_adopt = node->resource && node->resource->adopt.n && !node->recorded && !visit->wants_find && node->want;
    if (visit->wants_adopt && !driver->read) {
        visit->rc = sf_fail(visit->err, SF_E_CONFIG, "a %s is nothing outside of state that could be adopted", driver->kind);
        sf_hint(visit->err, "leave `adopt` out");
        fail_visit(planning, visit, "to adopt");
        return SF_STEP_FAILED;
    }
    if (node->seen == SF_SEEN_NOT_ASKED && node->container && node->container->seen == SF_SEEN_ABSENT && node->recorded)
        node->seen = SF_SEEN_ABSENT;
    bool is_asked = visit->wants_derive || visit->wants_read || visit->wants_find || visit->wants_adopt;
    enum sf_step_result result = is_asked ? SF_STEP_WORK : decide(planning, visit);
    if (result == SF_STEP_WORK)
        visit->ctx.reading_since_ms = sf_clock_ms();
    return result;
}

static void work(void *ctx, struct sf_task *task)
{
    struct planning *planning = ctx;
    struct visit *visit = task->owner;
    struct sf_node *node = visit->node;
    const struct sf_driver *driver = node->driver;
    if (!visit->arena)
        visit->arena = sf_arena_new();
    if (visit->err == &planning->scratch)
        visit->err = SF_NEW(visit->arena, struct sf_err);
    if (visit->wants_preflight) {
        struct sf_op op = read_op(visit, &node->planned);
        visit->rc = driver->preflight(&op, node->want, visit->err);
        return;
    }
    if (visit->wants_foresight) {
        struct sf_op op = read_op(visit, &node->now);
        visit->rc = driver->foresee(&op, node->recorded->id, visit->err);
        return;
    }
    if (visit->wants_derive) {
        struct sf_op op = read_op(visit, &node->planned);
        sf_run_settle(visit->run, node, &op);
        visit->rc = driver->derive(&op, node->want, visit->err);
        if (visit->rc)
            return;
    }
    struct sf_op op = read_op(visit, &node->now);
    if (visit->wants_find) {
        op.intent = node->intent->id;
        visit->find_rc = driver->find(&op, node->intent->want, &visit->outcome, visit->err);
    } else if (visit->wants_adopt) {
        op = read_op(visit, &node->planned);
        op.is_adopting = true;
        visit->rc = driver->read(&op, node->resource->adopt, &visit->outcome, visit->err);
        if (visit->rc == SF_E_ABSENT) {
            sf_fail(visit->err, SF_E_CONFIG, "there is no %s '%.*s'", driver->kind, SF_ARG(node->resource->adopt));
            sf_hint(visit->err, "correct the id in `adopt:`, or leave it out to have a new one made");
            visit->rc = SF_E_CONFIG;
        }
    } else if (visit->wants_read) {
        visit->read_rc = driver->read(&op, node->recorded->id, &visit->outcome, visit->err);
    }
}

/* An open create that came true: from now on it is recorded, unfinished. */
static void adopt_found(struct planning *planning, struct visit *visit)
{
    struct sf_run *run = planning->run;
    struct sf_node *node = visit->node;
    struct sf_recorded *row = SF_NEW(run->arena, struct sf_recorded);
    *row = (struct sf_recorded){.address = node->address,
                                .kind = node->kind,
                                .id = sf_str_dup(run->arena, visit->outcome.id),
                                .is_incomplete = true,
                                .attrs = node->intent->want,
                                .refs = node->intent->refs,
                                .deps = node->intent->deps};
    node->recorded = row;
    node->seen = SF_SEEN_PRESENT;
    node->actual = visit->outcome.attrs;
    sf_node_prepare_now(&run->graph, node);
}

/* Whether the call that was turned away is made again. What cannot be asked since its container is down is not: that is an answer.
 */
static bool is_tried_again(struct planning *planning, struct visit *visit)
{
    enum sf_code rc = visit->rc ? visit->rc : visit->find_rc ? visit->find_rc : visit->read_rc;
    bool is_container_down = rc == SF_E_UNAVAILABLE && visit->node->container && !visit->err->remote_code[0];
    if (!rc || is_container_down)
        return false;
    if (!visit->deadline_ms)
        visit->deadline_ms = sf_clock_ms() + 1000LL * READ_DEADLINE_S;
    int attempts = rc == SF_E_THROTTLED ? SF_RETRY_ATTEMPTS : UNANSWERED_ATTEMPTS;
    if (!sf_retry_again(&planning->run->retries, &visit->retry, rc, visit->err, attempts, visit->deadline_ms, &visit->task.park_ms))
        return false;
    visit->rc = visit->find_rc = visit->read_rc = SF_OK;
    *visit->err = (struct sf_err){0};
    return true;
}

static enum sf_step_result settle(struct planning *planning, struct visit *visit)
{
    struct sf_node *node = visit->node;
    sf_retry_done(&planning->run->retries, &visit->retry);
    if (visit->rc) {
        fail_visit(planning, visit,
                   visit->wants_preflight   ? "before creating"
                   : visit->wants_foresight ? "before destroying"
                   : visit->wants_adopt     ? "to adopt"
                                            : "while evaluating");
        return SF_STEP_FAILED;
    }
    if (visit->wants_preflight || visit->wants_foresight)
        return SF_STEP_DONE;
    if (visit->wants_find && visit->find_rc == SF_OK)
        adopt_found(planning, visit);
    else if (visit->wants_find && visit->find_rc != SF_E_ABSENT) {
        visit->rc = visit->find_rc;
        fail_visit(planning, visit, "while looking for what an earlier run was creating,");
        return SF_STEP_FAILED;
    }
    if (visit->wants_adopt)
        sf_node_adopt(&planning->run->graph, node, visit->outcome.id.n ? visit->outcome.id : node->resource->adopt,
                      visit->outcome.attrs);
    if (visit->wants_read) {
        switch (visit->read_rc) {
        case SF_OK:
            node->seen = SF_SEEN_PRESENT;
            node->actual = visit->outcome.attrs;
            node->actual_id = visit->outcome.id;
            break;
        case SF_E_ABSENT:
            node->seen = SF_SEEN_ABSENT;
            node->has_remains = visit->outcome.has_remains;
            break;
        case SF_E_UNAVAILABLE:
            if (node->container) { /* stopped, say: assumed as recorded, and shown as not checked */
                node->seen = SF_SEEN_UNREADABLE;
                node->read_err = visit->err;
                break;
            }
            __attribute__((fallthrough));
        default:
            visit->rc = visit->read_rc;
            fail_visit(planning, visit, "while reading");
            return SF_STEP_FAILED;
        }
    }
    return decide(planning, visit);
}

static enum sf_step_result finish(void *ctx, struct sf_task *task)
{
    struct planning *planning = ctx;
    struct visit *visit = task->owner;
    const struct sf_run_events *events = planning->run->events;
    if (is_tried_again(planning, visit))
        return SF_STEP_PARK;
    enum sf_step_result result = settle(planning, visit);
    if (result == SF_STEP_WORK)
        return result;
    if (events && events->read_ended)
        events->read_ended(events->ctx, &visit->ctx);
    visit->ctx.reading_since_ms = 0;
    return result;
}

static void skip(void *ctx, struct sf_task *task)
{
    (void)ctx;
    struct visit *visit = task->owner;
    visit->node->has_failed = visit->node->is_decided = true;
}

static enum sf_code commit(void *ctx)
{
    struct planning *planning = ctx;
    return planning->run->in_transaction ? sf_run_commit(planning->run, planning->err) : SF_OK;
}

static void tick(void *ctx)
{
    struct planning *planning = ctx;
    const struct sf_run_events *events = planning->run->events;
    if (events && events->tick)
        events->tick(events->ctx, planning->run);
}

/* Everything inside a container is visited after it, even if it is not among its recorded dependencies. */
static void link_tasks(struct sf_run *run, struct visit *visits)
{
    struct sf_arena *arena = run->arena;
    for (size_t i = 0; i < run->graph.n_nodes; i++) {
        struct sf_node *node = run->graph.nodes[i];
        struct sf_task *task = &visits[i].task;
        task->next = SF_NEW_ARRAY(arena, node->n_dependents, struct sf_task *);
        for (size_t j = 0; j < node->n_dependents; j++)
            task->next[task->n_next++] = &visits[node->dependents[j]->index].task;
        task->blocked = node->n_deps;
    }
}

/* Whether reading has not answered what became of an open call: then its intent stays until a step of this run has settled it,
 * so that neither a plan that is not approved nor another crash loses sight of it. A create is always answered, by find(). */
static bool is_still_open(const struct sf_run *run, const struct sf_node *node)
{
    if (!node->recorded || sf_str_is(node->intent->verb, "create"))
        return false;
    if (!node->is_targeted || run->graph.options.is_refresh_only)
        return true;
    return node->action == SF_UPDATE || node->action == SF_REPLACE || node->action == SF_DELETE;
}

/* Closes what earlier runs left open: what came true is recorded as unfinished, what is gone is forgotten. */
static enum sf_code settle_intents(struct sf_run *run, struct sf_err *err)
{
    for (size_t i = 0; i < run->graph.n_nodes; i++) {
        struct sf_node *node = run->graph.nodes[i];
        if (!node->intent || node->has_failed)
            continue;
        node->carries_intent = is_still_open(run, node);
        if (node->carries_intent)
            continue;
        enum sf_code rc = sf_run_begin(run, err);
        if (!rc && node->recorded && sf_str_is(node->intent->verb, "create") && node->seen == SF_SEEN_PRESENT &&
            node->recorded->is_incomplete) {
            struct sf_row row = sf_run_row(run, run->arena, node, node->recorded->id, SF_ROW_INCOMPLETE, node->recorded->attrs,
                                           node->recorded->refs);
            rc = sf_store_put_row(run->store, &row, err);
        }
        if (!rc && node->recorded && sf_str_is(node->intent->verb, "destroy") && node->seen == SF_SEEN_ABSENT)
            rc = sf_store_drop_secrets(run->store, node->address, err);
        if (!rc)
            rc = sf_store_close_intent(run->store, node->intent->id, err);
        if (!rc)
            rc = sf_store_add_history(run->store, run->id, node->address, SF_STR("resolved"),
                                      sf_value_str(run->arena, node->intent->verb), err);
        if (rc)
            return rc;
    }
    return run->in_transaction ? sf_run_commit(run, err) : SF_OK;
}

enum sf_code sf_run_plan(struct sf_run *run, bool persist, struct sf_err *err)
{
    struct sf_graph *graph = &run->graph;
    struct planning planning = {.run = run, .persist = persist, .err = err};
    struct visit *visits = SF_NEW_ARRAY(run->arena, graph->n_nodes, struct visit);
    struct sf_task **tasks = SF_NEW_ARRAY(run->arena, graph->n_nodes, struct sf_task *);
    planning.visits = visits;
    run->calls = SF_NEW_ARRAY(run->arena, graph->n_nodes, struct sf_run_ctx *);
    run->n_calls = 0;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        visits[i].run = run;
        visits[i].node = graph->nodes[i];
        visits[i].ctx = (struct sf_run_ctx){.run = run, .node = graph->nodes[i]};
        run->calls[run->n_calls++] = &visits[i].ctx;
        visits[i].task.owner = &visits[i];
        tasks[i] = &visits[i].task;
    }
    link_tasks(run, visits);
    struct sf_walk walk = {
        .ctx = &planning, .start = start, .work = work, .finish = finish, .skip = skip, .commit = commit, .tick = tick};
    enum sf_code rc = sf_sched_run(run->sched, &walk, tasks, graph->n_nodes);
    run->kept = SF_NEW_ARRAY(run->arena, graph->n_nodes, struct sf_arena *);
    for (size_t i = 0; i < graph->n_nodes; i++)
        if (visits[i].arena)
            run->kept[run->n_kept++] = visits[i].arena;
    if (rc == SF_E_INTERNAL)
        return sf_fail(err, rc, "the graph has a cycle that was not reported");
    if (rc)
        return rc == SF_E_CANCELLED ? sf_fail(err, rc, "cancelled while planning; nothing was changed") : rc;
    enum sf_code settled = sf_graph_settle(graph);
    if (planning.first_failure)
        return planning.first_failure;
    if (settled)
        return sf_fail(err, settled, "the plan would destroy what is protected");
    if (sf_graph_outputs(graph, run->arena, &graph->outputs))
        return sf_fail(err, SF_E_CONFIG, "the outputs could not be evaluated");
    if (persist && run->store)
        return settle_intents(run, err);
    return SF_OK;
}
