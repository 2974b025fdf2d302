/* The table of codes through time: (dimension, level, member_id, fiscal_year, source_code, source_name, row_count, amount), one row
 * for each level of each member, fiscal year and distinct original code and name; by dimension, member, year, level, code, name.
 *
 * A quarter as large as all years together, so it is written in parts, side by side, which are then joined. What a part holds is
 * decided by the content, not by who writes it.
 *
 * The digest is that of a fiscal year (sf_year_write()) with hash60 over the parts dimension, level, member, code and name for the
 * key, and year, row count and cents for v. */
#ifndef SF_DATA_CONFORM_ALIASES_H
#define SF_DATA_CONFORM_ALIASES_H

#include "resources/data/conform/tables.h"

#include <stdatomic.h>

struct sf_alias_part {
    size_t dimension, from, to; /* of its uses */
    struct sf_output_part out;
};

struct sf_aliases {
    const struct sf_table_input *in;
    struct sf_alias_part *parts;
    size_t n;
    atomic_size_t n_left; /* not written yet */
};

/* Cuts the table into parts. `in` must outlive them, and say all there is to say of the uses. */
void sf_aliases_plan(const struct sf_table_input *in, struct sf_arena *arena, struct sf_aliases *out);
void sf_aliases_free(struct sf_aliases *aliases);
/* Writes part `i`, which stays in memory; whoever writes the last one joins them all: *is_last, and *out is the table. */
enum sf_code sf_aliases_write(struct sf_aliases *aliases, size_t i, struct sf_arena *arena, bool *is_last,
                              struct sf_object_file *out, struct sf_err *err) SF_MUST_CHECK;

#endif
