/* What a Socrata portal says about a table (/api/views/ID.json), and whether its columns are those that the rules know. */
#ifndef SF_DATA_SOURCE_METADATA_H
#define SF_DATA_SOURCE_METADATA_H

#include "engine/kind.h"
#include "resources/data/conform/rules.h"

struct sf_metadata {
    struct sf_str identity; /* changes whenever the rows may have: time of the last update, row count, stamp, columns */
    int64_t updated_at;     /* seconds since 1970; 0: not said */
    uint64_t rows;          /* as counted when the portal profiled the table; 0: not said */
    struct sf_str as_of;
    const struct sf_value *columns; /* map: field name -> type */
    const struct sf_value *names;   /* map: field name -> display name */
};

/* SF_E_DATA: the text is no such metadata. */
enum sf_code sf_metadata_read(struct sf_arena *arena, struct sf_str text, const struct sf_rules *rules, struct sf_metadata *out,
                              struct sf_err *err) SF_MUST_CHECK;

/* The schema contract. `before` is the map `columns` of the last snapshot, or NULL. SF_E_DATA names every column that is new,
 * missing, there twice, or of another type than before. A contract other than freeze lets new columns and types pass, with a
 * warning. */
enum sf_code sf_metadata_check(struct sf_op *op, struct sf_str table, const struct sf_metadata *metadata,
                               const struct sf_rules *rules, const struct sf_value *before, struct sf_err *err) SF_MUST_CHECK;

#endif
