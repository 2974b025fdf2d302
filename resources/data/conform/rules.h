/* The rule file of a dataset (schemas/data/sf/spending_revenue.yaml shows all of it): what the source's columns are called, which
 * of them make which dimension, what is money, what is a year. The engine knows a table only through this. */
#ifndef SF_DATA_CONFORM_RULES_H
#define SF_DATA_CONFORM_RULES_H

#include "engine/core/value.h"

/* Raised whenever the same rules and source would give other files or another summary: part of the rules' hash. */
#define SF_CONFORM_VERSION "5"

enum {
    SF_RULES_MAX_COLUMNS = 64,
    SF_RULES_MAX_NAMES = 16,
    SF_RULES_MAX_DIMENSIONS = 8,
    SF_RULES_MAX_LEVELS = 8,
    SF_RULES_MAX_SIDES = 8,
    SF_RULES_MAX_MEASURES = 8,
    SF_RULES_MAX_DETAILS = 16,
    SF_RULES_MAX_FLAG_VALUES = 8,
    SF_RULES_MAX_WIDTH = 65535,
};

struct sf_rule_column {
    struct sf_str name;
    struct sf_str names[SF_RULES_MAX_NAMES]; /* what a header may call it, its name first */
    size_t n_names;
    size_t max_bytes; /* 0: not stored as text */
    bool is_optional; /* a source without it is one where it is empty in each row */
    bool is_ignored;  /* known, and left out */
};

struct sf_rule_level {
    size_t name, code; /* columns */
    bool has_code;
    struct sf_str no_name, no_code;
};

/* A column with few values that is part of the key but no level. */
struct sf_rule_flag {
    size_t column;
    struct sf_rule_flag_value {
        struct sf_str text;                        /* as it is stored */
        struct sf_str accepts[SF_RULES_MAX_NAMES]; /* folded */
        size_t n_accepts;
    } values[SF_RULES_MAX_FLAG_VALUES];
    size_t n_values;
};

struct sf_rule_dimension {
    struct sf_str name; /* also its table */
    struct sf_str key;  /* "program_id" */
    struct sf_rule_level levels[SF_RULES_MAX_LEVELS];
    size_t n_levels;
    struct sf_rule_flag flag;
    bool has_flag;
    size_t columns[2 * SF_RULES_MAX_LEVELS + 1]; /* all of its columns in the source's order */
    size_t n_columns;
};

/* Money on a fact row. */
struct sf_rule_measure {
    size_t column;
    bool is_zero_if_empty; /* else an empty field rejects the row */
};

/* What becomes of a source with columns that the rules do not know (the kind dataset's schema_contract). */
enum sf_contract {
    SF_CONTRACT_FREEZE,      /* refused */
    SF_CONTRACT_EVOLVE,      /* those columns are left out */
    SF_CONTRACT_DISCARD_ROW, /* left out as long as they are empty: a row with a value in one of them is rejected */
};

struct sf_rules {
    enum sf_contract contract;
    struct sf_rule_column columns[SF_RULES_MAX_COLUMNS];
    size_t n_columns;
    struct sf_rule_dimension dimensions[SF_RULES_MAX_DIMENSIONS];
    size_t n_dimensions;
    struct sf_str fact_table, fact_key, partition;
    size_t year_column;
    struct sf_rule_measure measures[SF_RULES_MAX_MEASURES]; /* the first one is totalled in the tables of codes and crosswalk */
    size_t n_measures;
    size_t details[SF_RULES_MAX_DETAILS]; /* columns of text that a fact row carries itself: what has a number of its own a row */
    size_t n_details;
    size_t side_column;
    int min_year, max_year;
    int as_of_column, loaded_at_column; /* -1: none */
    struct sf_str side_table, side_key;
    struct sf_rule_side {
        int64_t id;
        struct sf_str text;
        struct sf_str folded;
    } sides[SF_RULES_MAX_SIDES];
    size_t n_sides;            /* 0: a row has no side */
    struct sf_str alias_table; /* empty: there is none */
    int current_from;          /* first fiscal year of the last era; min_year when there is one era */
    bool has_crosswalk;
    size_t crosswalk_dimension;
    struct sf_str crosswalk_table, legacy_key, current_key;
    struct sf_str hash; /* 16 hex digits over the rules' meaning and SF_CONFORM_VERSION: comments do not count */
};

/* Reads a parsed rule file; the contract is freeze. SF_E_CONFIG with err->where. The result lives in the arena, as must `root`. */
enum sf_code sf_rules_read(struct sf_arena *arena, const struct sf_value *root, const struct sf_rules **out,
                           struct sf_err *err) SF_MUST_CHECK;
/* The same rules under another contract. */
const struct sf_rules *sf_rules_under(struct sf_arena *arena, const struct sf_rules *rules, enum sf_contract contract);

#endif
