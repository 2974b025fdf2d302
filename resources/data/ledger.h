/* The ledger against the tables: what counts, totals and digests every table and part as it is now, beside what the
 * ledger says was published. What agrees is reported by the digest its data set gave it, what does not by a text that says how. */
#ifndef SF_DATA_LEDGER_H
#define SF_DATA_LEDGER_H

#include "resources/data/publish.h"

/* A table, or a part of one: as recorded (by us, now current) and as it is. */
struct sf_ledger_entry {
    struct sf_str table;
    int64_t part;
    bool is_part;
    bool is_recorded, is_found;
    bool is_doubled; /* two current ledger rows: somebody wrote into it */
    int64_t recorded_rows, found_rows;
    struct sf_str recorded_total, found_total;
    struct sf_str recorded_digest, found_digest;
    struct sf_str source; /* JSON */
};

struct sf_ledger {
    struct sf_str fact; /* the table whose parts are the years */
    struct sf_ledger_entry *entries;
    size_t n;
    struct sf_ledger_partition {
        struct sf_str table;
        int64_t value;
    } * partitions; /* that are in the warehouse, filled or not */
    size_t n_partitions;
    bool has_load; /* the row of a load of ours as a whole */
    struct sf_str load_id, rules, star, checks;
    struct sf_str raw; /* snapshot of the source that the warehouse conformed; empty: the engine did */
    int64_t checks_passed;
    bool is_sample;
    int64_t wrong_comments;     /* relations whose comment lacks the sample note, or has it without cause */
    int64_t staging;            /* staging tables that a load which was stopped left behind */
    struct sf_str other_loader; /* somebody else's current rows; empty when there are none */
};

enum { SF_LEDGER_QUERIES = 2 };

/* Without `is_measuring` the queries do not read the tables: they only look whether each is filled and which partitions there are.
 * Returns how many of `queries` there are; rows of the first go before those of the next. */
typedef size_t sf_ledger_fn(struct sf_arena *arena, const struct sf_star *star, struct sf_str schema, bool is_measuring,
                            struct sf_str *queries);
sf_ledger_fn sf_ledger_by_postgresql, sf_ledger_by_redshift;

/* Reads the queries' rows. SF_E_INTERNAL when they make no sense. */
enum sf_code sf_ledger_read(struct sf_arena *arena, const struct sf_star *star, const struct sf_value *rows,
                            struct sf_str loaded_by, struct sf_ledger *ledger, struct sf_err *err) SF_MUST_CHECK;

/* After a query that did not measure: takes `contents` (as sf_ledger_contents() makes it) for what a measuring one would have found
 * in each table and part that it shows as the ledger has it now and that is still there. A table made anew meanwhile is empty. */
void sf_ledger_assume(struct sf_arena *arena, struct sf_ledger *ledger, const struct sf_value *contents);

/* The recorded source of an entry that agrees, else a text ("edited by hand: 26,671 of 26,672 rows"); NULL when the entry is not in
 * the ledger and holds nothing. */
const struct sf_value *sf_ledger_state(struct sf_arena *arena, const struct sf_ledger_entry *entry);
/* Whether what is there is what was published. */
bool sf_ledger_agrees(const struct sf_ledger_entry *entry);
const struct sf_ledger_entry *sf_ledger_find(const struct sf_ledger *ledger, struct sf_str table, const int64_t *part);
bool sf_ledger_has_partition(const struct sf_ledger *ledger, struct sf_str table, int64_t part);

/* {rules, star, checks, sample, tables: {...}, years: {...}} as it is now; of a table in parts a map of them. */
const struct sf_value *sf_ledger_contents(struct sf_arena *arena, const struct sf_ledger *ledger);
/* The same of a load that was conformed in the warehouse, as it can be planned: of tables and years only those in `contents` that
 * are not as published, and the snapshot as `raw`. Of another load all of it. */
const struct sf_value *sf_ledger_differences(struct sf_arena *arena, const struct sf_ledger *ledger,
                                             const struct sf_value *contents);

#endif
