/* One fiscal year: its rows sorted, numbered, keyed and written. Years are independent: any number of them at once. */
#ifndef SF_DATA_CONFORM_YEAR_H
#define SF_DATA_CONFORM_YEAR_H

#include "resources/data/conform/output.h"
#include "resources/data/conform/year_sort.h"

/* How often a raw member occurs in a year, and its total. */
struct sf_usage {
    uint32_t raw;
    uint32_t rows;
    int64_t cents; /* of the first measure */
};

struct sf_year {
    int year;
    uint64_t rows;
    uint64_t keys;                               /* sum of the rows' keys, which are all different, modulo 10^18 */
    uint64_t repeated;                           /* rows that equal another one in all but the measures, the first left out */
    uint64_t gross_cents[SF_RULES_MAX_MEASURES]; /* of absolute amounts: bounds every partial sum */
    uint64_t side_rows[SF_RULES_MAX_SIDES];      /* the first is all of them where rows have no side */
    int64_t side_cents[SF_RULES_MAX_SIDES][SF_RULES_MAX_MEASURES];
    struct sf_object_file object;                    /* its digest: see sf_year_write() */
    struct sf_object_file aliases;                   /* aliases.h; where the rules have a table of them */
    struct sf_usage *usage[SF_RULES_MAX_DIMENSIONS]; /* by raw; malloc'd */
    size_t n_usage[SF_RULES_MAX_DIMENSIONS];
};

struct sf_member_use; /* opaque */
enum { SF_MEMBER_TEXT = 35 };

/* Memory of sf_year_find_twice(): half a megabyte, however many ids there are. Zero it to begin with, free(slots) in the end. */
struct sf_twice_scratch {
    uint32_t *slots;
    size_t cap;
};

/* Memory that a worker uses for one year after the other: 8 bytes a row of the largest one, for its keys, and a slice.
 * Zero it to begin with. */
struct sf_year_scratch {
    struct sf_sort_scratch sort;
    struct sf_pack *pack;
    int64_t *ids; /* of all rows */
    size_t cap_ids;
    struct sf_twice_scratch twice;
    struct sf_member_use *uses[SF_RULES_MAX_DIMENSIONS]; /* by raw; between years zero but for texts */
};
void sf_year_scratch_free(struct sf_year_scratch *scratch);

/* Writes the year with index `index` (0 is rules->min_year). object.key is in `arena`. SF_E_DATA: two rows share a key, totals
 * beyond 64 bits, or more members than a sort key holds.
 *
 * The digest is made of the number of rows and the sum over the rows of key * (2 v + 1), where v is year, member keys, side and
 * measures in cents in the order of the columns, each added to 11400714819323198485 times what was before: all modulo 2^64. The key
 * is a hash of the row already, details included, so no row costs another one. The same in any order, and sayable in SQL. */
enum sf_code sf_year_write(const struct sf_year_input *input, size_t index, struct sf_year_scratch *scratch, struct sf_arena *arena,
                           struct sf_year *out, struct sf_err *err) SF_MUST_CHECK;
void sf_year_free(struct sf_year *year);

/* Column names of the facts, joined by commas: the header line. */
struct sf_str sf_year_columns(struct sf_arena *arena, const struct sf_rules *rules);
/* Whether two of the ids are equal; *twice is one of them. Looks at a part of the ids at a time, told apart by their bits. */
bool sf_year_find_twice(const int64_t *ids, size_t n, struct sf_twice_scratch *scratch, int64_t *twice);

#endif
