/* The invented vocabulary of the sample: names only, no shape and no randomness.
 *
 * None of it is the city's list. Changing one word changes the bytes of every sample, so it changes
 * SF_SAMPLE_VERSION too. Names stay under 60 bytes when put together (columns hold 100). */
#ifndef SF_DATA_SAMPLE_WORDS_H
#define SF_DATA_SAMPLE_WORDS_H

#include "engine/core/base.h"

/* How much of a department belongs to legally separate bodies. */
enum sf_sample_relation {
    SF_SAMPLE_CITY,    /* none */
    SF_SAMPLE_RELATED, /* all of it */
    SF_SAMPLE_BOTH,    /* every program occurs with both flags */
};

struct sf_sample_department {
    const char *code;
    const char *name;
    uint8_t group;
    uint8_t programs;
    uint8_t relation;     /* enum sf_sample_relation */
    const char *new_code; /* from FY2018; NULL: unchanged */
    const char *new_name; /* from FY2018, a rename or another spelling; NULL: unchanged */
    uint8_t new_group;    /* from FY2018; 0: unchanged */
};

/* A list of words with its length. */
struct sf_sample_words {
    const char *const *word;
    uint32_t n;
};

enum {
    SF_SAMPLE_GROUPS = 7,
    SF_SAMPLE_DEPARTMENTS = 64,
    SF_SAMPLE_COMMON_PROGRAMS = 40,
    SF_SAMPLE_SHARED_CHARACTERS_SPENDING = 13,
    SF_SAMPLE_SHARED_CHARACTERS_REVENUE = 11,
    SF_SAMPLE_ERA_CHARACTERS = 12, /* that one era alone has, per side */
    SF_SAMPLE_SHARED_FUND_TYPES = 6,
    SF_SAMPLE_LEGACY_FUND_TYPES = 13,
    SF_SAMPLE_NEW_FUND_TYPES = 14,
    SF_SAMPLE_FUND_CATEGORIES = 8,
};

extern const char *const sf_sample_groups[SF_SAMPLE_GROUPS];
extern const struct sf_sample_department sf_sample_departments[SF_SAMPLE_DEPARTMENTS];
extern const char *const sf_sample_common_programs[SF_SAMPLE_COMMON_PROGRAMS];
extern const struct sf_sample_words sf_sample_program_first, sf_sample_program_second;

/* [side]: shared by both eras, then those of one era alone. Spending is side 0, revenue side 1. */
extern const char *const *const sf_sample_shared_characters[2];
extern const char *const *const sf_sample_legacy_characters[2];
extern const char *const *const sf_sample_new_characters[2];
extern const struct sf_sample_words sf_sample_item_first[2], sf_sample_item_second[2];
extern const struct sf_sample_words sf_sample_object_second[2];

/* Shared ones first, then legacy, then new. */
extern const char *const sf_sample_fund_types[SF_SAMPLE_SHARED_FUND_TYPES + SF_SAMPLE_LEGACY_FUND_TYPES + SF_SAMPLE_NEW_FUND_TYPES];
extern const char *const sf_sample_legacy_fund_type_codes[SF_SAMPLE_SHARED_FUND_TYPES + SF_SAMPLE_LEGACY_FUND_TYPES];
extern const struct sf_sample_words sf_sample_fund_first, sf_sample_fund_second;
/* [era][code '0'..'7'] */
extern const char *const sf_sample_fund_categories[2][SF_SAMPLE_FUND_CATEGORIES];

#endif
