/* A load in SQL: staging, publishing and the ledger, as statements of one transaction. Pure text, no calls.
 *
 * Only tables and parts that change are staged. A part that is new is copied into a table of its own, which is then attached as a
 * partition (nobody waits for it); one that exists is staged aside, then deleted and inserted, so that readers never wait either.
 * Tables are never renamed or truncated. What the ledger says of a table or part is measured after publishing, in the same
 * transaction. PostgreSQL's own ways (partitions, hash functions, temporary tables dropped at commit) are in publish.c and
 * star_sql.c alone. */
#ifndef SF_DATA_PUBLISH_H
#define SF_DATA_PUBLISH_H

#include "resources/data/star_sql.h"

/* The ledger's row for a load as a whole. */
#define SF_LEDGER_LOAD "(load)"

/* A table that is loaded whole. */
struct sf_load_table {
    const struct sf_star_table *table;
    struct sf_str key;    /* object in the bucket */
    struct sf_str source; /* what the data set says of it, JSON, for the ledger */
    struct sf_str columns;
    int64_t rows;
    bool changes;
};

/* A part of the fact: the rows with one value of its partition column. */
struct sf_load_part {
    int64_t value;
    struct sf_str key, source;
    const struct sf_value *facts; /* the data set's numbers for it: rows, and rows and cents of each side */
    int64_t rows;
    bool changes;
    bool is_removed;    /* no longer in the data set */
    bool has_partition; /* exists in the warehouse now */
};

/* All that a load is about to do. */
struct sf_load_plan {
    const struct sf_star *star;
    struct sf_str schema, partitions;
    const struct sf_object *bucket, *role;
    struct sf_load_table *tables;
    size_t n_tables;
    struct sf_load_part *parts;
    size_t n_parts;
    struct sf_str fact_columns; /* as they stand in the files, quoted */
    /* for the ledger */
    struct sf_str load_id, loaded_by, rules, checks, snapshot, delivery, data_as_of, data_loaded_at;
    int n_checks;
    bool is_sample;
    /* staging for the record of failing rows: everything aside and unconstrained, nothing is published from it */
    bool is_rehearsal;
};

/* Creates staging tables and copies into them. */
void sf_publish_stage(struct sf_script *script, const struct sf_load_plan *plan);
/* The table as it would be published, to stand in a FROM clause: what is staged, and what does not change. */
struct sf_str sf_publish_relation(struct sf_arena *arena, const struct sf_load_plan *plan, const struct sf_star_table *table);
/* Replaces what changes by what is staged, measures it and writes the ledger. */
void sf_publish_commit(struct sf_script *script, const struct sf_load_plan *plan);
/* Empties every table of the load and takes its ledger rows away. */
void sf_publish_withdraw(struct sf_script *script, const struct sf_load_plan *plan);

#endif
