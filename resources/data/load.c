/* kind `load`: a data set published into a star schema, exactly once, in one transaction, after its checks.
 *
 * What is there is never believed: read() counts, totals and digests every table and year and compares them with the ledger, so a
 * row edited by hand is drift of just that year. create() does so again; update() goes by what read() has just compared, as far as
 * it is still there. Both load only what differs. The id of a load in the ledger is the intent it ran under, which is how find()
 * knows whether a commit whose answer was lost took place. */
#include "attr/load.h"
#include "attr/star_schema.h"
#include "attr/upload.h"

#include "resources/data/conform_load.h"
#include "resources/data/dataset_attrs.h"
#include "resources/data/dataset_rules.h"
#include "resources/data/load_script.h"
#include "resources/data/star_sql.h"

#include <inttypes.h>

enum { MAX_SHOWN_REJECTS = 5, MAX_SHOWN_VALUE = 60 };

/* What a call works on. */
struct load_call {
    struct sf_load_objects objects;
    struct sf_star *star;
    struct sf_checks checks;
    struct sf_str schema;
    struct sf_str loaded_by;
    struct sf_ledger ledger;
    const struct sf_value *contents; /* all that is to be published, also where only the warehouse could say it */
};

static struct sf_str load_identity(const struct sf_op *op, struct sf_str schema)
{
    return sf_str_fmt(op->arena, "%.*s/%.*s", SF_ARG(schema), SF_ARG(op->self->name));
}

/* Finds the objects, reads the files. `id` is empty before the load exists. */
static enum sf_code open_call(struct sf_op *op, const struct sf_value *attrs, struct sf_str id, bool needs_source,
                              struct load_call *call, struct sf_err *err)
{
    enum sf_code rc = sf_load_objects(op, needs_source, &call->objects, err);
    if (rc)
        return rc;
    call->schema = sf_map_str(call->objects.star_schema->attrs, STAR_SCHEMA_SCHEMA);
    rc = sf_star_load(op, sf_map_str(call->objects.star_schema->attrs, STAR_SCHEMA_TABLES), &call->star, err);
    if (rc)
        return rc;
    if (id.n == 0)
        id = load_identity(op, call->schema);
    call->loaded_by = sf_str_fmt(op->arena, "%.*s/%.*s/%.*s", SF_ARG(op->site->stack), SF_ARG(op->site->lineage), SF_ARG(id));
    if (!needs_source)
        return SF_OK;
    rc = sf_checks_load(op, sf_map_getz(attrs, LOAD_CHECKS), call->star, &call->checks, err);
    if (!rc)
        sf_checks_announce(op, &call->checks);
    return rc;
}

/* Rows of all queries. */
static enum sf_code query_ledger(struct sf_op *op, const struct load_call *call, bool is_measuring, const struct sf_value **rows,
                                 struct sf_err *err)
{
    const struct sf_world *world = op->site->world;
    struct sf_str queries[SF_LEDGER_QUERIES];
    const struct sf_value *parts[SF_LEDGER_QUERIES] = {0};
    size_t n = world->dialect->ledger(op->arena, call->star, call->schema, is_measuring, queries), n_rows = 0;
    enum sf_code rc = SF_OK;
    for (size_t i = 0; !rc && i < n; i++) {
        rc = world->warehouse_query(op, call->objects.cluster, queries[i], &parts[i], err);
        n_rows += rc ? 0 : sf_rows_count(parts[i]);
    }
    if (rc)
        return rc;
    const struct sf_value **list = SF_NEW_ARRAY(op->arena, n_rows + 1, const struct sf_value *);
    n_rows = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t r = 0; r < sf_rows_count(parts[i]); r++)
            list[n_rows++] = parts[i]->list.items[r];
    *rows = sf_value_list(op->arena, list, n_rows);
    return SF_OK;
}

/* SF_E_ABSENT when the star's tables are not there. `seen` (may be NULL: all is measured) is what was compared before: then rows
 * are only counted. */
static enum sf_code ask_ledger(struct sf_op *op, struct load_call *call, const struct sf_value *seen, struct sf_err *err)
{
    bool is_measuring = !seen || seen->type != SF_V_MAP;
    const struct sf_value *rows = NULL;
    struct sf_err local = {0};
    enum sf_code rc = query_ledger(op, call, is_measuring, &rows, &local);
    if (!rc) {
        rc = sf_ledger_read(op->arena, call->star, rows, call->loaded_by, &call->ledger, err);
        if (!rc && !is_measuring)
            sf_ledger_assume(op->arena, &call->ledger, seen);
        return rc;
    }
    /* no such table, schema, column; no such function or operator for a column's type: the star is made anew, then filled */
    static const char *const gone[] = {"42P01", "3F000", "42703", "42883", "42804"};
    for (size_t i = 0; i < SF_COUNT(gone); i++) {
        if (strcmp(local.remote_code, gone[i]) == 0) {
            sf_fail(err, SF_E_ABSENT, "a table of schema '%.*s' is missing or not as declared", SF_ARG(call->schema));
            sf_hint(err, "run sfapply again: it sees what is missing, makes it and loads all years");
            return SF_E_ABSENT;
        }
    }
    if (err)
        *err = local;
    return rc;
}

static void report(struct sf_op *op, const struct load_call *call, const struct sf_value *base, const struct sf_value *contents,
                   struct sf_str id, struct sf_outcome *out)
{
    struct sf_value *attrs = sf_value_map(op->arena);
    for (size_t i = 0; base && i < base->map.n; i++)
        sf_map_add(op->arena, attrs, base->map.pairs[i].key, base->map.pairs[i].value);
    int64_t rows = 0;
    for (size_t i = 0; i < call->ledger.n; i++) {
        const struct sf_ledger_entry *e = &call->ledger.entries[i];
        rows += e->is_part && e->is_found && sf_str_eq(e->table, call->ledger.fact) ? e->found_rows : 0;
    }
    sf_map_set(op->arena, attrs, sf_str_of(LOAD_CONTENTS), sf_ledger_differences(op->arena, &call->ledger, contents));
    sf_map_set_int(op->arena, attrs, LOAD_ROWS, rows);
    sf_map_set_int(op->arena, attrs, LOAD_CHECKS_PASSED, call->ledger.checks_passed);
    sf_map_set_str(op->arena, attrs, LOAD_LOAD_ID, call->ledger.load_id);
    out->attrs = attrs;
    out->id = id;
}

/* Whether a table, by its star's `structure`, has another shape than declared, so that the star's update makes it anew. */
static bool is_remade(const struct sf_value *found, const struct sf_value *declared, struct sf_str table)
{
    const struct sf_value *shape = sf_map_get(found, table), *wanted = sf_map_get(declared, table);
    return shape && wanted && shape->type == SF_V_STRING && !sf_value_equal(shape, wanted) &&
           !sf_str_starts(shape->s, SF_STR("comment"));
}

/* What is in a table that is about to be made anew does not count, or the figures would be gone until the apply after that. NULL
 * when that is the ledger: then all is loaded again. */
static const struct sf_value *without_remade_tables(struct sf_op *op, const struct load_call *call, const struct sf_value *contents)
{
    const struct sf_object *star = call->objects.star_schema;
    const struct sf_value *found = sf_map_getz(star->attrs, STAR_SCHEMA_STRUCTURE);
    const struct sf_value *declared =
        sf_star_declared(op->arena, op->site->world->dialect, call->star, sf_map_str(star->attrs, STAR_SCHEMA_READER));
    if (is_remade(found, declared, SF_STR(SF_STAR_LEDGER_TABLE)))
        return NULL;
    struct sf_value *tables = sf_value_map(op->arena), *years = sf_value_map(op->arena), *all = sf_value_map(op->arena);
    const struct sf_value *now[] = {sf_map_getz(contents, "tables"), sf_map_getz(contents, "years")};
    for (size_t i = 0; i < now[0]->map.n + now[1]->map.n; i++) {
        bool is_year = i >= now[0]->map.n;
        const struct sf_pair *pair = is_year ? &now[1]->map.pairs[i - now[0]->map.n] : &now[0]->map.pairs[i];
        struct sf_str table = is_year ? call->star->fact->name : pair->key;
        sf_map_add(op->arena, is_year ? years : tables, pair->key,
                   is_remade(found, declared, table) ? sf_value_str(op->arena, SF_STR("its table is made anew")) : pair->value);
    }
    for (size_t i = 0; i < contents->map.n; i++) {
        const struct sf_pair *pair = &contents->map.pairs[i];
        const struct sf_value *value = pair->value == now[0] ? tables : pair->value == now[1] ? years : pair->value;
        sf_map_add(op->arena, all, pair->key, value);
    }
    return all;
}

static enum sf_code read_load(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    struct load_call call = {0};
    enum sf_code rc = open_call(op, op->self->attrs, id, false, &call, err);
    if (!rc)
        rc = ask_ledger(op, &call, NULL, err);
    if (rc)
        return rc;
    if (!call.ledger.has_load)
        return sf_fail(err, SF_E_ABSENT, "the ledger of schema '%.*s' knows no load of this stack", SF_ARG(call.schema));
    const struct sf_value *contents = without_remade_tables(op, &call, sf_ledger_contents(op->arena, &call.ledger));
    if (!contents)
        return sf_fail(err, SF_E_ABSENT, "the ledger of schema '%.*s' is not as declared and is made anew", SF_ARG(call.schema));
    report(op, &call, op->self->attrs, contents, id, out);
    return SF_OK;
}

static enum sf_code find_load(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    struct load_call call = {0};
    enum sf_code rc = open_call(op, want, SF_STR_NONE, false, &call, err);
    if (!rc)
        rc = ask_ledger(op, &call, NULL, err);
    if (rc)
        return rc;
    if (!call.ledger.has_load || !sf_str_eq(call.ledger.load_id, op->intent))
        return sf_fail(err, SF_E_ABSENT, "load %.*s was not published", SF_ARG(op->intent));
    report(op, &call, want, sf_ledger_contents(op->arena, &call.ledger), load_identity(op, call.schema), out);
    return SF_OK;
}

/* --- rejects of the data set --- */

static bool has_too_many_rejects(const struct sf_object *dataset)
{
    return sf_map_int(dataset->attrs, DATASET_REJECTED, 0) > sf_map_int(dataset->attrs, DATASET_MAX_REJECTS, 0);
}

static enum sf_code refuse_rejects(struct sf_op *op, const struct sf_object *dataset, struct sf_err *err)
{
    int64_t rejected = sf_map_int(dataset->attrs, DATASET_REJECTED, 0),
            allowed = sf_map_int(dataset->attrs, DATASET_MAX_REJECTS, 0);
    if (!has_too_many_rejects(dataset))
        return SF_OK;
    const struct sf_value *list = sf_map_getz(dataset->attrs, DATASET_REJECTS);
    struct sf_buf shown = SF_BUF(SF_MAX_MESSAGE_BYTES);
    for (size_t i = 0; list && list->type == SF_V_LIST && i < list->list.n && i < MAX_SHOWN_REJECTS; i++) {
        const struct sf_value *r = list->list.items[i];
        sf_buf_addf(&shown, "\n  line %" PRId64 ", %.*s: %.*s: '%.*s'", sf_map_int(r, "line", 0), SF_ARG(sf_map_str(r, "column")),
                    SF_ARG(sf_map_str(r, "reason")), SF_ARG(sf_str_slice(sf_map_str(r, "value"), 0, MAX_SHOWN_VALUE)));
    }
    sf_fail(err, SF_E_UNPUBLISHED,
            "%s row%s of data set '%.*s' %s rejected and max_rejects is %" PRId64 "; nothing was published%s",
            sf_sql_grouped(op->arena, rejected).p, rejected == 1 ? "" : "s", SF_ARG(dataset->name), rejected == 1 ? "was" : "were",
            allowed, shown.n ? shown.p : "");
    sf_hint(err, "all of them are in %.*s; correct the source, or raise max_rejects",
            SF_ARG(sf_map_str(dataset->attrs, DATASET_REJECTS_FILE)));
    sf_buf_free(&shown);
    return SF_E_UNPUBLISHED;
}

/* --- failed checks --- */

/* Staging tables of a load that failed with `why` go at once if somebody is there to be asked; else with the next load. */
static void sweep(struct sf_op *op, const struct load_call *call, const struct sf_load_plan *plan, enum sf_code why)
{
    struct sf_script script = {.arena = op->arena};
    struct sf_err ignored = {0};
    size_t failed;
    if (why == SF_E_UNKNOWN || why == SF_E_UNAVAILABLE || why == SF_E_CANCELLED)
        return;
    sf_publish_sweep(&script, plan);
    if (script.n > 0)
        script.list[0].is_anew = true;
    if (op->site->world->warehouse_run(op, call->objects.cluster, script.list, script.n, NULL, &failed, &ignored))
        return;
}

static enum sf_code record_failures(struct sf_op *op, struct load_call *call, const struct sf_load_plan *plan,
                                    struct sf_check_run *run, const struct sf_value **results, struct sf_err *err)
{
    struct sf_script copies = {.arena = op->arena}, script = {.arena = op->arena};
    size_t failed;
    sf_load_rehearse(op->arena, &call->checks, plan, &copies, &script, run);
    enum sf_code rc = sf_op_intent(op, "record rejects", err);
    if (!rc)
        rc = op->site->world->warehouse_stage(op, call->objects.cluster, copies.list, copies.n, &failed, err);
    return rc ? rc : op->site->world->warehouse_run(op, call->objects.cluster, script.list, script.n, results, &failed, err);
}

/* Turns a failed check (NULL: which one is not known), or a null where none may be, into SF_E_UNPUBLISHED with the rows that
 * offend. */
static enum sf_code explain_failure(struct sf_op *op, struct load_call *call, struct sf_load_plan *plan,
                                    const struct sf_check_run *first_run, bool is_check, const struct sf_check *failed,
                                    struct sf_err *err)
{
    struct sf_err first = *err, second = {0};
    struct sf_check_run run;
    const struct sf_value *results = NULL;
    bool is_asked = is_check || !sf_publish_stages_bare(plan); /* else the copy would be refused again */
    enum sf_code rc = is_asked ? record_failures(op, call, plan, &run, &results, &second) : SF_E_DATA;
    if (rc) {
        sweep(op, call, plan, rc);
        sf_check_run_report(op, first_run, NULL, failed);
    } else {
        sf_check_run_report(op, &run, results, failed);
    }
    if (!rc && sf_check_run_explain(op, &run, results, err))
        return SF_E_UNPUBLISHED;
    if (is_check) {
        rc = failed ? sf_fail(err, SF_E_UNPUBLISHED, "check '%.*s' failed; nothing was published", SF_ARG(failed->name))
                    : sf_fail(err, SF_E_UNPUBLISHED, "a check failed; nothing was published");
        sf_hint(err, "%s; the failing rows could not be recorded: %s", sf_check_run_standing(plan),
                second.message[0] ? second.message : "they were gone when asked for again");
    } else {
        *err = first;
        rc = SF_E_DATA;
        err->code = rc;
        struct sf_str rows = sf_str_dup(op->arena, sf_str_of(first.hint));
        sf_hint(err, "the delivered file does not fit its table; %s%s%s", sf_check_run_standing(plan), rows.n ? "\n" : "", rows.p);
    }
    return rc;
}

/* --- publishing --- */

/* Whether a copy was refused by the data: a null, a value that does not fit, a malformed line. */
static bool is_data_error(const struct sf_err *err)
{
    return strncmp(err->remote_code, "22", 2) == 0 || strncmp(err->remote_code, "23", 2) == 0;
}

/* Deletes what earlier deliveries left: from now on nothing published was loaded from it. A failure here is only a note, since the
 * next load tries again. */
static void delete_superseded(struct sf_op *op, const struct load_call *call)
{
    const struct sf_value *keys = sf_map_getz(call->objects.upload->attrs, UPLOAD_SUPERSEDED);
    const struct sf_value *files = sf_map_getz(call->objects.upload->attrs, UPLOAD_FILES);
    struct sf_err err = {0};
    if (!keys || keys->type != SF_V_LIST || keys->list.n == 0 || sf_op_intent(op, "delete superseded objects", &err))
        return;
    for (size_t i = 0; i < keys->list.n; i++) {
        const struct sf_value *key = keys->list.items[i];
        if (key->type != SF_V_STRING || sf_map_get(files, key->s))
            continue;
        if (op->site->world->bucket_delete(op, call->objects.bucket, key->s, &err))
            sf_op_warn(op, "superseded object '%.*s' could not be deleted: %s", SF_ARG(key->s), err.message);
    }
}

/* Rows that the rules refused are in a staging table yet; this keeps them beyond it. */
static enum sf_code record_rejects(struct sf_op *op, const struct load_call *call, const struct sf_load_plan *plan,
                                   struct sf_err *err)
{
    struct sf_script script = {.arena = op->arena};
    size_t failed;
    sf_check_run_clear(&script, plan);
    sf_conform_load_keep_rejects(&script, plan, "error");
    enum sf_code rc = sf_op_intent(op, "record rejects", err);
    return rc ? rc : op->site->world->warehouse_run(op, call->objects.cluster, script.list, script.n, NULL, &failed, err);
}

/* Conforms in the warehouse: from then on the data set is as if the engine had done it, but for where its rows are. */
static enum sf_code conform(struct sf_op *op, struct load_call *call, struct sf_load_plan *plan, struct sf_err *err)
{
    struct sf_object *dataset = SF_NEW(op->arena, struct sf_object);
    plan->is_conformed = true;
    plan->dialect = op->site->world->dialect;
    plan->schema = call->schema;
    plan->partitions = sf_star_partitions_schema(op->arena, call->schema);
    plan->raw = sf_map_str(call->objects.dataset->attrs, DATASET_SNAPSHOT);
    enum sf_code rc = sf_load_check_raw(op, &call->objects, err);
    if (!rc)
        rc = sf_op_intent(op, "conform in the warehouse", err);
    if (!rc)
        rc = sf_conform_load(op, &call->objects, call->star, &call->ledger, dataset, err);
    if (rc)
        return rc;
    call->objects.dataset = dataset;
    call->contents = sf_load_contents(op, dataset, call->star, &call->checks);
    return has_too_many_rejects(dataset) ? record_rejects(op, call, plan, err) : SF_OK;
}

static void tidy(struct sf_op *op, const struct load_call *call, const struct sf_load_plan *plan)
{
    struct sf_script script = {.arena = op->arena};
    struct sf_err err = {0};
    sf_publish_tidy(&script, plan);
    if (sf_script_run(op, call->objects.cluster, &script, false, &err))
        sf_op_warn(op, "the load is published; putting the warehouse in order after it failed: %s", err.message);
}

static enum sf_code publish(struct sf_op *op, struct load_call *call, const struct sf_value *want, struct sf_str id,
                            const char *intent, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_load_plan plan = {0};
    struct sf_err local = {0};
    if (!err)
        err = &local;
    call->contents = sf_map_getz(want, LOAD_CONTENTS);
    plan.load_id = op->intent;
    plan.loaded_by = call->loaded_by;
    enum sf_code rc = SF_OK;
    if (sf_dataset_is_in_warehouse(call->objects.dataset->attrs))
        rc = conform(op, call, &plan, err);
    if (!rc)
        rc = refuse_rejects(op, call->objects.dataset, err);
    if (!rc)
        rc = sf_load_prepare(op, &call->objects, call->star, &call->checks, call->contents, &call->ledger, &plan, err);
    if (!rc && !plan.is_conformed)
        rc = sf_load_check_delivery(op, &call->objects, &plan, err);
    if (rc) {
        if (plan.is_conformed)
            sweep(op, call, &plan, rc);
        return rc;
    }
    struct sf_script copies = {.arena = op->arena}, script = {.arena = op->arena};
    struct sf_check_run run;
    sf_load_compose(op->arena, &call->checks, &plan, &copies, &script, &run);
    rc = sf_load_check_size(op, call->objects.cluster, &call->checks, &script, err);
    if (!rc)
        rc = sf_op_intent(op, intent, err);
    if (rc)
        return rc;
    const struct sf_value *results = NULL;
    size_t failed = 0;
    rc = op->site->world->warehouse_stage(op, call->objects.cluster, copies.list, copies.n, &failed, err);
    if (rc == SF_E_REFUSED && is_data_error(err))
        return explain_failure(op, call, &plan, &run, false, NULL, err);
    if (!rc) {
        rc = op->site->world->warehouse_run(op, call->objects.cluster, script.list, script.n, &results, &failed, err);
        const struct sf_check *check = NULL;
        bool is_check = rc == SF_E_REFUSED && sf_check_run_raises(&run, failed, &check);
        if (is_check && is_data_error(err))
            return explain_failure(op, call, &plan, &run, true, check, err);
        if (check) /* it did not fail, it could not be asked: a query that the warehouse does not take */
            sf_context(err, "check '%.*s'", SF_ARG(check->name));
    }
    if (rc) {
        sweep(op, call, &plan, rc);
        return rc;
    }
    out->id = id;
    sf_check_run_report(op, &run, results, NULL);
    tidy(op, call, &plan);
    return SF_OK;
}

static enum sf_code finish(struct sf_op *op, struct load_call *call, const struct sf_value *want, struct sf_str id,
                           struct sf_outcome *out, struct sf_err *err)
{
    delete_superseded(op, call);
    /* what was published was measured in its transaction, the rest before it */
    enum sf_code rc = ask_ledger(op, call, call->contents, err);
    if (!rc)
        report(op, call, want, sf_ledger_contents(op->arena, &call->ledger), id, out);
    return rc;
}

static enum sf_code create_load(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    struct load_call call = {0};
    enum sf_code rc = open_call(op, want, SF_STR_NONE, true, &call, err);
    if (!rc)
        rc = ask_ledger(op, &call, NULL, err);
    if (rc)
        return rc;
    if (call.ledger.other_loader.n > 0) {
        sf_fail(err, SF_E_CONFLICT, "schema '%.*s' is filled by another load: %.*s", SF_ARG(call.schema),
                SF_ARG(call.ledger.other_loader));
        sf_hint(err, "one star has one load; destroy the other, or give this one a star of its own");
        return SF_E_CONFLICT;
    }
    struct sf_str id = load_identity(op, call.schema);
    rc = publish(op, &call, want, id, "publish load", out, err);
    if (!rc)
        rc = sf_op_made(op, id, err);
    return rc ? rc : finish(op, &call, want, id, out, err);
}

static enum sf_code update_load(struct sf_op *op, struct sf_str id, const struct sf_value *have, const struct sf_value *want,
                                struct sf_outcome *out, struct sf_err *err)
{
    struct load_call call = {0};
    const struct sf_value *seen = op->is_seen ? sf_map_getz(have, LOAD_CONTENTS) : NULL; /* else nobody compared it */
    enum sf_code rc = open_call(op, want, id, true, &call, err);
    /* what is there is asked again: the star may have made a table anew since the plan */
    if (!rc)
        rc = ask_ledger(op, &call, sf_map_getz(seen, "raw") ? NULL : seen, err); /* that says only what differs */
    if (!rc)
        rc = publish(op, &call, want, id, "publish load", out, err);
    return rc ? rc : finish(op, &call, want, id, out, err);
}

static enum sf_code destroy_load(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    (void)out;
    struct load_call call = {0};
    enum sf_code rc = open_call(op, op->self->attrs, id, false, &call, err);
    if (!rc)
        rc = ask_ledger(op, &call, NULL, err);
    if (rc == SF_E_ABSENT || (!rc && !call.ledger.has_load))
        return SF_OK;
    if (rc)
        return rc;
    struct sf_load_plan plan = {
        .dialect = op->site->world->dialect, .star = call.star, .schema = call.schema, .loaded_by = call.loaded_by};
    plan.partitions = sf_star_partitions_schema(op->arena, plan.schema);
    plan.parts = SF_NEW_ARRAY(op->arena, call.ledger.n_partitions + 1, struct sf_load_part);
    for (size_t i = 0; i < call.ledger.n_partitions; i++)
        plan.parts[plan.n_parts++] = (struct sf_load_part){.table = sf_star_table(call.star, call.ledger.partitions[i].table),
                                                           .value = call.ledger.partitions[i].value,
                                                           .has_partition = true};
    struct sf_script script = {.arena = op->arena};
    sf_publish_withdraw(&script, &plan);
    size_t failed = 0;
    rc = sf_op_intent(op, "withdraw load", err);
    if (!rc)
        rc = op->site->world->warehouse_control(op, call.objects.cluster, script.list, script.n, NULL, &failed, err);
    if (!rc)
        tidy(op, &call, &plan);
    return rc;
}

static enum sf_code derive_load(struct sf_op *op, struct sf_value *want, struct sf_err *err)
{
    struct load_call call = {0};
    const struct sf_value *checks = sf_map_getz(want, LOAD_CHECKS);
    if (checks && sf_value_has_unknown(checks, NULL))
        return SF_OK;
    if (sf_load_objects(op, true, &call.objects, err))
        return SF_OK;
    struct sf_str tables = sf_map_str(call.objects.star_schema->attrs, STAR_SCHEMA_TABLES);
    if (tables.n == 0)
        return SF_OK;
    enum sf_code rc = sf_star_load(op, tables, &call.star, err);
    if (!rc)
        rc = sf_checks_load(op, checks, call.star, &call.checks, err);
    if (rc)
        return rc;
    sf_checks_announce(op, &call.checks);
    call.contents = sf_load_contents(op, call.objects.dataset, call.star, &call.checks);
    if (call.contents)
        sf_map_set(op->arena, want, sf_str_of(LOAD_CONTENTS), call.contents);
    return op->is_planning && call.contents ? sf_load_foresee_size(op, &call.objects, call.star, &call.checks, call.contents, err)
                                            : SF_OK;
}

/* A COPY names its objects in a manifest that is put beside them and deleted after it. (Deleting and lists are the bucket's needs,
 * statements the cluster's.) */
static const struct sf_need needs[] = {
    {"s3:PutObject", "arn:{partition}:s3:::*/sfstack-copy/*"},
    {NULL, NULL},
};

extern const struct sf_driver sf_driver_data_load;
const struct sf_driver sf_driver_data_load = {
    .kind = "load",
    .read = read_load,
    .find = find_load,
    .create = create_load,
    .update = update_load,
    .destroy = destroy_load,
    .derive = derive_load,
    .needs = needs,
};
