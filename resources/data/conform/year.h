/* One fiscal year: its rows sorted, numbered, keyed and written. Years are independent: any number of them at once. */
#ifndef SF_DATA_CONFORM_YEAR_H
#define SF_DATA_CONFORM_YEAR_H

#include "resources/data/conform/members.h"
#include "resources/data/conform/output.h"
#include "resources/data/conform/rows.h"

/* How often a raw member occurs in a year, and its total. */
struct sf_usage {
    uint32_t raw;
    uint32_t rows;
    int64_t cents;
};

struct sf_year {
    int year;
    uint64_t rows;
    uint64_t repeated;    /* rows that equal another one in all but the amount, the first of each left out */
    uint64_t gross_cents; /* of absolute amounts: bounds every partial sum */
    uint64_t side_rows[SF_RULES_MAX_SIDES];
    int64_t side_cents[SF_RULES_MAX_SIDES];
    struct sf_object_file object;                    /* its digest: see sf_year_write() */
    struct sf_usage *usage[SF_RULES_MAX_DIMENSIONS]; /* by raw; malloc'd */
    size_t n_usage[SF_RULES_MAX_DIMENSIONS];
};

/* What all years share; read-only. */
struct sf_year_input {
    const struct sf_rules *rules;
    const struct sf_members *members;  /* by dimension */
    const struct sf_rows *const *rows; /* of each worker */
    size_t n_workers;
    uint32_t *const *const *maps; /* maps[dimension][worker][number] is the place in members */
    const char *objects_dir;
};

/* Memory that a worker uses for one year after the other: 32 bytes a row of the largest one. Zero it to begin with. */
struct sf_year_scratch {
    void *rows, *spare;
    size_t cap;
    struct sf_usage *usage[SF_RULES_MAX_DIMENSIONS]; /* by raw; all zero between years */
};
void sf_year_scratch_free(struct sf_year_scratch *scratch);

/* Writes the year with index `index` (0 is rules->min_year). object.key is in `arena`. SF_E_DATA: two rows share a key, totals
 * beyond 64 bits, or more members than a sort key holds.
 *
 * The digest is made of the number of rows and the sum over the rows of key * (2 v + 1), where v is year, member keys, side and
 * cents in the order of the columns, each added to 11400714819323198485 times what was before: all modulo 2^64. The key is a hash
 * of the row already, so no row costs another one. The same in any order, and sayable in SQL. */
enum sf_code sf_year_write(const struct sf_year_input *input, size_t index, struct sf_year_scratch *scratch, struct sf_arena *arena,
                           struct sf_year *out, struct sf_err *err) SF_MUST_CHECK;
void sf_year_free(struct sf_year *year);

/* Column names of the facts, joined by commas: the header line. */
struct sf_str sf_year_columns(struct sf_arena *arena, const struct sf_rules *rules);
/* Whether two of the ids are equal; *twice is one of them. `slots` is scratch: 4 n + 16 of them. */
bool sf_year_find_twice(const int64_t *ids, size_t n, uint32_t *slots, int64_t *twice);

#endif
