/* From a row's number to what the row says: which members, which side, how many cents.
 *
 * Counter-based: every random number is a hash of (seed, purpose, fiscal year, slot in that year), so a row depends on no other
 * row and keeps its identity when later weeks append to the open year. Read-only once set up. Integers only. */
#ifndef SF_DATA_SAMPLE_DRAW_H
#define SF_DATA_SAMPLE_DRAW_H

#include "resources/data/sample/members.h"

enum { SF_SAMPLE_SHOWN_SLOTS = 16, SF_SAMPLE_MAX_RESTATEMENTS = SF_SAMPLE_MAX_WEEK + 1 };

/* Walker's alias table: a weighted choice in constant time. */
struct sf_sample_alias {
    uint32_t n;
    uint32_t *member;
    uint32_t *threshold;
    uint32_t *other;
};

/* A kind of row that occurs an exact number of times, evenly, from a place that depends on the seed. */
struct sf_sample_rate {
    uint64_t count, phase;
};

enum sf_sample_shown {
    SF_SHOWN_NOTHING,
    SF_SHOWN_ORDINARY,
    SF_SHOWN_PROGRAM,
    SF_SHOWN_TYPE,
    SF_SHOWN_FUND,
    SF_SHOWN_DUPLICATE,
    SF_SHOWN_NULL_DEPARTMENT
};

struct sf_sample_shown_slot {
    uint8_t what; /* enum sf_sample_shown */
    uint32_t member;
};

/* That a week restated part of a year. */
struct sf_sample_restatement {
    uint32_t week;
    uint32_t threshold; /* of 2^32 */
};

struct sf_sample_draw {
    const struct sf_sample_spec *spec;
    const struct sf_sample_members *members;
    uint64_t n_rows;                         /* this week */
    uint64_t first_row[SF_SAMPLE_YEARS + 1]; /* where a year begins, in this week's file */
    uint64_t base_rows[SF_SAMPLE_YEARS];     /* of a year in week 0 */
    uint64_t first_pair[SF_SAMPLE_YEARS];    /* pairs of slots in the years before */
    uint64_t growth;                         /* rows a week that the open year gains */
    uint64_t plain_rows;                     /* rows of week 0 that are no elimination */
    uint64_t year_key[SF_SAMPLE_YEARS];
    uint64_t year_phase[SF_SAMPLE_YEARS];
    struct sf_sample_alias program[SF_SAMPLE_ERAS], fund[SF_SAMPLE_ERAS], type[SF_SAMPLE_ERAS][SF_SAMPLE_SIDES];
    struct sf_sample_rate null_program, null_type, null_category, null_fund, zero, round, duplicate;
    struct sf_sample_shown_slot shown[SF_SAMPLE_YEARS][SF_SAMPLE_SHOWN_SLOTS];
    struct sf_sample_restatement *restated[SF_SAMPLE_YEARS]; /* by week, ascending */
    uint32_t n_restated[SF_SAMPLE_YEARS];
    uint64_t stride, offset; /* of the shuffled order; stride 0: by year */
};

struct sf_sample_row {
    uint32_t year; /* 0 is SF_SAMPLE_FIRST_YEAR */
    uint32_t side; /* enum sf_sample_side */
    uint32_t program, type, fund;
    uint32_t traits; /* of the row alone, not of its members */
    int64_t cents;
};

/* Sets up `out`, all of it in `arena`. `spec` and `members` must outlive it. */
void sf_sample_draw_init(struct sf_arena *arena, const struct sf_sample_spec *spec, const struct sf_sample_members *members,
                         struct sf_sample_draw *out);
/* Row i, 0 <= i < n_rows, in the order of the file. */
void sf_sample_draw_row(const struct sf_sample_draw *draw, uint64_t i, struct sf_sample_row *row);

/* --- amounts (amount.c) --- */

/* The quantile at u (of 2^31) of a side's amounts, in cents of one year, at least 1; `noise` fills bits below the resolution. */
uint64_t sf_sample_amount(uint32_t side, uint32_t year, uint32_t u, uint64_t noise);
/* One of the twenty favourite round amounts, by `hash`. */
uint64_t sf_sample_round_amount(uint64_t hash);

#endif
