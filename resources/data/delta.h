/* What changes between two conformed files of one fiscal year, row by row.
 *
 * A row is told by its key, the first column, which is a hash of all it says but its amounts (year.h): a key on one side only is a
 * row that came or went, the same key with another rest is one whose amounts were restated. Reads the cache only. */
#ifndef SF_DATA_DELTA_H
#define SF_DATA_DELTA_H

#include "engine/core/value.h"

struct sf_delta {
    uint64_t added, removed, changed; /* rows */
};

/* Compares the objects <cache_dir>/objects/<before> and <after> (gzip CSV with a header line); an empty key is a year without rows.
 * SF_E_ABSENT when one of them is not in the cache (any more), SF_E_DATA when it is not what conforming writes. */
enum sf_code sf_delta_count(struct sf_arena *arena, const char *cache_dir, struct sf_str before, struct sf_str after,
                            struct sf_delta *delta, struct sf_err *err) SF_MUST_CHECK;

/* The evaluations that the cache still keeps: a map of their summaries (conform.h), in `arena`. */
const struct sf_value *sf_delta_kept(struct sf_arena *arena, const char *cache_dir);
/* Key of the object that holds a year's rows with this digest, by any of these evaluations; empty when none does. `year` is as in
 * the `years` of a data set: "2026". */
struct sf_str sf_delta_find(const struct sf_value *kept, struct sf_str year, struct sf_str digest);

#endif
