/* The keys of rows: 1 + hash60 over the parts year, side, one a dimension, details, occurrence (the text of a row).
 *
 * The parts are set one by one, and stay set from one row to the next: only what is behind the first change is hashed again. The
 * hashing itself waits until there is a batch of rows, whose blocks are hashed side by side (sha_lanes.h). */
#ifndef SF_DATA_CONFORM_ROW_KEY_H
#define SF_DATA_CONFORM_ROW_KEY_H

#include "resources/data/conform/members.h"
#include "resources/data/conform/sha_lanes.h"

enum { SF_KEY_LEVELS = 16, SF_KEY_BATCH = 256 /* rows: with four blocks each they fit the second-level cache */ };

struct sf_key_level;

struct sf_row_keys {
    int64_t *ids;                               /* where the next row's key goes */
    struct sf_buf front, details;               /* of the row at hand: year and side, all details */
    const char *parts[SF_RULES_MAX_DIMENSIONS]; /* sha256_part of each dimension */
    size_t ends[SF_RULES_MAX_DIMENSIONS + 1];   /* of year and side, then of each dimension */
    size_t n_dimensions;
    size_t n_valid;              /* blocks that are as the row before has them */
    unsigned char *texts;        /* of the rows waiting, each on a whole block */
    size_t cap, used;            /* of `texts` */
    struct sf_key_level *levels; /* of each block of a text */
    size_t n;                    /* rows waiting */
    struct {
        uint32_t level, place;
    } rows[SF_KEY_BATCH];
};

/* ids: of all rows to come. */
void sf_row_keys_open(struct sf_row_keys *keys, const struct sf_rules *rules, int64_t *ids);
void sf_row_keys_close(struct sf_row_keys *keys);
/* Everything behind it must be set again. Without sides (NULL) there is no part for one. */
void sf_row_keys_set_side(struct sf_row_keys *keys, struct sf_str year, const struct sf_rule_side *side);
/* The dimensions behind it must be set again only if sf_row_keys_set_side() was called. */
void sf_row_keys_set_dimension(struct sf_row_keys *keys, size_t dimension, const struct sf_raw *raw);
/* All details, behind `n_dimensions` dimensions: `tail` as sf_tail_next() takes it. For every row that is not a repeated one. */
void sf_row_keys_set_details(struct sf_row_keys *keys, size_t n_dimensions, const char *tail, size_t n_details);
/* The row as it is set now. */
void sf_row_keys_add(struct sf_row_keys *keys, uint64_t occurrence);
/* All ids of the rows that were added are there afterwards. */
void sf_row_keys_flush(struct sf_row_keys *keys);

#endif
