/* What the SQL of checks is made with. Private to the files that write it. */
#ifndef SF_DATA_CHECKS_SQL_H
#define SF_DATA_CHECKS_SQL_H

#include "resources/data/checks.h"

/* What the statements about one check need. */
struct sf_check_maker {
    struct sf_arena *arena;
    const struct sf_checks *checks;
    const struct sf_check *check;
    const struct sf_load_plan *plan;
    const struct sf_star_table *fact;
};

struct sf_check_maker sf_check_maker(struct sf_arena *arena, const struct sf_checks *checks, const struct sf_check *check,
                                     const struct sf_load_plan *plan);

/* Whether a row alone can fail the check; and the condition on a row `t` of its table under which it does. A null passes all but
 * not_null. */
bool sf_check_is_of_rows(const struct sf_check *check);
struct sf_str sf_check_row_fails(const struct sf_check_maker *m);

/* Columns of SF_PUBLISH_MEASURED: how many rows fail the check, and the total of a column. */
struct sf_str sf_check_column(const struct sf_check_maker *m);
struct sf_str sf_check_sum_column(struct sf_arena *arena, const struct sf_star_column *column);

/* Query: n, how many rows of the fact refer to a member that is not there; null when there are none. */
struct sf_str sf_check_sum_references_sql(const struct sf_check_maker *m);

/* Whether the check is that no part of the fact has a value of a column twice. */
bool sf_check_is_unique_by_part(const struct sf_check *check, const struct sf_star_table *fact);
/* Query: n, how many are too many. */
struct sf_str sf_check_count_unique_sql(const struct sf_check_maker *m);

/* Whether what fails can be told from what was measured of the fact, without reading it again: elimination pairs, of the whole load
 * or by part. And the query: n. */
bool sf_check_is_measured(const struct sf_check_maker *m);
struct sf_str sf_check_measured_sql(const struct sf_check_maker *m);

#endif
