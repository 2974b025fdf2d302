/* kind `dataset`: a snapshot of a source, conformed by a rule file. With `conform: {in: warehouse}` it is only checked and cut into
 * files here (conform/raw.h), and the load runs the rules (conform_load.h).
 *
 * All the work is in derive(), so that a plan can say what would change: it evaluates the source into the content-addressed cache
 * and sets the attributes that upload and load live on. There is nothing outside to create or destroy: the objects in the cache
 * belong to whatever has the same content, and what is missing is made again. */
#include "attr/dataset.h"
#include "engine/kind.h"
#include "resources/data/conform/cache.h"
#include "resources/data/dataset_rules.h"
#include "resources/data/source/held.h"
#include "resources/data/source/live.h"

#include <stdio.h>

static enum sf_code fail_source(const struct sf_value *at, struct sf_err *err, const char *fmt, ...) SF_PRINTF(3, 4);
static enum sf_code fail_source(const struct sf_value *at, struct sf_err *err, const char *fmt, ...)
{
    char what[SF_MAX_MESSAGE_BYTES / 2];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    sf_fail(err, SF_E_CONFIG, "source: %s", what);
    sf_hint(err, "write {datasf: bpnb-jwfb}, {url: ADDRESS}, {file: rows.csv} or {sample: {rows: 776841, seed: 1}}");
    if (err)
        err->where = at->mark;
    return SF_E_CONFIG;
}

/* A number that a variables file may have left as text. */
static bool read_number(const struct sf_value *map, const char *key, int64_t max, uint64_t *out)
{
    const struct sf_value *v = sf_map_getz(map, key);
    int64_t number = 0;
    if (!v)
        return true;
    if (v->type == SF_V_INT)
        number = v->i;
    else if (v->type != SF_V_STRING || !sf_str_int64(v->s, &number))
        return false;
    *out = (uint64_t)number;
    return number >= 0 && number <= max;
}

static enum sf_code read_sample(const struct sf_value *v, struct sf_sample_spec *spec, struct sf_err *err)
{
    if (v->type != SF_V_MAP)
        return fail_source(v, err, "'sample' must be a map: {rows: 776841, seed: 1}");
    for (size_t i = 0; i < v->map.n; i++) {
        struct sf_str key = v->map.pairs[i].key;
        if (!sf_str_is(key, "rows") && !sf_str_is(key, "seed") && !sf_str_is(key, "as_of"))
            return fail_source(v, err, "a sample has rows, seed and as_of, not '%.*s'", SF_ARG(key));
    }
    uint64_t week = 0;
    *spec = (struct sf_sample_spec){.rows = SF_SAMPLE_REAL_ROWS, .seed = 1};
    if (!read_number(v, "rows", SF_SAMPLE_MAX_ROWS, &spec->rows) || spec->rows == 0)
        return fail_source(v, err, "a sample's rows are a number from 1 to %d", SF_SAMPLE_MAX_ROWS);
    if (!read_number(v, "seed", INT64_MAX, &spec->seed))
        return fail_source(v, err, "a sample's seed is a number from 0");
    if (!read_number(v, "as_of", SF_SAMPLE_MAX_WEEK, &week))
        return fail_source(v, err, "a sample's as_of is a week from 0 to %d", SF_SAMPLE_MAX_WEEK);
    spec->as_of = (uint32_t)week;
    return SF_OK;
}

static enum sf_code read_file(struct sf_op *op, const struct sf_value *source, struct sf_conform_source *out, struct sf_err *err)
{
    struct sf_str path = sf_map_str(source, "file");
    if (path.n == 0 || memchr(path.p, 0, path.n))
        return fail_source(source, err, "'file' must be the path of a CSV file");
    out->path =
        path.p[0] == '/' ? sf_str_dup(op->arena, path).p : sf_str_fmt(op->arena, "%s/%.*s", op->site->stack_dir, SF_ARG(path)).p;
    const struct sf_value *newline = sf_map_getz(source, "ends_with_newline");
    out->needs_final_newline =
        newline && ((newline->type == SF_V_BOOL && newline->b) || (newline->type == SF_V_STRING && sf_str_is(newline->s, "true")));
    return SF_OK;
}

/* Which one source it is; `spec` holds a sample's. What is fetched is fetched here. */
static enum sf_code read_source(struct sf_op *op, const struct sf_value *source, const struct sf_rules *rules,
                                struct sf_sample_spec *spec, struct sf_conform_source *out, struct sf_err *err)
{
    *out = (struct sf_conform_source){.sample = NULL};
    if (source->type != SF_V_MAP)
        return fail_source(source, err, "must be a map, not a %s", sf_value_type_name(source->type));
    if (sf_live_is_source(source))
        return sf_live_fetch(op, source, rules, out, err);
    const struct sf_value *sample = sf_map_getz(source, "sample"), *file = sf_map_getz(source, "file");
    for (size_t i = 0; i < source->map.n; i++) {
        struct sf_str key = source->map.pairs[i].key;
        if (!sf_str_is(key, "sample") && !sf_str_is(key, "file") && !(file && sf_str_is(key, "ends_with_newline")))
            return fail_source(source, err, "unknown key '%.*s'", SF_ARG(key));
    }
    if (!sample == !file)
        return fail_source(source, err, "name one source: datasf, url, file or sample");
    if (file)
        return read_file(op, source, out, err);
    out->sample = spec;
    return read_sample(sample, spec, err);
}

/* What conforming is told of while it goes on. */
struct conforming {
    struct sf_op *op;
    uint64_t rows; /* expected; 0: not known */
};

static bool is_conforming_cancelled(void *ctx)
{
    const struct conforming *c = ctx;
    return sf_op_is_cancelled(c->op);
}

static void show_progress(void *ctx, const char *what, uint64_t done)
{
    const struct conforming *c = ctx;
    sf_op_progress_of(c->op, "conforming", done, strcmp(what, "rows read") == 0 ? c->rows : 0, what);
}

/* What an evaluation comes to, but for source_kind, is_sample and the lists' paths. */
static const char *const evaluated[] = {
    DATASET_RULES,          DATASET_SNAPSHOT,     DATASET_ROWS,   DATASET_REJECTED, DATASET_REJECTS,
    DATASET_REPEATED_ROWS,  DATASET_DATA_AS_OF,   DATASET_TABLES, DATASET_YEARS,    DATASET_CROSSWALK,
    DATASET_DATA_LOADED_AT, DATASET_FACT_COLUMNS, DATASET_RAW,
};
static const char *const lists[] = {DATASET_REJECTS_FILE, DATASET_UNMAPPED_FILE};

static void copy(struct sf_op *op, const struct sf_value *from, const char *const *names, size_t n, struct sf_value *want)
{
    for (size_t i = 0; i < n; i++) {
        const struct sf_value *v = sf_map_getz(from, names[i]);
        if (v)
            sf_map_set(op->arena, want, sf_str_of(names[i]), v);
    }
}

static void set_attributes(struct sf_op *op, const struct sf_value *summary, bool is_sample, struct sf_value *want)
{
    sf_map_set_str(op->arena, want, DATASET_SOURCE_KIND, is_sample ? SF_STR("sample") : SF_STR("file"));
    sf_map_set_bool(op->arena, want, DATASET_IS_SAMPLE, is_sample);
    sf_map_set(op->arena, want, SF_STR(DATASET_CROSSWALK), sf_value_map(op->arena)); /* not every table has one */
    for (size_t i = 0; i < SF_COUNT(evaluated); i++)                                 /* what there is none of is known too */
        if (!sf_map_getz(want, evaluated[i]))
            sf_map_set(op->arena, want, sf_str_of(evaluated[i]), &sf_null_value);
    copy(op, summary, evaluated, SF_COUNT(evaluated), want);
    for (size_t i = 0; i < SF_COUNT(lists); i++) {
        struct sf_str file = sf_map_str(summary, lists[i]);
        sf_map_set_str(op->arena, want, lists[i],
                       file.n ? sf_str_fmt(op->arena, "%s/%.*s", op->site->cache_dir, SF_ARG(file)) : SF_STR_NONE);
    }
}

/* --- without a look at the source --- */

static void take_over(struct sf_op *op, struct sf_value *want)
{
    static const char *const kinds[] = {DATASET_SOURCE_KIND, DATASET_IS_SAMPLE};
    copy(op, op->settled, kinds, SF_COUNT(kinds), want);
    copy(op, op->settled, evaluated, SF_COUNT(evaluated), want);
    copy(op, op->settled, lists, SF_COUNT(lists), want);
}

static bool is_settled(const struct sf_op *op)
{
    return sf_map_str(op->settled, DATASET_SNAPSHOT).n > 0;
}

/* The bytes that were planned, or none. */
static enum sf_code take_planned(struct sf_op *op, struct sf_value *want, struct sf_err *err)
{
    struct sf_str missing = sf_conform_missing(op->arena, op->site->cache_dir, sf_map_getz(op->settled, DATASET_YEARS));
    if (missing.n == 0)
        missing = sf_conform_missing(op->arena, op->site->cache_dir, sf_map_getz(op->settled, DATASET_TABLES));
    if (missing.n == 0)
        missing = sf_conform_missing(op->arena, op->site->cache_dir, sf_map_getz(op->settled, DATASET_RAW));
    if (missing.n) {
        sf_fail(err, SF_E_STALE, "'%.*s' was planned and is not in the cache '%s' any more", SF_ARG(missing), op->site->cache_dir);
        sf_hint(err, "plan again: the source is read again then");
        return SF_E_STALE;
    }
    take_over(op, want);
    return SF_OK;
}

/* -data=skip: as state records it, be the source or the rules others by now. */
static enum sf_code take_recorded(struct sf_op *op, struct sf_value *want, struct sf_err *err)
{
    static const char *const inputs[] = {DATASET_SOURCE, DATASET_CONFORM, DATASET_SCHEMA_CONTRACT};
    const struct sf_rules *rules;
    struct sf_conform_source from = {.path = NULL};
    bool is_changed = false;
    if (!is_settled(op)) {
        sf_fail(err, SF_E_USAGE, "-data=skip: no rows of '%.*s' were recorded before", SF_ARG(op->self->name));
        sf_hint(err, "run without -data=skip once: the source has to be looked at");
        return SF_E_USAGE;
    }
    for (size_t i = 0; i < SF_COUNT(inputs); i++) {
        const struct sf_value *now = sf_map_getz(want, inputs[i]), *was = sf_map_getz(op->settled, inputs[i]);
        is_changed = is_changed || !sf_value_equal(now, was);
    }
    enum sf_code rc = sf_dataset_rules(op, want, &rules, err);
    if (rc)
        return rc;
    const struct sf_value *source = sf_map_getz(want, DATASET_SOURCE);
    is_changed = is_changed || !sf_str_eq(rules->hash, sf_map_str(op->settled, DATASET_RULES));
    if (!is_changed && sf_map_getz(source, "file"))
        is_changed = read_file(op, source, &from, NULL) == SF_OK && sf_held_is_file_changed(op, op->settled, &from);
    sf_op_warn(op, is_changed ? "source changed, rows not counted (-data=skip)" : "source not looked at (-data=skip)");
    copy(op, op->settled, inputs, SF_COUNT(inputs), want);
    take_over(op, want);
    return SF_OK;
}

/* --- with one --- */

static enum sf_code conform(struct sf_op *op, const struct sf_rules *rules, const struct sf_conform_source *from,
                            struct sf_value *want, bool *is_new, struct sf_err *err)
{
    const struct sf_value *summary, *source = sf_map_getz(want, DATASET_SOURCE);
    struct conforming conforming = {.op = op, .rows = from->sample ? from->sample->rows : from->rows};
    struct sf_conform_options options = {
        .cache_dir = op->site->cache_dir, .is_cancelled = is_conforming_cancelled, .progress = show_progress, .ctx = &conforming};
    enum sf_code rc = sf_conform_cached(op->arena, rules, from, &options, &summary, err);
    if (rc == SF_E_DATA && sf_live_is_source(source))
        sf_live_forget(op, source); /* it may come whole the next time */
    if (rc) {
        if (err)
            err->where =
                (struct sf_mark){.file = NULL}; /* it names a file by memory of this call; the message says the place too */
        return rc;
    }
    /* an empty table would take every published year out; no city has one, but a failed export does */
    if (from->path && sf_map_int(summary, "source_rows", 0) == 0) {
        sf_fail(err, SF_E_DATA, "'%s' line 2, column 1: there is no row below the header", from->path);
        sf_hint(err, "the export ended too early: fetch the file again");
        return SF_E_DATA;
    }
    if (sf_map_bool(summary, "lacks_final_newline", false))
        sf_op_warn(op, "the last line of '%s' has no line end: if the file was cut off there, its last value is wrong", from->path);
    set_attributes(op, summary, from->sample != NULL, want);
    struct sf_str evaluation = sf_conform_evaluation(op->arena, sf_map_str(summary, "source"), rules, from);
    *is_new = sf_held_evaluated(op, evaluation, want, from);
    return SF_OK;
}

static enum sf_code derive(struct sf_op *op, struct sf_value *want, struct sf_err *err)
{
    const struct sf_value *source = sf_map_getz(want, DATASET_SOURCE), *rule_file = sf_map_getz(want, DATASET_CONFORM);
    if (!source || !rule_file || sf_value_has_unknown(source, NULL) || sf_value_has_unknown(rule_file, NULL))
        return SF_OK;
    if (op->settled_by == SF_SETTLED_BY_STATE)
        return take_recorded(op, want, err);
    if (is_settled(op))
        return take_planned(op, want, err);
    struct sf_sample_spec spec;
    struct sf_conform_source from;
    const struct sf_rules *rules;
    bool is_new = false;
    int lock = -1;
    enum sf_code rc = sf_dataset_rules(op, want, &rules, err);
    if (!rc)
        rc = sf_held_enter(op, &lock, err);
    if (!rc)
        rc = read_source(op, source, rules, &spec, &from, err);
    from.is_raw = sf_dataset_is_in_warehouse(want);
    if (!rc)
        rc = conform(op, rules, &from, want, &is_new, err);
    sf_held_leave(lock);
    if (is_new)
        sf_held_sweep(op->arena, op->site->cache_dir);
    return rc;
}

static enum sf_code read(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    (void)err;
    out->id = id;
    out->attrs = op->self->attrs;
    return SF_OK;
}

/* The name is the identity: an evaluation has no object of its own that could be left behind by a crash. */
static enum sf_code record(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    enum sf_code rc = sf_op_intent(op, "record the snapshot", err);
    if (rc)
        return rc;
    out->id = op->self->name;
    out->attrs = want;
    sf_held_recorded(op, want);
    return sf_op_made(op, out->id, err);
}

static enum sf_code find(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    (void)op;
    (void)want;
    (void)out;
    return sf_fail(err, SF_E_ABSENT, "a snapshot is only recorded");
}

static enum sf_code update(struct sf_op *op, struct sf_str id, const struct sf_value *have, const struct sf_value *want,
                           struct sf_outcome *out, struct sf_err *err)
{
    (void)id;
    (void)have;
    return record(op, want, out, err);
}

static enum sf_code destroy(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    (void)op;
    (void)err;
    out->id = id;
    return SF_OK;
}

extern const struct sf_driver sf_driver_data_dataset;
const struct sf_driver sf_driver_data_dataset = {
    .kind = "dataset",
    .read = read,
    .find = find,
    .create = record,
    .update = update,
    .destroy = destroy,
    .derive = derive,
    .is_slow_derive = true,
};
