/* The sample's dimension members: every combination of raw columns that a row can carry, with its weight.
 *
 * Built once per generator from the words and the shape that was measured on the real table (so many names, paths, codes per
 * path, in two eras of codes); they depend on the version, the week, the layout and `quirks`, never on the seed. No two
 * members of a table have the same columns. Read-only afterwards, so threads share them. */
#ifndef SF_DATA_SAMPLE_MEMBERS_H
#define SF_DATA_SAMPLE_MEMBERS_H

#include "resources/data/sample/sample.h"

/* What is peculiar about a member or a row; a bit each, listed by row in the answer key. */
enum sf_sample_trait {
    SF_TRAIT_NULL_DEPARTMENT,
    SF_TRAIT_NULL_PROGRAM,
    SF_TRAIT_NULL_TYPE,
    SF_TRAIT_NULL_FUND,
    SF_TRAIT_NULL_FUND_CATEGORY,
    SF_TRAIT_ZERO_AMOUNT,
    SF_TRAIT_ROUND_AMOUNT,
    SF_TRAIT_NEGATIVE_AMOUNT,
    SF_TRAIT_DUPLICATE_KEY,
    SF_TRAIT_DUPLICATE_ROW,
    SF_TRAIT_ELIMINATION_SOURCE,
    SF_TRAIT_ELIMINATION_USE,
    SF_TRAIT_RELATED_UNIT,
    SF_TRAIT_DOUBLE_SPACE,
    SF_TRAIT_CASE_VARIANT,
    SF_TRAIT_RENAMED,
    SF_TRAIT_RECODED,
    SF_TRAIT_PLACEHOLDER_CODE,
    SF_TRAIT_MOJIBAKE,
    SF_TRAIT_EN_DASH,
    SF_TRAIT_COMMA,
    SF_TRAIT_APOSTROPHE,
    SF_TRAIT_AMPERSAND,
    SF_TRAIT_LEADING_ZERO,
    SF_TRAIT_TILDE,
    SF_TRAIT_RESTATED,
    SF_TRAIT_RECLASSIFIED,
    SF_TRAIT_NEW_FUND,
    SF_TRAIT_CODE_RENAMED,
    SF_TRAITS,
};
#define SF_TRAIT(name) (1u << (unsigned)SF_TRAIT_##name)

enum sf_sample_era { SF_SAMPLE_LEGACY, SF_SAMPLE_CURRENT, SF_SAMPLE_ERAS };
enum sf_sample_side { SF_SAMPLE_SPENDING, SF_SAMPLE_REVENUE, SF_SAMPLE_SIDES };
enum { SF_SAMPLE_MAX_COLUMNS = 7, SF_SAMPLE_NULL_MEMBERS = 8, SF_SAMPLE_NEW_FUNDS = 11 };

struct sf_sample_member {
    struct sf_str column[SF_SAMPLE_MAX_COLUMNS]; /* in file order; p is NULL for a null */
    uint32_t weight;                             /* for the random draw; 0: only drawn on purpose */
    uint32_t traits;
    uint8_t eras;  /* bit per enum sf_sample_era */
    uint8_t side;  /* types only */
    bool is_shown; /* must occur in any sample of 1,000 rows */
};

struct sf_sample_table {
    struct sf_sample_member *member;
    uint32_t n;
    uint32_t cap;
    uint32_t n_columns; /* program 7, type 6, fund 6 */
};

struct sf_sample_members {
    struct sf_sample_table program, type, fund;
    /* members drawn on purpose, by era */
    uint32_t null_program[SF_SAMPLE_ERAS][SF_SAMPLE_NULL_MEMBERS];
    uint32_t null_category[SF_SAMPLE_ERAS][SF_SAMPLE_NULL_MEMBERS];
    uint32_t null_fund[SF_SAMPLE_ERAS];
    uint32_t null_department; /* legacy */
    uint32_t null_type;
    uint32_t elimination[SF_SAMPLE_SIDES]; /* ELU (spending), ELS (revenue) */
    uint32_t new_fund[SF_SAMPLE_NEW_FUNDS];
};

/* Builds all three tables in `arena`. */
void sf_sample_members_build(struct sf_arena *arena, const struct sf_sample_spec *spec, struct sf_sample_members *out);

/* The parts of it. */
void sf_sample_build_programs(struct sf_arena *arena, const struct sf_sample_spec *spec, struct sf_sample_members *out);
void sf_sample_build_types(struct sf_arena *arena, const struct sf_sample_spec *spec, struct sf_sample_members *out);
void sf_sample_build_funds(struct sf_arena *arena, const struct sf_sample_spec *spec, struct sf_sample_members *out);

/* Appends a blank member and returns its index; traits are found from the text later. */
uint32_t sf_sample_add(struct sf_arena *arena, struct sf_sample_table *table);
/* "SAL_WAGE" from "Salaries & Wages": three letters of the first word, four of each other, at most 20 bytes. */
struct sf_str sf_sample_mnemonic(struct sf_arena *arena, struct sf_str name);
/* The same name with another case in its last word, or with its first blank doubled. */
struct sf_str sf_sample_case_variant(struct sf_arena *arena, struct sf_str name);
struct sf_str sf_sample_space_variant(struct sf_arena *arena, struct sf_str name);
/* Whether two names differ in case, blanks and punctuation at most. */
bool sf_sample_same_letters(struct sf_str a, struct sf_str b);
/* How many codes were renamed up to this week. */
uint32_t sf_sample_renames(uint32_t week);

#endif
