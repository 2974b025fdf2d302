/* Dimension members: from the distinct combinations of source columns ("raws") to keys, current codes, spellings.
 *
 * Two raws are one member if their names say the same folded (case, blanks); codes and spellings are attributes. What a raw
 * becomes depends on nothing but the file's content: members sort by key, raws within a member by their bytes. */
#ifndef SF_DATA_CONFORM_MEMBERS_H
#define SF_DATA_CONFORM_MEMBERS_H

#include "resources/data/conform/rules.h"

/* As a worker finds it. */
struct sf_found_raw {
    struct sf_str parts; /* the columns as they stand in the source, in rule order, written as parts: the identity */
    const char *problem; /* why its rows are rejected, or NULL */
    size_t problem_column;
};

struct sf_raw {
    struct sf_str parts; /* as above; sf_raw_name() and the like read them */
    int64_t id;
    int last_year; /* with rows; 0: none */
    uint8_t id_length;
    char id_text[20];     /* decimal, id_length bytes */
    char sha256_part[67]; /* "64:" and the lowercase hex SHA-256 of `parts` */
};

struct sf_members {
    const struct sf_rules *rules;
    const struct sf_rule_dimension *dimension;
    struct sf_raw *raws; /* by id, then parts */
    size_t n;
};

/* Why rows with these parts are rejected, and for which column; or NULL. */
const char *sf_raw_problem(const struct sf_rules *rules, const struct sf_rule_dimension *d, struct sf_str parts, size_t *column);

struct sf_raw_list {
    const struct sf_found_raw *raws;
    size_t n;
};

/* Joins what the workers found. maps[i][k] is the place of lists[i].raws[k] in out->raws (those with a problem map to
 * UINT32_MAX). Nothing of the lists is needed afterwards. SF_E_DATA: two different members share a key; both are named. */
enum sf_code sf_members_merge(struct sf_arena *arena, const struct sf_rules *rules, const struct sf_rule_dimension *d,
                              const struct sf_raw_list *lists, size_t n_lists, uint32_t **maps, struct sf_members *out,
                              struct sf_err *err) SF_MUST_CHECK;

/* Where raws[i]'s member ends: index of the next member's first raw. */
size_t sf_members_end(const struct sf_members *members, size_t i);

/* Codes and spellings by level and name path: the latest fiscal year's, then the bytewise smallest. */
struct sf_spelling {
    int year;
    struct sf_str code, name; /* with No <Level> filled in */
};
struct sf_spellings; /* opaque */
/* Needs last_year of every raw. */
struct sf_spellings *sf_spellings_make(struct sf_arena *arena, const struct sf_members *members);
const struct sf_spelling *sf_spellings_get(const struct sf_spellings *spellings, const struct sf_raw *raw, size_t level);

/* Name and code of a raw at a level as they stand in the source, trimmed; empty: null, or a level without a code. */
struct sf_str sf_raw_name(const struct sf_rule_dimension *d, const struct sf_raw *raw, size_t level);
struct sf_str sf_raw_code(const struct sf_rule_dimension *d, const struct sf_raw *raw, size_t level);
/* Stored value of the flag ("Yes"); empty when the dimension has none. */
struct sf_str sf_raw_flag(const struct sf_rule_dimension *d, const struct sf_raw *raw);
/* "Public Protection > Police > Patrol", for messages and lists. */
struct sf_str sf_raw_title(struct sf_arena *arena, const struct sf_rule_dimension *d, const struct sf_raw *raw);

#endif
