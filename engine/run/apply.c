/* Steps in order, each journaled: intent committed, call, outcome and row committed in one transaction. See apply.h. */
#include "engine/run/apply.h"

#include "engine/run/steps.h"

#include "engine/core/clock.h"

#include <stdlib.h>

enum {
    SAID_FROM_ATTEMPT = 3,
    DEFAULT_SECONDS = 600,
    USUAL_POLL_MS = 1000,
    QUICK_POLLS = 10,
    SLOWEST_POLL_MS = 10000,
    UNSEEN_MS = 30000
};

struct applying {
    struct sf_run *run;
    struct sf_step **steps;
    size_t n_steps;
    enum sf_code store_rc; /* what the store failed with: nothing more can be written down, so nothing more is done */
    struct sf_err *err;
};

const char *sf_verb_name(enum sf_verb verb)
{
    static const char *const names[] = {"create", "update", "destroy", "forget", "record"};
    return names[verb];
}

/* --- outcomes --- */

static enum sf_code journal(struct applying *applying, struct sf_step *step, const struct sf_row *row, const char *event)
{
    struct sf_run *run = applying->run;
    struct sf_node *node = step->node;
    enum sf_code rc = sf_run_begin(run, applying->err);
    if (!rc && row)
        rc = sf_store_put_row(run->store, row, applying->err);
    if (!rc && step->has_intent)
        rc = sf_store_close_intent(run->store, step->intent, applying->err);
    if (!rc && event)
        rc = sf_store_add_history(run->store, run->id, node->address, sf_str_of(event),
                                  step->id.n ? sf_value_str(run->arena, step->id) : NULL, applying->err);
    return rc;
}

static void end_step(struct applying *applying, struct sf_step *step, enum sf_step_status status)
{
    struct sf_run *run = applying->run;
    step->status = status;
    step->ended_ms = sf_clock_ms();
    step->id = sf_str_dup(run->arena, step->id);
    if (run->events && run->events->step_ended)
        run->events->step_ended(run->events->ctx, step);
    struct sf_err *err = step->err;
    step->err = NULL;
    if (err && (status == SF_STATUS_FAILED || status == SF_STATUS_UNKNOWN)) {
        step->err = SF_NEW(run->arena, struct sf_err);
        *step->err = *err;
    }
    sf_arena_free(step->arena);
    step->arena = NULL;
}

/* The outcome could not be written down. Nor is a part of it, or what else happened in this round: their intents stay open. */
static enum sf_step_result store_failed(struct applying *applying, struct sf_step *step, enum sf_code rc)
{
    sf_run_rollback(applying->run);
    step->rc = applying->store_rc = rc;
    *step->err = *applying->err;
    end_step(applying, step, SF_STATUS_FAILED);
    return SF_STEP_FAILED;
}

/* What the node is from now on, for those that depend on it. */
static void publish(struct sf_run *run, struct sf_step *step, const struct sf_value *attrs)
{
    struct sf_node *node = step->node;
    node->planned.id = sf_str_dup(run->arena, step->id);
    node->planned.attrs = sf_value_copy(run->arena, attrs);
    node->planned.refs = sf_value_copy(run->arena, step->refs);
}

static enum sf_step_result made(struct applying *applying, struct sf_step *step)
{
    struct sf_run *run = applying->run;
    struct sf_node *node = step->node;
    if (step->outcome.id.n)
        step->id = step->outcome.id;
    const struct sf_value *earlier = step->verb == SF_VERB_UPDATE && node->recorded ? node->recorded->attrs : NULL;
    struct sf_value *attrs = sf_node_merge(&run->graph, step->arena, node->schema, step->want, step->outcome.attrs, earlier);
    publish(run, step, attrs);
    struct sf_row row =
        sf_run_row(run, step->arena, node, step->id, SF_ROW_CURRENT, sf_value_sealed(&run->graph, step->arena, attrs), step->refs);
    const char *event = step->verb == SF_VERB_CREATE ? "create"
                        : node->is_adopted           ? "adopt"
                        : step->was_unchanged        ? NULL
                                                     : "update";
    enum sf_code rc = journal(applying, step, &row, event);
    if (rc)
        return store_failed(applying, step, rc);
    end_step(applying, step, SF_STATUS_DONE);
    return SF_STEP_DONE;
}

/* Its row and those of what went with it, in one transaction. */
static enum sf_code leave_state(struct applying *applying, struct sf_step *step)
{
    struct sf_run *run = applying->run;
    const struct sf_recorded *row = step->row;
    const char *event = step->verb == SF_VERB_FORGET ? "forget" : "destroy";
    enum sf_code rc = journal(applying, step, NULL, event);
    if (!rc)
        rc = sf_store_delete_row(run->store, row->address, row->generation, applying->err);
    if (!rc && row->generation == 0)
        rc = sf_store_drop_secrets(run->store, row->address, applying->err);
    for (struct sf_step *content = step->contents; !rc && content; content = content->next_content)
        rc = leave_state(applying, content);
    step->has_left_state = !rc;
    return rc;
}

static enum sf_step_result taken_away(struct applying *applying, struct sf_step *step)
{
    enum sf_code rc = step->has_left_state ? SF_OK : leave_state(applying, step);
    if (rc)
        return store_failed(applying, step, rc);
    end_step(applying, step, SF_STATUS_DONE);
    return SF_STEP_DONE;
}

/* A destroy that was under way may have taken away a part, unless it was turned down. */
static bool may_be_half_gone(const struct sf_step *step)
{
    return step->verb == SF_VERB_DESTROY && step->rc != SF_E_REFUSED && step->rc != SF_E_CONFLICT && step->rc != SF_E_CANCELLED &&
           step->rc != SF_E_AUTH && step->rc != SF_E_DENIED;
}

/* Not done: refused, failed or unknown. What was made stays recorded as unfinished; what is unknown, half gone or was open before
 * keeps its intent open for the next run. */
static enum sf_step_result not_done(struct applying *applying, struct sf_step *step)
{
    step->node->planned.attrs = step->node->planned.refs = NULL; /* they were in the step's arena */
    bool is_unknown = step->rc == SF_E_UNKNOWN;
    if (step->has_intent && !is_unknown && !step->carries_intent && !may_be_half_gone(step)) {
        enum sf_code rc = journal(applying, step, NULL, NULL);
        if (rc)
            return store_failed(applying, step, rc);
    }
    end_step(applying, step, is_unknown ? SF_STATUS_UNKNOWN : SF_STATUS_FAILED);
    return SF_STEP_FAILED;
}

/* --- one step --- */

static int seconds_of(const struct sf_run *run, const struct sf_step *step)
{
    const struct sf_resource *resource = step->node->resource;
    if (!resource) /* sfdestroy plans without the file, whose timeouts hold all the same */
        resource = sf_map_find(run->stack->by_name, step->node->name);
    const struct sf_timeouts *schema = sf_schema_timeouts(step->node->schema, run->site.provider);
    int own = 0, usual = 0;
    switch (step->verb) {
    case SF_VERB_CREATE:
        own = resource ? resource->create_s : 0;
        usual = schema->create_s;
        break;
    case SF_VERB_UPDATE:
        own = resource ? resource->update_s : 0;
        usual = schema->update_s;
        break;
    case SF_VERB_DESTROY:
    case SF_VERB_FORGET:
    case SF_VERB_RECORD:
        own = resource ? resource->destroy_s : 0;
        usual = schema->destroy_s;
        break;
    }
    return own ? own : usual ? usual : DEFAULT_SECONDS;
}

/* What is wanted now must be what was planned, where that was known: apply does less than planned, never other. */
static enum sf_code check_against_plan(struct applying *applying, struct sf_step *step)
{
    struct sf_graph *graph = &applying->run->graph;
    const struct sf_node *node = step->node;
    for (size_t i = 0; node->want && i < node->schema->n_attrs; i++) {
        const struct sf_attr *attr = &node->schema->attrs[i];
        const struct sf_value *planned = sf_map_getz(node->want, attr->name), *now = sf_map_getz(step->want, attr->name);
        /* what is derived follows from the rest, which is checked; only a source that was read again can differ by itself */
        if (!planned || !now || sf_value_has_unknown(planned, NULL) || attr->is_secret || attr->is_preferred ||
            (attr->derive && !node->driver->is_slow_derive))
            continue;
        if (!sf_schema_equal(step->arena, attr, planned, now, graph->fingerprint, graph->fingerprint_key)) {
            sf_fail(step->err, SF_E_STALE, "'%s' of '%.*s' is not what was planned any more", attr->name, SF_ARG(node->address));
            sf_hint(step->err, "something changed between plan and apply; plan again");
            return SF_E_STALE;
        }
    }
    return SF_OK;
}

/* After unknowns became known: does anything still differ? */
static bool is_unchanged(struct applying *applying, const struct sf_step *step)
{
    struct sf_graph *graph = &applying->run->graph;
    const struct sf_node *node = step->node;
    if (node->reason != SF_REASON_CHANGED || node->is_severed)
        return false;
    for (size_t i = 0; i < node->n_changes; i++) {
        const struct sf_change *change = &node->changes[i];
        const struct sf_value *now = sf_map_getz(step->want, change->attr->name);
        if (!change->before || !now ||
            !sf_schema_equal(step->arena, change->attr, change->before, now, graph->fingerprint, graph->fingerprint_key))
            return false;
    }
    return true;
}

static enum sf_code evaluate(struct applying *applying, struct sf_step *step)
{
    struct sf_run *run = applying->run;
    struct sf_node *node = step->node;
    size_t errors = run->diags->errors;
    if (sf_node_evaluate_into(&run->graph, node, step->arena, &step->want, &step->refs)) {
        sf_fail(step->err, SF_E_CONFIG, "'%.*s' cannot be evaluated with what is known now", SF_ARG(node->address));
        if (run->diags->errors > errors)
            sf_hint(step->err, "%.*s", SF_ARG(run->diags->list[run->diags->n - 1].message));
        return SF_E_CONFIG;
    }
    if (step->verb == SF_VERB_UPDATE)
        sf_node_adjust_want(&run->graph, node, step->arena, step->want);
    node->planned.attrs = step->want;
    node->planned.refs = step->refs;
    node->planned.id = step->verb == SF_VERB_UPDATE ? node->recorded->id : SF_STR_NONE;
    step->op = sf_run_op(run, &step->ctx, step->arena, &node->planned, seconds_of(run, step));
    step->op.intent = step->intent;
    sf_run_settle(run, node, &step->op);
    if (step->op.settled_by == SF_SETTLED_BY_PLAN)
        step->op.settled = node->want; /* of this run's plan */
    if (node->driver->derive && !node->driver->is_slow_derive)
        return node->driver->derive(&step->op, step->want, step->err);
    return SF_OK;
}

/* Before the new object is made the old one becomes a deposed row: a crash in between forgets neither. */
static enum sf_code depose(struct applying *applying, struct sf_step *step)
{
    struct sf_run *run = applying->run;
    const struct sf_recorded *old = step->node->recorded;
    struct sf_row row = sf_run_row(run, step->arena, step->node, old->id, SF_ROW_DEPOSED, old->attrs, old->refs);
    row.generation = 1;
    row.deps = old->deps;
    enum sf_code rc = sf_run_begin(run, applying->err);
    if (!rc)
        rc = sf_store_put_row(run->store, &row, applying->err);
    if (!rc)
        rc = sf_store_delete_row(run->store, old->address, 0, applying->err);
    return rc;
}

static enum sf_step_result start_making(struct applying *applying, struct sf_step *step)
{
    const struct sf_driver *driver = step->node->driver;
    if (step->verb == SF_VERB_UPDATE)
        step->id = step->node->recorded->id;
    step->rc = evaluate(applying, step);
    if (!step->rc)
        step->rc = driver->is_slow_derive ? SF_OK : check_against_plan(applying, step);
    if (step->rc)
        return not_done(applying, step);
    if (step->node->action == SF_REPLACE && sf_node_is_create_first(step->node)) {
        enum sf_code rc = depose(applying, step);
        if (rc)
            return store_failed(applying, step, rc);
    }
    if (!driver->create) { /* no outside object: recorded, and that is all */
        if (!step->id.n)
            step->id = sf_random_uuid(step->arena);
        return made(applying, step);
    }
    if (step->verb == SF_VERB_UPDATE && !driver->is_slow_derive && is_unchanged(applying, step)) {
        step->was_unchanged = true;
        return made(applying, step);
    }
    return SF_STEP_WORK;
}

static enum sf_step_result record_only(struct applying *applying, struct sf_step *step)
{
    struct sf_run *run = applying->run;
    struct sf_node *node = step->node;
    step->id = node->recorded->id;
    step->refs = node->refs;
    const struct sf_value *attrs = sf_node_merge(&run->graph, step->arena, node->schema, NULL, node->actual, node->recorded->attrs);
    struct sf_row row =
        sf_run_row(run, step->arena, node, step->id, node->recorded->is_incomplete ? SF_ROW_INCOMPLETE : SF_ROW_CURRENT,
                   sf_value_sealed(&run->graph, step->arena, attrs), node->refs ? node->refs : node->recorded->refs);
    enum sf_code rc = sf_run_begin(run, applying->err);
    if (!rc)
        rc = sf_store_put_row(run->store, &row, applying->err);
    if (rc)
        return store_failed(applying, step, rc);
    end_step(applying, step, SF_STATUS_DONE);
    return SF_STEP_DONE;
}

static enum sf_step_result start(void *ctx, struct sf_task *task)
{
    struct applying *applying = ctx;
    struct sf_step *step = task->owner;
    struct sf_run *run = applying->run;
    struct sf_node *node = step->node;
    if (step->status == SF_STATUS_RUNNING) /* back from being parked */
        return SF_STEP_WORK;
    step->status = SF_STATUS_RUNNING;
    step->started_ms = sf_clock_ms();
    step->arena = sf_arena_new();
    step->err = SF_NEW(step->arena, struct sf_err);
    if (!step->has_intent)
        step->intent = sf_random_uuid(step->arena);
    if (run->events && run->events->step_started)
        run->events->step_started(run->events->ctx, step);
    switch (step->verb) {
    case SF_VERB_CREATE:
    case SF_VERB_UPDATE:
        return start_making(applying, step);
    case SF_VERB_RECORD:
        return record_only(applying, step);
    case SF_VERB_FORGET:
        return taken_away(applying, step);
    case SF_VERB_DESTROY:
        if (!node->driver->destroy)
            return taken_away(applying, step);
        step->op = sf_run_op(run, &step->ctx, step->arena, &node->now, seconds_of(run, step));
        step->op.intent = step->intent;
        return SF_STEP_WORK;
    }
    return SF_STEP_FAILED;
}

/* Whether two of a name cannot be: then what find() does not see can be made again at once, and at worst the name is taken. */
static bool is_named_by_people(const struct sf_schema *schema)
{
    int index = sf_schema_attr(schema, sf_str_of(schema->identity));
    return index >= 0 && !schema->attrs[index].is_computed;
}

/* A create was not answered. Found: it is finished as an update. Not found: it is tried again, where the service gives the name
 * only after a while, for lists of new things lag behind. */
static enum sf_code resolve_doubt(struct sf_step *step)
{
    const struct sf_driver *driver = step->node->driver;
    sf_driver_update_fn *update = driver->update;
    struct sf_outcome found = {0};
    struct sf_err err = {.code = SF_OK};
    if (!update) /* what cannot be finished later is for the next run to look for */
        return SF_E_UNKNOWN;
    enum sf_code rc = driver->find(&step->op, step->want, &found, &err);
    if (rc == SF_OK) {
        step->lost = NULL;
        rc = sf_op_made(&step->op, found.id, step->err);
        return rc ? rc : update(&step->op, found.id, step->want, step->want, &step->outcome, step->err);
    }
    if (rc != SF_E_ABSENT) {
        *step->err = err;
        return rc;
    }
    bool is_sure = is_named_by_people(step->node->schema) || sf_clock_ms() - step->lost_ms >= UNSEEN_MS;
    *step->err = *step->lost;
    step->err->retry_after_ms = is_sure ? 0 : UNSEEN_MS / 4;
    step->is_to_be_made_again = is_sure;
    return SF_E_UNAVAILABLE;
}

static enum sf_code call_create(struct sf_step *step)
{
    const struct sf_driver *driver = step->node->driver;
    if (step->has_intent && step->id.n && driver->update) /* once more, after it got its identity */
        return driver->update(&step->op, step->id, step->want, step->want, &step->outcome, step->err);
    if (step->lost && !step->is_to_be_made_again)
        return resolve_doubt(step);
    step->is_to_be_made_again = false;
    enum sf_code rc = driver->create(&step->op, step->want, &step->outcome, step->err);
    bool is_in_doubt = rc == SF_E_UNKNOWN || (rc == SF_E_CONFLICT && step->lost); /* the name is taken: by the lost one? */
    if (!is_in_doubt)
        return rc;
    if (!step->lost) {
        step->lost = SF_NEW(step->arena, struct sf_err);
        step->lost_ms = sf_clock_ms();
    }
    *step->lost = *step->err;
    return resolve_doubt(step);
}

static void work(void *ctx, struct sf_task *task)
{
    struct applying *applying = ctx;
    struct sf_step *step = task->owner;
    struct sf_node *node = step->node;
    const struct sf_driver *driver = node->driver;
    step->rc = SF_OK;
    *step->err = (struct sf_err){0};
    step->outcome = (struct sf_outcome){0};
    if (step->is_polling) {
        step->rc = driver->read(&step->op, step->id, &step->outcome, step->err);
        if (step->verb == SF_VERB_DESTROY && step->rc == SF_E_ABSENT)
            step->rc = SF_OK;
        return;
    }
    if (step->verb == SF_VERB_DESTROY) {
        step->rc = driver->destroy(&step->op, step->id, &step->outcome, step->err);
        return;
    }
    if (driver->is_slow_derive) {
        step->rc = driver->derive(&step->op, step->want, step->err);
        if (!step->rc)
            step->rc = check_against_plan(applying, step);
        if (step->rc)
            return;
    }
    if (step->verb == SF_VERB_CREATE) {
        step->rc = call_create(step);
    } else {
        /* what was read while planning is not what is there any more, once a part of the work is done; what is adopted lacks marks
         * that no attribute shows */
        const struct sf_value *have = step->is_resuming || node->is_adopted || node->is_severed ? step->want
                                      : node->seen == SF_SEEN_PRESENT                           ? node->actual
                                                                                                : node->recorded->attrs;
        step->op.is_seen = have == node->actual;
        step->rc = driver->update(&step->op, step->id, have, step->want, &step->outcome, step->err);
    }
}

/* As the driver says, but what takes long is asked for less and less often. */
static int64_t poll_ms(struct sf_step *step, const struct sf_outcome *outcome)
{
    int64_t wait = outcome->poll_after_ms ? outcome->poll_after_ms : USUAL_POLL_MS;
    for (int i = QUICK_POLLS; i < step->polls && wait < SLOWEST_POLL_MS; i++)
        wait += wait / 4;
    step->polls++;
    return wait < SLOWEST_POLL_MS || wait == outcome->poll_after_ms ? wait : SLOWEST_POLL_MS;
}

/* Accepted, and more is to come: parked until read(), or the rest of the work, is to be asked for. */
static enum sf_step_result wait_for(struct applying *applying, struct sf_step *step)
{
    const struct sf_outcome *outcome = &step->outcome;
    if (outcome->id.n)
        step->id = sf_str_dup(step->arena, outcome->id);
    if (sf_clock_ms() >= step->op.deadline_ms) {
        step->rc = sf_fail(step->err, SF_E_UNKNOWN, "'%.*s' is still not ready", SF_ARG(step->node->address));
        sf_hint(step->err, "it was accepted; run the same command again to go on waiting");
        return not_done(applying, step);
    }
    step->is_resuming = outcome->again;
    step->is_polling = !outcome->again;
    step->task.park_ms = poll_ms(step, outcome);
    return SF_STEP_PARK;
}

static enum sf_step_result finish(void *ctx, struct sf_task *task)
{
    struct applying *applying = ctx;
    struct sf_step *step = task->owner;
    struct sf_retry_budget *budget = &applying->run->retries;
    if (sf_retry_again(budget, &step->retry, step->rc, step->err, SF_RETRY_ATTEMPTS, step->op.deadline_ms, &task->park_ms)) {
        const struct sf_run_events *events = applying->run->events;
        if (step->retry.attempts == SAID_FROM_ATTEMPT && events && events->step_retries)
            events->step_retries(events->ctx, step);
        return SF_STEP_PARK;
    }
    /* Nobody has said yet whether it was made, be it that who would know was down, or would not say, or that a signal came first:
     * only a name that is somebody else's settles it. */
    if (step->rc && step->lost && step->rc != SF_E_CONFLICT)
        step->rc = step->err->code = SF_E_UNKNOWN;
    if (step->rc) {
        sf_context(step->err, "%s '%.*s'", sf_verb_name(step->verb), SF_ARG(step->node->address));
        return not_done(applying, step);
    }
    sf_retry_done(budget, &step->retry);
    if (step->outcome.is_pending)
        return wait_for(applying, step);
    return step->verb == SF_VERB_DESTROY ? taken_away(applying, step) : made(applying, step);
}

static void skip(void *ctx, struct sf_task *task)
{
    struct applying *applying = ctx;
    struct sf_step *step = task->owner;
    if (step->has_left_state) { /* with its container, before the signal or failure that would have it skipped */
        step->started_ms = sf_clock_ms();
        end_step(applying, step, SF_STATUS_DONE);
        return;
    }
    step->status = SF_STATUS_SKIPPED;
    if (applying->run->events && applying->run->events->step_ended)
        applying->run->events->step_ended(applying->run->events->ctx, step);
    sf_arena_free(step->arena);
    step->arena = NULL;
}

static enum sf_code commit(void *ctx)
{
    struct applying *applying = ctx;
    if (!applying->store_rc)
        applying->store_rc = sf_run_commit(applying->run, applying->err);
    return applying->store_rc;
}

static void tick(void *ctx)
{
    struct applying *applying = ctx;
    const struct sf_run_events *events = applying->run->events;
    if (events && events->tick)
        events->tick(events->ctx, applying->run);
}

static void count(const struct sf_step *step, struct sf_apply_result *result)
{
    switch (step->status) {
    case SF_STATUS_DONE:
        result->added += step->verb == SF_VERB_CREATE;
        result->changed += step->verb == SF_VERB_UPDATE && !step->was_unchanged;
        result->destroyed += step->verb == SF_VERB_DESTROY || (step->verb == SF_VERB_FORGET && step->node->goes_with);
        result->forgotten += step->verb == SF_VERB_FORGET && !step->node->goes_with;
        return;
    case SF_STATUS_FAILED:
        result->failed++;
        break;
    case SF_STATUS_UNKNOWN:
        result->unknown++;
        break;
    case SF_STATUS_SKIPPED:
        result->skipped++;
        return;
    case SF_STATUS_WAITING:
    case SF_STATUS_RUNNING:
        return;
    }
    /* a failed step outranks data that was not published, which outranks an unknown outcome */
    if (!result->code || result->code == SF_E_UNKNOWN || (result->code == SF_E_UNPUBLISHED && step->rc != SF_E_UNKNOWN))
        result->code = step->rc;
}

/* Renames come first, wherever state has the name: secrets and references must be found by those who use them. */
static enum sf_code move_rows(struct sf_run *run, struct sf_err *err)
{
    enum sf_code rc = SF_OK;
    for (size_t i = 0; !rc && i < run->graph.n_nodes; i++) {
        const struct sf_node *node = run->graph.nodes[i];
        if (!node->moved_from.n || !node->is_targeted)
            continue;
        rc = sf_run_begin(run, err);
        if (!rc)
            rc = sf_store_move(run->store, node->moved_from, node->address, err);
    }
    return rc ? rc : sf_run_commit(run, err);
}

enum sf_code sf_run_apply(struct sf_run *run, struct sf_apply_result *result, struct sf_err *err)
{
    struct applying applying = {.run = run, .err = err};
    *result = (struct sf_apply_result){0};
    enum sf_code rc = sf_run_generate(run, err);
    if (!rc)
        rc = move_rows(run, err);
    if (rc)
        return rc;
    applying.steps = sf_steps_build(run, &applying.n_steps);
    run->steps = applying.steps;
    run->n_steps = applying.n_steps;
    run->calls = SF_NEW_ARRAY(run->arena, run->n_steps, struct sf_run_ctx *);
    run->n_calls = run->n_steps;
    for (size_t i = 0; i < run->n_steps; i++)
        run->calls[i] = &run->steps[i]->ctx;
    struct sf_task **tasks = SF_NEW_ARRAY(run->arena, applying.n_steps, struct sf_task *);
    for (size_t i = 0; i < applying.n_steps; i++)
        tasks[i] = &applying.steps[i]->task;
    struct sf_walk walk = {
        .ctx = &applying, .start = start, .work = work, .finish = finish, .skip = skip, .commit = commit, .tick = tick};
    rc = sf_sched_run(run->sched, &walk, tasks, applying.n_steps);
    for (size_t i = 0; i < applying.n_steps; i++)
        count(applying.steps[i], result);
    if (rc == SF_E_CANCELLED) {
        result->code = rc;
        rc = SF_OK;
    }
    if (rc == SF_E_INTERNAL && !applying.store_rc)
        return sf_fail(err, rc, "the steps have a cycle; please report this stack");
    if (rc)
        return rc;
    const struct sf_value *outputs = NULL;
    if (!result->failed && !result->unknown && !result->skipped && sf_graph_outputs(&run->graph, run->arena, &outputs) == SF_OK) {
        run->graph.outputs = outputs;
        rc = sf_run_begin(run, err);
        if (!rc)
            rc = sf_store_put_meta(run->store, "outputs", sf_value_sealed(&run->graph, run->arena, outputs), err);
        if (!rc)
            rc = sf_run_commit(run, err);
    }
    return rc;
}
