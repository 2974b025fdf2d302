/* A load in SQL: staging, publishing and the ledger, as statements. Pure text, no calls.
 *
 * Only tables and parts that change are staged, into tables of the partitions schema called "staged_...", by copies that may run at
 * once (world.h, warehouse_stage). Nobody reads a table of that name, nothing is published under it, and every load drops all of
 * them, so what a crash leaves lasts until the next one; destroy drops the schema. Then one transaction checks what is staged,
 * publishes it and writes the ledger. A part that is new becomes a partition: its staged table gets the partition's name and is
 * attached (nobody waits for it); one that exists is deleted and inserted, so that readers never wait either. What people read is
 * never renamed or truncated. Other tables that the star partitions are published in the same way. What the ledger says of a table
 * or part is measured in that same transaction: of a part that is attached before, since it is the very table, of all else after
 * publishing. On Redshift, which has no partitions, the parts that change are staged in one table, deleted and inserted:
 * publish_redshift.c. */
#ifndef SF_DATA_PUBLISH_H
#define SF_DATA_PUBLISH_H

#include "resources/data/dialect.h"
#include "resources/data/star_sql.h"

/* What names of staging tables begin with. */
#define SF_PUBLISH_STAGED "staged_"

/* The ledger's row for a load as a whole. */
#define SF_LEDGER_LOAD "(load)"

/* A part of a table: the rows with one value of its partition column. */
struct sf_load_part {
    const struct sf_star_table *table;
    int64_t value;
    struct sf_str key;            /* object in the bucket */
    struct sf_str source;         /* what the data set says of it, JSON, for the ledger */
    const struct sf_value *facts; /* of the fact: the data set's numbers for it: rows, and rows and cents of each side */
    int64_t rows;
    bool changes;
    bool is_removed;    /* no longer in the data set */
    bool has_partition; /* exists in the warehouse now */
};

/* Another table than the fact: loaded whole, or in parts if the star partitions it. */
struct sf_load_table {
    const struct sf_star_table *table;
    struct sf_str key, source; /* of one that is loaded whole */
    struct sf_str columns;
    int64_t rows;
    bool changes; /* it, or one of its parts */
    struct sf_load_part *parts;
    size_t n_parts;
};

/* All that a load is about to do. */
struct sf_load_plan {
    const struct sf_dialect *dialect;
    const struct sf_star *star;
    struct sf_str schema, partitions;
    const struct sf_object *bucket, *role;
    struct sf_load_table *tables;
    size_t n_tables;
    struct sf_load_part *parts; /* of the fact */
    size_t n_parts;
    struct sf_str fact_columns; /* as they stand in the files, quoted */
    /* for the ledger */
    struct sf_str load_id, loaded_by, rules, checks, snapshot, delivery, data_as_of, data_loaded_at;
    int n_checks;
    /* SQL for which checks failed and were published all the same; empty: null */
    struct sf_str accepted_sql, warned_sql;
    bool is_sample;
    /* Parts that do not change were published under the same checks, star and rules: the ledger says so, and what they hold was
     * compared with it. What looks at one part at a time need not look at them again. */
    bool is_rest_proven;
    bool has_published;                /* an earlier load of this stack */
    bool is_rest_left_out;             /* sf_publish_relation() gives of the fact only what is in scope */
    const struct sf_star_column *side; /* column by which parts are measured too, for reconciling; may be NULL */
    struct sf_str also_measured;       /* what checks want measured of rows `t` in the same pass: ", EXPRESSION as NAME..." */
    struct sf_str also_joined;         /* what that needs: " left join ..." */
    /* What is staged comes from the tables that were conformed in the warehouse (conform_load.h) and not from objects; of which
     * source, for the ledger's row of the load. */
    bool is_conformed;
    struct sf_str raw;
    /* staging for the record of failing rows: unconstrained, nothing is published from it */
    bool is_rehearsal;
};

/* The copies into staging tables, each with what makes its table: for warehouse_stage(). */
void sf_publish_stage(struct sf_script *script, const struct sf_load_plan *plan);
/* Whether what is staged has no constraints, so that a copy that is refused is refused in a rehearsal too. */
bool sf_publish_stages_bare(const struct sf_load_plan *plan);
/* Opens the transaction's script: locks the ledger and measures what is staged, once for all checks and the ledger. */
void sf_publish_begin(struct sf_script *script, const struct sf_load_plan *plan);
/* The table as it would be published, to stand in a FROM clause: what is staged, and what does not change. */
struct sf_str sf_publish_relation(struct sf_arena *arena, const struct sf_load_plan *plan, const struct sf_star_table *table);
/* A table that is loaded in parts, be it the fact or another. */
struct sf_load_parted {
    const struct sf_star_table *table;
    const struct sf_load_part *parts;
    size_t n;
    struct sf_str columns; /* as they stand in the files, quoted */
};
struct sf_load_parted sf_load_parted(const struct sf_load_plan *plan, const struct sf_star_table *table);
/* Whether a part's rows are to be looked at: it changes, or nothing proves it. */
bool sf_publish_is_in_scope(const struct sf_load_plan *plan, const struct sf_load_part *part);
/* One part of the fact, to stand in a FROM clause. */
struct sf_str sf_publish_part(struct sf_arena *arena, const struct sf_load_plan *plan, const struct sf_load_part *part);
/* "1999, 2000": values of the parts that change. Empty when there are none. */
struct sf_str sf_publish_changed(struct sf_arena *arena, const struct sf_load_plan *plan);
/* The temporary table with a row for each part of the fact in scope and side: part, side (null without one), row_count, total,
 * digest, and what is also measured. */
#define SF_PUBLISH_MEASURED "measured"
/* That of any table that is loaded in parts; of another than the fact it has neither sides nor what is also measured. */
struct sf_str sf_publish_measured(struct sf_arena *arena, const struct sf_load_plan *plan, const struct sf_star_table *table);
/* Makes a table of this transaction alone: `select` is what it holds. */
void sf_publish_scratch(struct sf_script *script, const struct sf_load_plan *plan, const char *what, const char *name,
                        struct sf_str select);
/* Drops every staging table of the star, whoever left it. */
void sf_publish_sweep(struct sf_script *script, const struct sf_load_plan *plan);
/* Replaces what changes by what is staged, measures it and writes the ledger. */
void sf_publish_commit(struct sf_script *script, const struct sf_load_plan *plan);
/* What is done after that was committed, by sf_script_run(): comments, statistics, space. A failure of it takes nothing back. */
void sf_publish_tidy(struct sf_script *script, const struct sf_load_plan *plan);
/* Empties every table of the load and takes its ledger rows away. */
void sf_publish_withdraw(struct sf_script *script, const struct sf_load_plan *plan);

#endif
