/* Checks on staged data, by declaration: a checks file read into structs, and each check as SQL.
 *
 * Every check comes down to one query that yields the failing rows. As a statement of the load's transaction it raises when there
 * are any, by a cast that fails (no client needs to branch, so the same list works where nobody can). Knows no table by name. */
#ifndef SF_DATA_CHECKS_H
#define SF_DATA_CHECKS_H

#include "resources/data/publish.h"

enum sf_check_kind { SF_CHECK_NOT_NULL, SF_CHECK_UNIQUE, SF_CHECK_RELATIONSHIPS, SF_CHECK_ROW_COUNT, SF_CHECK_RECONCILE };

struct sf_check {
    struct sf_str name;
    enum sf_check_kind kind;
    bool is_warning;                   /* failing is listed, not refused */
    const struct sf_star_table *table; /* NULL only for row_count: all of them */
    const struct sf_star_column **columns;
    size_t n_columns;
    const struct sf_star_column *by; /* reconcile: which side a row is on */
    const struct sf_value *sides;    /* reconcile: value of `by` -> what the data set calls that side */
};

struct sf_checks {
    struct sf_str digest; /* 16 hex digits over the file's bytes; empty without a file */
    struct sf_check *list;
    size_t n;
};

enum { SF_MAX_REJECTS = 1000 };

/* Reads the file that `name` means against the star. An empty name: no checks. SF_E_CONFIG names file, line and what is wrong. */
enum sf_code sf_checks_load(struct sf_op *op, struct sf_str name, const struct sf_star *star, struct sf_checks *checks,
                            struct sf_err *err) SF_MUST_CHECK;
enum sf_code sf_checks_parse(struct sf_op *op, const char *path, struct sf_str text, const struct sf_star *star,
                             struct sf_checks *checks, struct sf_err *err) SF_MUST_CHECK;

/* Query for the failing rows: one text column, row_text, "a=1, b=x". */
struct sf_str sf_check_failing_sql(struct sf_arena *arena, const struct sf_check *check, const struct sf_load_plan *plan);
/* The statement that raises: "check NAME failed for N rows". */
struct sf_str sf_check_raise_sql(struct sf_arena *arena, const struct sf_check *check, const struct sf_load_plan *plan);
/* Stores up to SF_MAX_REJECTS failing rows in load_rejects. */
struct sf_str sf_check_record_sql(struct sf_arena *arena, const struct sf_check *check, const struct sf_load_plan *plan);

#endif
