/* Where the SQL of PostgreSQL and that of Redshift differ: words with a place for an argument, and what a dialect can do.
 *
 * One const a dialect, reached by the world: op->site->world->dialect. Text that both take alike stands where it is written; what
 * only one of them takes is here, or in a file that this names, and nowhere is it asked which dialect it is. Pure text, no calls.
 *
 * Sources: PostgreSQL's manual; Amazon Redshift Database Developer Guide, "Amazon Redshift and PostgreSQL", "SQL reference". */
#ifndef SF_DATA_DIALECT_H
#define SF_DATA_DIALECT_H

#include "resources/data/sql.h"

struct sf_star;
struct sf_star_table;
struct sf_star_maker;
struct sf_publisher;
struct sf_reader_maker;

struct sf_dialect {
    const char *name; /* "postgresql", "redshift" */

    /* Words. "$" stands for an expression, "%" for the name of a table. */
    const char *temporary; /* makes a table of a query: of this transaction (PostgreSQL) or session (Redshift) */
    const char *staged;    /* makes a table that any transaction may use and nobody misses */
    const char *staged_as; /* the same of a query */
    const char *any_text;  /* type of text as wide as there is */
    const char *sha256;    /* of text, lower-case hexadecimal */
    const char *hash60;    /* the first 15 digits of one, as a number */
    const char *collapse;  /* runs of blanks to one */
    const char *bytewise;  /* text that min() and order by take by its bytes */
    const char *analyze;   /* NULL: a table made of a query has statistics at once */
    const char *now;       /* when the transaction began, to go into a table */

    /* What one transaction takes; 0: as many as come. A script that needs no single transaction is cut (sf_script_run). */
    size_t max_statements;
    bool merges_checks; /* many checks are counted by one statement, and one raises for all that fail */

    /* Order-free digest of one row, a whole number to be summed: every column, in order. A partition column is left to the GROUP
     * BY. */
    struct sf_str (*row_digest)(struct sf_arena *arena, const struct sf_star_table *table);
    const struct sf_star_maker *star;     /* star_maker.h */
    const struct sf_publisher *publisher; /* publish_sql.h */
    const struct sf_reader_maker *reader; /* reader_maker.h */
    /* sf_ledger_fn of ledger.h. */
    size_t (*ledger)(struct sf_arena *arena, const struct sf_star *star, struct sf_str schema, bool is_measuring,
                     struct sf_str *queries);
};

/* `word` with `what` in each place that `mark` ('$' or '%') holds. */
struct sf_str sf_dialect_fill(struct sf_arena *arena, const char *word, char mark, struct sf_str what);

#endif
