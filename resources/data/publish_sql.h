/* How a dialect publishes: what publish.h promises, by one of these. Private to the files that write that SQL. */
#ifndef SF_DATA_PUBLISH_SQL_H
#define SF_DATA_PUBLISH_SQL_H

#include "resources/data/publish.h"

/* Each as the function of its name in publish.h says. */
struct sf_publisher {
    bool stages_bare;
    void (*stage)(struct sf_script *script, const struct sf_load_plan *plan);
    void (*begin)(struct sf_script *script, const struct sf_load_plan *plan);
    /* A table in parts as it would be published: what is staged, and `with_rest` what is published and does not change. */
    struct sf_str (*relation)(struct sf_arena *arena, const struct sf_load_plan *plan, const struct sf_load_parted *parted,
                              bool with_rest);
    struct sf_str (*part)(struct sf_arena *arena, const struct sf_load_plan *plan, const struct sf_load_part *part);
    void (*commit)(struct sf_script *script, const struct sf_load_plan *plan);
    /* What follows the transaction in transactions of its own, and need not succeed. May be NULL. */
    void (*tidy)(struct sf_script *script, const struct sf_load_plan *plan);
    void (*sweep)(struct sf_script *script, const struct sf_load_plan *plan);
    void (*withdraw)(struct sf_script *script, const struct sf_load_plan *plan);
};

/* Parts are partitions, staged as what they become (PostgreSQL). */
extern const struct sf_publisher sf_publish_by_partition;
/* Parts are staged in one table, deleted and inserted (Redshift). */
extern const struct sf_publisher sf_publish_by_delete;

/* --- text that publishers share --- */

/* Where a table that is loaded whole is staged. */
struct sf_str sf_publish_staged_table(struct sf_arena *arena, const struct sf_load_plan *plan, const struct sf_star_table *table);
/* Query: the rows of a table, or of one part of it, as they were conformed in the warehouse. */
struct sf_str sf_publish_conformed_sql(struct sf_arena *arena, const struct sf_load_plan *plan, const struct sf_star_table *table,
                                       struct sf_str columns, const int64_t *part);
/* "sum(amount)" of the column that the ledger totals. */
struct sf_str sf_publish_total_sql(struct sf_arena *arena, const struct sf_star_table *table);
/* Query: rows of a table in parts, from `from`, counted, totalled and digested by part, and those of the fact by side. `more` are
 * further columns. */
struct sf_str sf_publish_measure_sql(struct sf_arena *arena, const struct sf_load_plan *plan, const struct sf_star_table *table,
                                     struct sf_str more, struct sf_str from);
/* All tables that are loaded in parts, the fact last. Returns how many. */
size_t sf_publish_list_parted(struct sf_arena *arena, const struct sf_load_plan *plan, struct sf_load_parted **out);
/* "1999, 2000": values of the parts that `takes` takes; empty when there are none. */
typedef bool sf_publish_part_fn(const struct sf_load_plan *plan, const struct sf_load_part *part);
sf_publish_part_fn sf_publish_changes;
struct sf_str sf_publish_parts(struct sf_arena *arena, const struct sf_load_plan *plan, const struct sf_load_parted *parted,
                               sf_publish_part_fn *takes);
/* Measures what is staged of each table in parts: publish.h, SF_PUBLISH_MEASURED. */
void sf_publish_measure(struct sf_script *script, const struct sf_load_plan *plan);
/* Condition: ledger rows that this load makes those of before. */
struct sf_str sf_publish_stale_sql(struct sf_arena *arena, const struct sf_load_plan *plan);
/* Columns of a ledger row, and their values from `rules` on, which are the same for all rows of a load. */
#define SF_LEDGER_COLUMNS                                                                                                          \
    "load_id, table_name, part, is_current, row_count, amount, digest, source, rules, star, checks, "                              \
    "checks_passed, accepted, warned, \"snapshot\", delivery, is_sample, note, data_as_of, data_loaded_at, published_at, "         \
    "loaded_by"
struct sf_str sf_publish_ledger_tail(struct sf_arena *arena, const struct sf_load_plan *plan);

#endif
