/* A star in SQL: the statements that make it and the catalog query that proves it is as declared. Pure text, no calls.
 *
 * What only one dialect takes is in star_postgresql.c and star_redshift.c; publish.h has the load's part. The partitions of a
 * table, and what is staged, live in a schema of their own, "<schema>_partitions", so that \dt shows people tables and not parts.
 */
#ifndef SF_DATA_STAR_SQL_H
#define SF_DATA_STAR_SQL_H

#include "resources/data/sql.h"
#include "resources/data/star_file.h"

/* Where a star is, and for whom. */
struct sf_star_site {
    struct sf_str schema;
    struct sf_str partitions; /* schema of the fact's partitions */
    struct sf_str owner;      /* role that owns the tables: the cluster's master user */
    struct sf_str reader;     /* may be empty */
    struct sf_str marks;      /* ownership marks, part of the schema's comment */
    bool is_sample;           /* comments start with the star's sample note */
    const struct sf_dialect *dialect;
};

struct sf_str sf_star_partitions_schema(struct sf_arena *arena, struct sf_str schema);
/* "varchar(100)" and the like. */
struct sf_str sf_star_type_sql(struct sf_arena *arena, const struct sf_star_column *column);
/* "a, b, c", quoted. `prefix` ("t.") goes before each and may be empty. */
struct sf_str sf_star_columns_sql(struct sf_arena *arena, const struct sf_star_table *table, const char *prefix);
/* The comment a relation carries: the note first when the data are a sample. */
struct sf_str sf_star_comment(struct sf_arena *arena, const struct sf_star *star, struct sf_str comment, bool is_sample);
/* What is declared: relation -> 16 hex digits. Entries in parentheses are not relations: "(reader)", "(search_path)". */
const struct sf_value *sf_star_declared(struct sf_arena *arena, const struct sf_dialect *dialect, const struct sf_star *star,
                                        struct sf_str reader);

/* One query for all that sf_star_compare() needs. */
struct sf_str sf_star_catalog_sql(struct sf_arena *arena, const struct sf_star_site *site);

struct sf_star_catalog {
    bool has_schema;
    struct sf_str schema_comment;
    const struct sf_value *structure;    /* as sf_star_declared(), with a text for each entry that differs */
    const struct sf_value *view_digests; /* view -> digest of its text as the warehouse has it */
    struct sf_str *foreign;              /* relations in the schema that are not the star's */
    bool *foreign_is_view;
    size_t n_foreign;
    struct sf_str *former; /* relations that we made and the star file no longer has; see sf_star_claim() */
    bool *former_is_view;
    size_t n_former;
    const struct sf_value *ages;        /* view -> a number that is higher for one that was made later; empty where nobody asks */
    struct sf_str reader_verifier;      /* what the server holds of the reader's password; never shown */
    bool *table_exists, *table_differs; /* by index of the star's tables: structure, not comments */
    bool *view_exists, *view_differs;
};

/* Reads the catalog query's rows. `view_digests` is what was recorded when the views were made (NULL: not known, any is right). */
void sf_star_compare(struct sf_arena *arena, const struct sf_star *star, const struct sf_star_site *site,
                     const struct sf_value *rows, const struct sf_value *view_digests, struct sf_star_catalog *catalog);

/* Which of the foreign relations are ours after all: those that `recorded` (a structure, or NULL) knows, of an earlier file. */
void sf_star_claim(struct sf_arena *arena, const struct sf_value *recorded, struct sf_star_catalog *catalog);

/* The statements that turn what `catalog` shows into what is declared: schema, tables, views, comments. Idempotent. A table whose
 * columns differ is made anew, empty: the load fills it in the same run. */
void sf_star_make(struct sf_script *script, const struct sf_star *star, const struct sf_star_site *site,
                  const struct sf_star_catalog *catalog);
/* The comments that those did not write. */
void sf_star_describe(struct sf_script *script, const struct sf_star *star, const struct sf_star_site *site);
/* Comments of every relation, with or without the sample note. */
void sf_star_comment_relations(struct sf_script *script, const struct sf_star *star, const struct sf_star_site *site);
/* Drops what is ours, then the schemas if nothing else is in them. */
void sf_star_drop(struct sf_script *script, const struct sf_star *star, const struct sf_star_site *site,
                  const struct sf_star_catalog *catalog);
#endif
