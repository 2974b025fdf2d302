/* What one evaluation found, as the summary that is kept in the cache, and the lists that go beside it. */
#ifndef SF_DATA_CONFORM_REPORT_H
#define SF_DATA_CONFORM_REPORT_H

#include "resources/data/conform/conform.h"
#include "resources/data/conform/parse.h"
#include "resources/data/conform/tables.h"

struct sf_result {
    const struct sf_parser *const *parsers;
    size_t n_parsers;
    const struct sf_year *years; /* years without rows included */
    size_t n_years;
    struct sf_object_file dimensions[SF_RULES_MAX_DIMENSIONS], sides, crosswalk;
    struct sf_coverage coverage;
    struct sf_buf unmapped; /* CSV text */
    struct sf_str stamps[2];
    bool lacks_final_newline;
};

/* Writes the lists and makes the summary. */
enum sf_code sf_report_make(struct sf_arena *arena, const struct sf_rules *rules, const struct sf_conform_options *options,
                            const struct sf_result *result, const struct sf_value **summary, struct sf_err *err) SF_MUST_CHECK;

/* Adds the rows and cents of each side of the year, as they are called among a data set's years. */
void sf_report_year_totals(struct sf_arena *arena, const struct sf_rules *rules, const struct sf_year *year, struct sf_value *out);

#endif
