/* The tables beside the facts that are not by year: dimensions with current codes and spellings, the sides, the crosswalk. */
#ifndef SF_DATA_CONFORM_TABLES_H
#define SF_DATA_CONFORM_TABLES_H

#include "resources/data/conform/year.h"

/* One raw member in one fiscal year. */
struct sf_use {
    uint32_t raw;
    int year;
    uint32_t rows;
    int64_t cents;
};

struct sf_table_input {
    const struct sf_rules *rules;
    const struct sf_members *members;      /* by dimension; last_year is set */
    struct sf_spellings *const *spellings; /* by dimension */
    const struct sf_use *uses;             /* of the crosswalk's dimension, by raw, then year; NULL without one */
    size_t n_uses;
    const char *objects_dir;
};

enum sf_code sf_table_dimension(const struct sf_table_input *in, size_t dimension, struct sf_arena *arena,
                                struct sf_object_file *out, struct sf_err *err) SF_MUST_CHECK;
enum sf_code sf_table_sides(const struct sf_table_input *in, struct sf_arena *arena, struct sf_object_file *out,
                            struct sf_err *err) SF_MUST_CHECK;
struct sf_coverage {
    uint64_t members, by_code, by_name, ambiguous, unmatched;
    uint64_t rows, mapped_rows;
    int64_t cents, mapped_cents;              /* signed */
    uint64_t gross_cents, mapped_gross_cents; /* absolute, by member and year */
};
/* (legacy key, current key, basis), and in `unmapped` (CSV text) the legacy members that have no target, with the reason. */
enum sf_code sf_table_crosswalk(const struct sf_table_input *in, struct sf_arena *arena, struct sf_object_file *out,
                                struct sf_coverage *coverage, struct sf_buf *unmapped, struct sf_err *err) SF_MUST_CHECK;

/* Column names of the tables, joined by commas: their header lines. */
struct sf_str sf_table_dimension_columns(struct sf_arena *arena, const struct sf_rules *rules, size_t dimension);
struct sf_str sf_table_side_columns(struct sf_arena *arena, const struct sf_rules *rules);
struct sf_str sf_table_crosswalk_columns(struct sf_arena *arena, const struct sf_rules *rules);

#endif
