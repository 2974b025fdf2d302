/* See check_run.h. */
#include "resources/data/check_run.h"

#include <inttypes.h>

enum {
    MAX_SHOWN_REJECTS = 5,
    MAX_SHOWN_BYTES = 300,
    MIN_MERGED = 12,           /* checks in a statement that counts several */
    MAX_MERGED_STATEMENTS = 5, /* about as many, however many checks there are */
    MAX_MERGED_BYTES = 90 * 1000,
};

void sf_checks_announce(struct sf_op *op, struct sf_checks *checks)
{
    for (size_t i = 0; i < checks->n; i++)
        checks->list[i].is_accepted = sf_op_has_check(op, checks->list[i].name);
}

/* --- statements --- */

static bool raises(const struct sf_check_run *run, const struct sf_check *check)
{
    return !check->is_warning && !check->is_accepted && !run->plan->is_rehearsal;
}

void sf_check_run_clear(struct sf_script *script, const struct sf_load_plan *plan)
{
    sf_script_add(script, "clear earlier rejects", "delete from %s where loaded_by = %s",
                  sf_sql_name2(script->arena, plan->schema, SF_STR(SF_STAR_REJECTS_TABLE)).p,
                  sf_sql_text(script->arena, plan->loaded_by).p);
}

static const char reject_columns[] = "load_id, check_name, severity, row_number, row_text, recorded_at, loaded_by";

/* A statement or two for each check. */
static void add_each(struct sf_script *script, struct sf_check_run *run)
{
    struct sf_arena *arena = script->arena;
    const char *rejects = sf_sql_name2(arena, run->plan->schema, SF_STR(SF_STAR_REJECTS_TABLE)).p;
    for (size_t i = 0; i < run->checks->n; i++) {
        const struct sf_check *check = &run->checks->list[i];
        const char *what = sf_str_fmt(arena, "check %.*s", SF_ARG(check->name)).p;
        run->first[i] = script->n;
        if (raises(run, check)) {
            sf_script_put(script, what, sf_check_raise_sql(arena, run->checks, check, run->plan));
            continue;
        }
        sf_script_add(script, what, "insert into " SF_CHECK_RESULTS " (check_name, failing) %s",
                      sf_check_count_sql(arena, run->checks, check, run->plan).p);
        sf_script_add(script, what, "insert into %s (%s) %s order by row_text limit %d", rejects, reject_columns,
                      sf_check_record_sql(arena, run->checks, check, run->plan).p, SF_MAX_REJECTS);
    }
}

/* Queries that become one statement: "insert ... a union all b". */
struct merger {
    struct sf_script *script;
    const char *what, *insert;
    struct sf_buf text;
    size_t n, most;
};

static void flush(struct merger *m)
{
    if (m->n > 0)
        sf_script_add(m->script, m->what, "%s %.*s", m->insert, SF_ARG(sf_buf_str(&m->text)));
    sf_buf_free(&m->text);
    m->n = 0;
}

static void merge(struct merger *m, struct sf_str query)
{
    if (m->n == m->most || m->text.n + query.n > MAX_MERGED_BYTES)
        flush(m);
    sf_buf_addf(&m->text, "%s%.*s", m->n++ ? "\nunion all " : "", SF_ARG(query));
}

static bool raises_any(const struct sf_check_run *run)
{
    for (size_t i = 0; i < run->checks->n; i++)
        if (raises(run, &run->checks->list[i]))
            return true;
    return false;
}

/* Where a transaction holds few statements: all are counted by some, one raises, some record. What is counted together is not many
 * checks, or planning it would take longer than counting. */
static void add_merged(struct sf_script *script, struct sf_check_run *run)
{
    struct sf_arena *arena = script->arena;
    struct sf_checks *checks = run->checks;
    const char *rejects = sf_sql_name2(arena, run->plan->schema, SF_STR(SF_STAR_REJECTS_TABLE)).p;
    size_t most = checks->n / MAX_MERGED_STATEMENTS + 1 > MIN_MERGED ? checks->n / MAX_MERGED_STATEMENTS + 1 : MIN_MERGED;
    struct merger count = {script,
                           "count the checks",
                           "insert into " SF_CHECK_RESULTS " (check_name, failing)",
                           SF_BUF(SF_MAX_SQL_BYTES),
                           0,
                           most},
                  record = {script,
                            "record what the checks found",
                            sf_str_fmt(arena, "insert into %s (%s)", rejects, reject_columns).p,
                            SF_BUF(SF_MAX_SQL_BYTES),
                            0,
                            most};
    for (size_t i = 0; i <= checks->n; i++)
        run->first[i] = script->n;
    for (size_t i = 0; i < checks->n; i++)
        merge(&count, sf_check_count_sql(arena, checks, &checks->list[i], run->plan));
    flush(&count);
    if (raises_any(run)) {
        struct sf_buf names = SF_BUF(SF_MAX_SQL_BYTES);
        for (size_t i = 0; i < checks->n; i++)
            if (raises(run, &checks->list[i]))
                sf_buf_addf(&names, "%s%s", names.n ? ", " : "", sf_sql_text(arena, checks->list[i].name).p);
        run->raising = script->n;
        sf_script_add(script, "checks",
                      "select cast('check ' || check_name || ' failed for ' || cast(failing as varchar) || ' rows' as integer) "
                      "from " SF_CHECK_RESULTS " where failing > 0 and check_name in (%.*s)",
                      SF_ARG(sf_buf_str(&names)));
        sf_buf_free(&names);
    }
    for (size_t i = 0; i < checks->n; i++)
        if (!raises(run, &checks->list[i]))
            merge(&record, sf_str_fmt(arena, "select * from (%s) r where place <= %d",
                                      sf_check_record_sql(arena, checks, &checks->list[i], run->plan).p, SF_MAX_REJECTS));
    flush(&record);
}

void sf_check_run_add(struct sf_script *script, struct sf_checks *checks, const struct sf_load_plan *plan, struct sf_check_run *run)
{
    struct sf_arena *arena = script->arena;
    const char *rejects = sf_sql_name2(arena, plan->schema, SF_STR(SF_STAR_REJECTS_TABLE)).p;
    const char *id = sf_sql_text(arena, plan->load_id).p;
    *run = (struct sf_check_run){.checks = checks, .plan = plan, .first = SF_NEW_ARRAY(arena, checks->n + 1, size_t)};
    sf_check_run_clear(script, plan);
    sf_publish_scratch(script, plan, "make room for the checks", SF_CHECK_RESULTS,
                       SF_STR("select cast('' as varchar(100)) as check_name, cast(0 as bigint) as failing where 1 = 0"));
    if (plan->dialect->merges_checks)
        add_merged(script, run);
    else
        add_each(script, run);
    run->first[checks->n] = script->n;
    run->results = script->n;
    sf_script_add(script, "count rejects", "select check_name, cast(failing as varchar) from " SF_CHECK_RESULTS)->wants_rows = true;
    run->rows = script->n;
    sf_script_add(script, "show rejects",
                  "select check_name, row_text from %s where load_id = %s and row_number <= %d order by check_name, row_number",
                  rejects, id, MAX_SHOWN_REJECTS)
        ->wants_rows = true;
}

struct sf_str sf_check_run_noted_sql(struct sf_arena *arena, const struct sf_checks *checks, bool accepted)
{
    struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES);
    for (size_t i = 0; i < checks->n; i++) {
        const struct sf_check *check = &checks->list[i];
        if (accepted ? !check->is_accepted || check->is_warning : !check->is_warning)
            continue;
        sf_buf_addf(&buf,
                    "%scoalesce((select max('%.*s=' || cast(failing as varchar) || ' ') from " SF_CHECK_RESULTS
                    " where check_name = '%.*s' and failing > 0), '')",
                    buf.n ? " || " : "nullif(trim(substring(", SF_ARG(check->name), SF_ARG(check->name));
    }
    if (buf.n > 0)
        sf_buf_addz(&buf, ", 1, 2000)), '')");
    struct sf_str text = buf.n ? sf_str_dup(arena, sf_buf_str(&buf)) : SF_STR_NONE;
    sf_buf_free(&buf);
    return text;
}

bool sf_check_run_raises(const struct sf_check_run *run, size_t statement, const struct sf_check **check)
{
    *check = NULL;
    if (run->plan->dialect->merges_checks)
        return run->raising > 0 && statement == run->raising;
    for (size_t i = 0; i < run->checks->n; i++)
        if (statement >= run->first[i] && statement < run->first[i + 1])
            *check = &run->checks->list[i];
    return *check != NULL;
}

/* --- what became of them --- */

/* How many rows of a check failed; -1 when it was not counted, so raised nothing. */
static int64_t failing_of(const struct sf_value *results, const struct sf_check_run *run, const struct sf_check *check)
{
    const struct sf_value *rows = results->list.items[run->results];
    int64_t n;
    for (size_t r = 0; r < sf_rows_count(rows); r++)
        if (sf_str_eq(sf_rows_text(rows, r, 0), check->name) && sf_str_int64(sf_rows_text(rows, r, 1), &n))
            return n;
    return -1;
}

/* The first failing rows of a check, each on a line of its own with two blanks before it. */
static struct sf_str shown_rows(struct sf_arena *arena, const struct sf_value *results, const struct sf_check_run *run,
                                const struct sf_check *check)
{
    const struct sf_value *rows = results->list.items[run->rows];
    struct sf_buf shown = SF_BUF(SF_MAX_MESSAGE_BYTES);
    for (size_t r = 0; r < sf_rows_count(rows); r++) {
        if (!sf_str_eq(sf_rows_text(rows, r, 0), check->name))
            continue;
        struct sf_str text = sf_str_slice(sf_rows_text(rows, r, 1), 0, MAX_SHOWN_BYTES);
        while (text.n > 0 && !sf_str_is_utf8(text)) /* cut in the middle of a character */
            text.n--;
        sf_buf_addz(&shown, shown.n ? "\n  " : "  ");
        for (size_t i = 0; i < text.n; i++) /* a value's own line end begins no line of ours */
            sf_buf_addc(&shown, text.p[i] == '\n' || text.p[i] == '\r' ? ' ' : text.p[i]);
    }
    struct sf_str text = sf_str_dup(arena, sf_buf_str(&shown));
    sf_buf_free(&shown);
    return text;
}

void sf_check_run_report(struct sf_op *op, const struct sf_check_run *run, const struct sf_value *results,
                         const struct sf_check *failed)
{
    for (size_t i = 0; i < run->checks->n; i++) {
        const struct sf_check *check = &run->checks->list[i];
        struct sf_check_report report = {.name = check->name, .outcome = SF_CHECK_SKIPPED};
        int64_t n = results ? failing_of(results, run, check) : 0;
        if (results) {
            report.outcome = n <= 0               ? SF_CHECK_PASSED
                             : check->is_warning  ? SF_CHECK_WARNED
                             : check->is_accepted ? SF_CHECK_ACCEPTED
                                                  : SF_CHECK_FAILED;
            report.failing = n > 0 ? n : 0;
            report.rows = n > 0 ? shown_rows(op->arena, results, run, check) : SF_STR_NONE;
        } else if (check == failed) {
            report.outcome = SF_CHECK_FAILED;
        }
        sf_op_report_check(op, &report);
    }
}

const char *sf_check_run_standing(const struct sf_load_plan *plan)
{
    return plan->has_published ? "what was published before still stands" : "nothing is published yet";
}

bool sf_check_run_explain(struct sf_op *op, const struct sf_check_run *run, const struct sf_value *results, struct sf_err *err)
{
    const struct sf_check *first = NULL;
    struct sf_buf more = SF_BUF(SF_MAX_MESSAGE_BYTES), options = SF_BUF(SF_MAX_MESSAGE_BYTES);
    int64_t n = 0;
    /* in the order in which they are declared: what comes first explains what follows */
    for (size_t i = 0; i < run->checks->n; i++) {
        const struct sf_check *check = &run->checks->list[i];
        int64_t failing = failing_of(results, run, check);
        if (failing <= 0 || check->is_warning || check->is_accepted)
            continue;
        sf_buf_addf(&options, " -accept-check %.*s", SF_ARG(check->name));
        if (first) {
            sf_buf_addf(&more, "%s%.*s (%s)", more.n ? ", " : "\nfailed too: ", SF_ARG(check->name),
                        sf_sql_grouped(op->arena, failing).p);
        } else {
            first = check;
            n = failing;
        }
    }
    if (first) {
        struct sf_str rows = shown_rows(op->arena, results, run, first);
        sf_fail(err, SF_E_UNPUBLISHED, "check '%.*s' failed for %s row%s; nothing was published%s%.*s%s", SF_ARG(first->name),
                sf_sql_grouped(op->arena, n).p, n == 1 ? "" : "s", rows.n ? "\n" : "", SF_ARG(rows), more.n ? more.p : "");
        sf_hint(err,
                "%s; the rows are in \"%.*s\".\"%s\", load_id %.*s; if they are right, publish "
                "once with sfapply%.*s",
                sf_check_run_standing(run->plan), SF_ARG(run->plan->schema), SF_STAR_REJECTS_TABLE, SF_ARG(run->plan->load_id),
                SF_ARG(sf_buf_str(&options)));
    }
    sf_buf_free(&more);
    sf_buf_free(&options);
    return first != NULL;
}
