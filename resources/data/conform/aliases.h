/* The table of codes through time: (dimension, level, member_id, fiscal_year, source_code, source_name, row_count, amount), one row
 * for each level of each member, fiscal year and distinct original code and name. A file a fiscal year, as the facts have it, by
 * dimension, member, level, code, name: what a year holds is decided by that year's rows alone.
 *
 * The digest of a file is that of a fiscal year (sf_year_write()) with hash60 over the parts dimension, level, member, code and
 * name for the key, and year, row count and cents for v. */
#ifndef SF_DATA_CONFORM_ALIASES_H
#define SF_DATA_CONFORM_ALIASES_H

#include "resources/data/conform/year.h"

struct sf_map;

/* What a worker knows of codes and names from one year to the next: 16 bytes a level of each raw, and each text once. Zero it to
 * begin with. */
struct sf_alias_scratch {
    struct sf_arena *arena;
    struct sf_map *texts;
    struct sf_alias *aliases[SF_RULES_MAX_DIMENSIONS]; /* by raw and level */
    uint32_t n_files;
    struct sf_alias_use *uses; /* of a member at a level */
    size_t cap_uses;
};
void sf_alias_scratch_free(struct sf_alias_scratch *scratch);

/* Writes the file of a year whose rows are written, from its usage. `pack` stays the caller's. out->key is in `arena`. */
enum sf_code sf_aliases_write(const struct sf_year_input *in, const struct sf_year *year, struct sf_alias_scratch *scratch,
                              struct sf_pack *pack, struct sf_arena *arena, struct sf_object_file *out,
                              struct sf_err *err) SF_MUST_CHECK;
/* Column names, joined by commas: the header line. */
struct sf_str sf_aliases_columns(void);

#endif
