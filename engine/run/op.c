/* What drivers may ask of the engine (the sf_op_* functions of kind.h). Called on worker threads; what needs the store goes to the
 * scheduler's thread as a request and comes back when it is durable. */
#include "engine/run/apply.h"

#include "engine/core/clock.h"

#include <stdio.h>
#include <stdlib.h>

struct journal_request {
    struct sf_op *op;
    const char *text; /* call, or secret name */
    struct sf_str value;
    const struct sf_object *of;
    struct sf_str *out;
    struct sf_err *err;
};

/* Runs a request where it belongs: at once when already on the scheduler's thread, else through its queue. */
static enum sf_code on_scheduler(struct sf_op *op, sf_request_fn *handle, struct journal_request *request)
{
    struct sf_run *run = op->run->run;
    if (pthread_equal(pthread_self(), run->thread)) {
        enum sf_code rc = handle(request);
        enum sf_code committed = sf_run_commit(run, request->err);
        return rc ? rc : committed;
    }
    return sf_sched_call(run->sched, handle, request);
}

static struct sf_intent intent_of(const struct sf_step *step, const char *call)
{
    struct sf_run *run = step->ctx.run;
    const struct sf_node *node = step->node;
    struct sf_arena *arena = step->arena;
    const struct sf_value **deps = SF_NEW_ARRAY(arena, node->n_deps, const struct sf_value *);
    for (size_t i = 0; i < node->n_deps; i++)
        deps[i] = sf_value_str(arena, node->deps[i]->address);
    bool takes_away = step->verb == SF_VERB_DESTROY;
    return (struct sf_intent){
        .id = step->intent,
        .address = node->address,
        .generation = takes_away ? step->row->generation : 0,
        .kind = node->kind,
        .verb = sf_str_of(sf_verb_name(step->verb)),
        .call = sf_str_of(call),
        .want = takes_away ? step->row->attrs : sf_value_sealed(&run->graph, arena, step->want),
        .refs = takes_away ? step->row->refs : step->refs,
        .deps = sf_value_list(arena, deps, node->n_deps),
        .made_id = step->id,
        .run = run->id,
        .opened_ms = sf_clock_wall_ms(),
    };
}

static enum sf_code do_intent(void *arg)
{
    struct journal_request *request = arg;
    struct sf_step *step = request->op->run->step;
    struct sf_run *run = request->op->run->run;
    if (step->carries_intent) /* durable already, and what it wanted then is still in doubt */
        return SF_OK;
    enum sf_code rc = sf_run_begin(run, request->err);
    if (rc)
        return rc;
    struct sf_intent intent = intent_of(step, request->text);
    rc = sf_store_put_intent(run->store, &intent, request->err);
    if (!rc)
        step->has_intent = true;
    return rc;
}

enum sf_code sf_op_intent(struct sf_op *op, const char *call, struct sf_err *err)
{
    if (!op->run->step)
        return sf_fail(err, SF_E_INTERNAL, "'%.*s' announced the call '%s' while planning", SF_ARG(op->self->address), call);
    if (sf_sched_cancel_level() > 1)
        return sf_fail(err, SF_E_CANCELLED, "cancelled before '%s'", call);
    struct journal_request request = {.op = op, .text = call, .err = err};
    return on_scheduler(op, do_intent, &request);
}

static enum sf_code do_made(void *arg)
{
    struct journal_request *request = arg;
    struct sf_step *step = request->op->run->step;
    struct sf_run *run = request->op->run->run;
    enum sf_code rc = sf_run_begin(run, request->err);
    if (rc)
        return rc;
    step->id = sf_str_dup(step->arena, request->value);
    struct sf_intent intent = intent_of(step, "made");
    rc = sf_store_put_intent(run->store, &intent, request->err);
    if (rc)
        return rc;
    /* what the driver has reported by now belongs to the record of the unfinished: keys that it is about to supersede, say */
    const struct sf_value *attrs = step->want;
    if (step->outcome.attrs)
        attrs = sf_node_merge(&run->graph, step->arena, step->node->schema, step->want, step->outcome.attrs, NULL);
    struct sf_row row = sf_run_row(run, step->arena, step->node, step->id, SF_ROW_INCOMPLETE,
                                   sf_value_sealed(&run->graph, step->arena, attrs), step->refs);
    return sf_store_put_row(run->store, &row, request->err);
}

enum sf_code sf_op_made(struct sf_op *op, struct sf_str id, struct sf_err *err)
{
    if (!op->run->step)
        return sf_fail(err, SF_E_INTERNAL, "'%.*s' reported an identity while planning", SF_ARG(op->self->address));
    if (!id.n) /* of an answer that was none: find() tells what was made */
        return sf_fail(err, SF_E_UNKNOWN, "'%.*s' may have been made: the answer does not name it", SF_ARG(op->self->address));
    struct journal_request request = {.op = op, .value = id, .err = err};
    return on_scheduler(op, do_made, &request);
}

static bool same_address(const struct sf_value *v, const struct sf_object *object)
{
    return v && v->type == SF_V_STRING && sf_str_eq(v->s, object->address);
}

const struct sf_object *sf_op_ref(const struct sf_op *op, const struct sf_object *of, const char *attr, size_t i)
{
    const struct sf_object *self = of ? of : op->self;
    const struct sf_value *ref = sf_map_getz(self->refs, attr);
    if (ref && ref->type == SF_V_LIST)
        ref = i < ref->list.n ? ref->list.items[i] : NULL;
    else if (i > 0)
        return NULL;
    for (size_t k = 0; ref && k < self->n_deps; k++)
        if (same_address(ref, self->deps[k]))
            return self->deps[k];
    return NULL;
}

static enum sf_code do_seal(void *arg)
{
    struct journal_request *request = arg;
    struct sf_run *run = request->op->run->run;
    enum sf_code rc = sf_run_begin(run, request->err);
    if (rc)
        return rc;
    return sf_store_seal(run->store, request->op->self->address, request->text, request->value, request->err);
}

enum sf_code sf_op_seal(struct sf_op *op, const char *name, struct sf_str secret, struct sf_err *err)
{
    if (!op->run->step)
        return sf_fail(err, SF_E_INTERNAL, "'%.*s' sealed a secret while planning", SF_ARG(op->self->address));
    struct journal_request request = {.op = op, .text = name, .value = secret, .err = err};
    return on_scheduler(op, do_seal, &request);
}

static enum sf_code do_unseal(void *arg)
{
    struct journal_request *request = arg;
    struct sf_run *run = request->op->run->run;
    const struct sf_object *of = request->of ? request->of : request->op->self;
    if (!run->store)
        return sf_fail(request->err, SF_E_ABSENT, "no secret '%s' is kept for '%.*s'", request->text, SF_ARG(of->address));
    enum sf_code rc = sf_store_unseal(run->store, request->op->arena, of->address, request->text, request->out, request->err);
    const struct sf_node *node = sf_map_find(run->graph.by_address, of->address);
    if (rc == SF_E_ABSENT && node && node->moved_from.n) /* while planning, state has it under the old name */
        rc = sf_store_unseal(run->store, request->op->arena, node->moved_from, request->text, request->out, request->err);
    return rc;
}

enum sf_code sf_op_unseal(struct sf_op *op, const struct sf_object *of, const char *name, struct sf_str *secret, struct sf_err *err)
{
    struct journal_request request = {.op = op, .text = name, .of = of, .out = secret, .err = err};
    return on_scheduler(op, do_unseal, &request);
}

struct sf_str sf_op_fingerprint(struct sf_op *op, struct sf_str secret)
{
    struct sf_run *run = op->run->run;
    return run->store ? sf_store_fingerprint(run->store, op->arena, secret) : SF_STR_NONE;
}

void sf_op_progress(struct sf_op *op, const char *fmt, ...)
{
    struct sf_progress now = {.done = 0};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(now.what, sizeof(now.what), fmt, ap);
    va_end(ap);
    pthread_mutex_lock(&op->run->run->mutex);
    op->run->progress = now;
    pthread_mutex_unlock(&op->run->run->mutex);
}

void sf_op_progress_of(struct sf_op *op, const char *what, uint64_t done, uint64_t total, const char *unit)
{
    struct sf_progress now = {.done = done, .total = total, .first_done = done, .first_ms = sf_clock_ms()};
    snprintf(now.what, sizeof(now.what), "%s", what);
    snprintf(now.unit, sizeof(now.unit), "%s", unit);
    pthread_mutex_lock(&op->run->run->mutex);
    const struct sf_progress *was = &op->run->progress;
    if (strcmp(was->what, now.what) == 0 && strcmp(was->unit, now.unit) == 0 && was->first_done <= done) {
        now.first_done = was->first_done;
        now.first_ms = was->first_ms;
    }
    op->run->progress = now;
    pthread_mutex_unlock(&op->run->run->mutex);
}

void sf_run_note(struct sf_run *run, struct sf_str address, struct sf_str text)
{
    pthread_mutex_lock(&run->mutex);
    struct sf_note *note = run->notes;
    while (note && !(sf_str_eq(note->address, address) && sf_str_eq(note->text, text)))
        note = note->next;
    if (!note) {
        /* the run arena is the scheduler's, so notes have memory of their own, kept until exit */
        note = calloc(1, sizeof(*note) + text.n + address.n);
        if (!note)
            sf_out_of_memory();
        char *bytes = (char *)(note + 1);
        memcpy(bytes, text.p, text.n);
        if (address.n)
            memcpy(bytes + text.n, address.p, address.n);
        note->text = (struct sf_str){bytes, text.n};
        note->address = (struct sf_str){bytes + text.n, address.n};
        *run->last_note = note;
        run->last_note = &note->next;
    }
    pthread_mutex_unlock(&run->mutex);
}

void sf_op_warn(struct sf_op *op, const char *fmt, ...)
{
    va_list ap;
    if (!op->run) /* before the run is open: nobody to tell */
        return;
    va_start(ap, fmt);
    struct sf_str text = sf_str_vfmt(op->arena, fmt, ap);
    va_end(ap);
    sf_run_note(op->run->run, op->self->address, text);
}

/* The record of a check, made when it is first heard of. Under the mutex. */
static struct sf_run_check *check_of(struct sf_run *run, struct sf_str address, struct sf_str name)
{
    struct sf_run_check **end = &run->checks;
    while (*end && !(sf_str_eq((*end)->address, address) && sf_str_eq((*end)->name, name)))
        end = &(*end)->next;
    struct sf_run_check *check = *end;
    if (check)
        return check;
    check = SF_NEW(run->check_arena, struct sf_run_check);
    check->address = sf_str_dup(run->check_arena, address);
    check->name = sf_str_dup(run->check_arena, name);
    *end = check;
    return check;
}

bool sf_op_has_check(struct sf_op *op, struct sf_str name)
{
    struct sf_run *run = op->run->run;
    const struct sf_value *accepted = op->site->accepted_checks;
    pthread_mutex_lock(&run->mutex);
    check_of(run, op->self->address, name);
    pthread_mutex_unlock(&run->mutex);
    for (size_t i = 0; accepted && i < accepted->list.n; i++)
        if (sf_str_eq(accepted->list.items[i]->s, name))
            return true;
    return false;
}

void sf_op_report_check(struct sf_op *op, const struct sf_check_report *report)
{
    struct sf_run *run = op->run->run;
    pthread_mutex_lock(&run->mutex);
    struct sf_run_check *check = check_of(run, op->self->address, report->name);
    check->outcome = report->outcome;
    check->failing = report->failing;
    check->rows = sf_str_dup(run->check_arena, report->rows);
    pthread_mutex_unlock(&run->mutex);
}

bool sf_op_is_cancelled(const struct sf_op *op)
{
    return sf_sched_cancel_level() > (op->is_planning ? 0 : 1); /* a plan changes nothing, so it ends at once */
}
