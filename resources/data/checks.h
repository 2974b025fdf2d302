/* Checks on staged data, by declaration: a checks file read into structs, and each check as SQL.
 *
 * Every check comes down to one query that yields the failing rows. As a statement of the load's transaction it raises when there
 * are any, by a cast that fails (no client needs to branch, so the same list works where nobody can). All that can be told from a
 * row of the fact alone, or from its rows and totals by part, is counted in the one pass that measures what is staged, which leaves
 * out the parts that are proven: a check of rows that warns lists those that are loaded. The SQL is the same on PostgreSQL and
 * Redshift; a text that stands alone in a subquery is cast, since Redshift finds no type for it outside. Knows no table by name. */
#ifndef SF_DATA_CHECKS_H
#define SF_DATA_CHECKS_H

#include "resources/data/publish.h"

enum sf_check_kind {
    SF_CHECK_NOT_NULL,
    SF_CHECK_UNIQUE,
    SF_CHECK_RELATIONSHIPS,
    SF_CHECK_ACCEPTED_VALUES,
    SF_CHECK_ACCEPTED_RANGE,
    SF_CHECK_FUNCTIONAL_DEPENDENCY,
    SF_CHECK_ROW_COUNT,
    SF_CHECK_RECONCILE,
    SF_CHECK_ELIMINATION_PAIRS,
    SF_CHECK_FRESHNESS,
    SF_CHECK_VOLUME,
    SF_CHECK_SQL,
};

struct sf_check {
    struct sf_str name;
    enum sf_check_kind kind;
    bool is_warning;                   /* failing is listed, not refused */
    bool is_accepted;                  /* -accept-check: failing is published this once, and recorded */
    const struct sf_star_table *table; /* NULL: row_count of all of them; sql, freshness, volume */
    const struct sf_star_column **columns;
    size_t n_columns;
    struct sf_str where; /* condition on the table's rows; empty: all */

    const struct sf_star_column **determines; /* functional_dependency: what the columns determine */
    size_t n_determines;
    const struct sf_value *values;        /* accepted_values: list of texts; elimination_pairs: the two */
    struct sf_str min, max;               /* accepted_range: a number or "current_year+1"; empty: no bound */
    const struct sf_star_column *by;      /* reconcile: which side a row is on; elimination_pairs: groups, NULL: the whole load */
    const struct sf_value *sides;         /* reconcile: value of `by` -> what the data set calls that side; NULL: no sides */
    const struct sf_star_column *via;     /* elimination_pairs: column of the fact that refers to a dimension, */
    const struct sf_star_column *label;   /* and the column of that dimension that holds one of the two values */
    bool with_totals;                     /* elimination_pairs: the amounts too must cancel out */
    int64_t max_days;                     /* freshness */
    int64_t shrink_percent;               /* volume: a part that lost so much or more fails; -1: never */
    int64_t growth_percent;               /* volume: a part but the latest that gained so much or more fails; -1: never */
    struct sf_str query;                  /* sql: every row that it gives fails */
    const struct sf_value *query_columns; /* sql: list of names of what it gives */
};

struct sf_checks {
    struct sf_str digest; /* 16 hex digits over what was declared; empty when nothing was */
    struct sf_check *list;
    size_t n;
};

enum { SF_MAX_REJECTS = 1000 };

/* Reads what the attribute `checks` says against the star: a file's name (builtin:NAME, or a path beside the stack file), a map of
 * checks by name, or a list of those. None: no checks. SF_E_CONFIG names file, line and what is wrong. */
enum sf_code sf_checks_load(struct sf_op *op, const struct sf_value *declared, const struct sf_star *star, struct sf_checks *checks,
                            struct sf_err *err) SF_MUST_CHECK;
/* The text of one file. */
enum sf_code sf_checks_parse(struct sf_op *op, const char *path, struct sf_str text, const struct sf_star *star,
                             struct sf_checks *checks, struct sf_err *err) SF_MUST_CHECK;

/* The temporary table that holds how many rows of a check failed: check_name, failing. */
#define SF_CHECK_RESULTS "check_results"

/* The column by which a reconcile tells sides apart: the fact is measured by it; NULL when there is none. */
const struct sf_star_column *sf_checks_side(const struct sf_checks *checks);
/* What checks want measured in the one pass over the fact, and what it joins for that (publish.h, also_measured, also_joined). */
struct sf_str sf_checks_joined_sql(struct sf_arena *arena, const struct sf_checks *checks, const struct sf_load_plan *plan);
struct sf_str sf_checks_measured_sql(struct sf_arena *arena, const struct sf_checks *checks, const struct sf_load_plan *plan);
/* Query for the failing rows: one text column, row_text, "a=1, b=x". */
struct sf_str sf_check_failing_sql(struct sf_arena *arena, const struct sf_checks *checks, const struct sf_check *check,
                                   const struct sf_load_plan *plan);
/* The statement that raises: "check NAME failed for N rows". */
struct sf_str sf_check_raise_sql(struct sf_arena *arena, const struct sf_checks *checks, const struct sf_check *check,
                                 const struct sf_load_plan *plan);
/* Query: check_name, failing. */
struct sf_str sf_check_count_sql(struct sf_arena *arena, const struct sf_checks *checks, const struct sf_check *check,
                                 const struct sf_load_plan *plan);
/* Query for the failing rows as load_rejects has them: load_id, check_name, severity, place (row_number, from 1), row_text,
 * recorded_at, loaded_by. None unless check_results has counted some. */
struct sf_str sf_check_record_sql(struct sf_arena *arena, const struct sf_checks *checks, const struct sf_check *check,
                                  const struct sf_load_plan *plan);

/* "2026-09-20T23:05:20.000", or "2026 Sep 20 11:05:20 PM" as the portal's CSV door writes it, as milliseconds since 1970 of a clock
 * in that place. False when it is neither. */
bool sf_as_of_ms(struct sf_str text, int64_t *ms) SF_MUST_CHECK;

/* Whether a query or condition that a person wrote can only read: one statement, closed brackets and quotes, no word that writes.
 * Otherwise *why says what is wrong. */
bool sf_check_is_readonly(struct sf_arena *arena, struct sf_str sql, bool is_query, const char **why) SF_MUST_CHECK;
/* Whether `word` stands in it outside of texts and comments, quoted or not, in any case. */
bool sf_check_mentions(struct sf_str sql, struct sf_str word);

#endif
