/* The rules of a dataset as SQL: raw rows in the warehouse become the same tables that the conform engine writes, key for key.
 *
 * For data that outgrow one machine: the raw file is staged, and every rule of conform/ is said once more in statements over sets.
 * Pure text, no calls; the dialects differ in a few words only (dialect.h). Every table it makes is
 * temporary and named conform_..., so it needs no right but that to make such tables. */
#ifndef SF_DATA_CONFORM_SQL_H
#define SF_DATA_CONFORM_SQL_H

#include "resources/data/conform/rules.h"
#include "resources/data/dialect.h"

/* Appends the statements that read `raw` (quoted; its columns have the rules' names, all text, null where the file has nothing) and
 * make the tables conform_<dimension>, conform_<sides>, conform_<aliases>, conform_<crosswalk> and conform_<facts>, each with the
 * columns of the table it is for; and conform_rejected with `problem`, the column that a row was
 * rejected for, and n, how many rows. */
void sf_conform_sql(struct sf_script *script, const struct sf_rules *rules, struct sf_str raw, const struct sf_dialect *dialect);

/* Name of the table made for `table`, quoted. */
struct sf_str sf_conform_sql_table(struct sf_arena *arena, struct sf_str table);

#endif
