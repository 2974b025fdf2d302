/* How a dialect makes a star: what star_sql.h promises, by one of these. Private to the files that write that SQL. */
#ifndef SF_DATA_STAR_MAKER_H
#define SF_DATA_STAR_MAKER_H

#include "resources/data/dialect.h"
#include "resources/data/star_sql.h"

/* PL/pgSQL: schemas of stars, in the order of their stacks, into `path`; a WHERE that picks them by d.description follows. The
 * database's search path and a reader's name them alike. */
#define SF_STAR_SCHEMAS_INTO_PATH                                                                                                  \
    "  select string_agg(quote_ident(n.nspname), ', ' order by substring(d.description from "                                      \
    "'sfstack:order=([0-9]+)')::int, n.nspname)\n"                                                                                 \
    "  into path from pg_namespace n join pg_description d on d.objoid = n.oid and d.classoid = 'pg_namespace'::regclass\n"

struct sf_star_maker {
    bool has_partitions;  /* the fact is partitioned by its column; its partitions are tables */
    bool has_search_path; /* the database's names the schemas of all stars */
    bool keeps_keys;      /* a primary key is enforced, so one that is missing is a difference */
    /* What follows a table's name in the statement that makes it. */
    struct sf_str (*definition)(struct sf_arena *arena, const struct sf_star_table *table);
    /* Each as the function of its name in star_sql.h says. */
    struct sf_str (*catalog)(struct sf_arena *arena, const struct sf_star_site *site);
    void (*make)(struct sf_script *script, const struct sf_star *star, const struct sf_star_site *site,
                 const struct sf_star_catalog *catalog);
    /* Comments of everything, where `make` does not write them: in transactions of their own after it. May be NULL. */
    void (*describe)(struct sf_script *script, const struct sf_star *star, const struct sf_star_site *site);
    void (*drop)(struct sf_script *script, const struct sf_star *star, const struct sf_star_site *site,
                 const struct sf_star_catalog *catalog);
};

extern const struct sf_star_maker sf_star_by_postgresql, sf_star_by_redshift;

/* dialect.h, row_digest. */
struct sf_str sf_star_row_digest_postgresql(struct sf_arena *arena, const struct sf_star_table *table);
struct sf_str sf_star_row_digest_redshift(struct sf_arena *arena, const struct sf_star_table *table);

/* Redshift: query for the marks of all stars, schema_name (that of what is staged) and marks. */
struct sf_str sf_star_marks_redshift(void);

/* --- statements that makers share --- */

void sf_star_comment_columns(struct sf_script *script, const struct sf_star_site *site, struct sf_str relation,
                             const struct sf_star_column *columns, size_t n);
/* Views are left alone unless one of them, or a table under them, is made anew: people's own views may stand on them. */
bool sf_star_views_differ(const struct sf_star *star, const struct sf_star_catalog *catalog);
/* Those that exist, then the tables that an earlier star file had. */
void sf_star_drop_views(struct sf_script *script, const struct sf_star *star, const struct sf_star_site *site,
                        const struct sf_star_catalog *catalog);

#endif
