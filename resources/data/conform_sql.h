/* The rules of a dataset as SQL: raw rows in the warehouse become the same tables that the conform engine writes, key for key.
 *
 * For data that outgrow one machine: the raw files are staged (conform/raw.h), and every rule of conform/ is said once more in
 * statements over sets. Pure text, no calls; the dialects differ in a few words only (dialect.h). Every table is called
 * staged_conform_..., in a schema of staging tables: they last until something drops them, so that several transactions can use
 * them, and the sweep of a load knows them by their name. */
#ifndef SF_DATA_CONFORM_SQL_H
#define SF_DATA_CONFORM_SQL_H

#include "resources/data/conform/rules.h"
#include "resources/data/dialect.h"
#include "resources/data/star_file.h"

/* Appends the statements that make the table of raw rows, empty: the columns of a raw file, all text but the line. */
void sf_conform_sql_raw(struct sf_script *script, const struct sf_rules *rules, struct sf_str schema,
                        const struct sf_dialect *dialect);
/* The columns of that table, quoted, as they stand in the files. */
struct sf_str sf_conform_sql_raw_columns(struct sf_arena *arena, const struct sf_rules *rules);

/* Appends the statements that read the raw rows and make the table of each dimension, of sides, aliases, crosswalk and facts, with
 * the columns of the table that it is for; SF_CONFORM_SQL_ROWS, the rows that are accepted, with conform_year, conform_side (where
 * there are sides) and the measures conform_m0...; and SF_CONFORM_SQL_REJECTED: line, problem (a column), value, row_text. Tables
 * of an earlier time are dropped first. */
void sf_conform_sql(struct sf_script *script, const struct sf_rules *rules, struct sf_str schema, const struct sf_dialect *dialect);

/* Appends what drops all of these again but the tables of the rules and the rejected rows, to stand in the same transaction: so
 * nobody ever sees the others, and only the raw rows, of a transaction of their own, may be left by a crash. */
void sf_conform_sql_end(struct sf_script *script, const struct sf_rules *rules, struct sf_str schema);
/* Appends the names of what there may be after it, quoted, for the tables of this star: to be dropped by whoever sweeps by name. */
void sf_conform_sql_names(struct sf_buf *names, struct sf_arena *arena, const struct sf_star *star, struct sf_str schema);

#define SF_CONFORM_SQL_RAW "raw"
#define SF_CONFORM_SQL_ROWS "rows"
#define SF_CONFORM_SQL_REJECTED "rejected"

/* Name of the table made for `table`, quoted. */
struct sf_str sf_conform_sql_table(struct sf_arena *arena, struct sf_str schema, struct sf_str table);

#endif
