/* See dialect.h. */
#include "resources/data/dialect.h"

#include "resources/data/ledger.h"
#include "resources/data/publish_sql.h"
#include "resources/data/reader_maker.h"
#include "resources/data/star_maker.h"

const struct sf_dialect sf_dialect_postgresql = {
    .name = "postgresql",
    .temporary = "create temporary table % on commit drop as",
    .staged = "create unlogged table %",
    .staged_as = "create unlogged table % as",
    .any_text = "text",
    .sha256 = "encode(sha256(convert_to($, 'UTF8')), 'hex')",
    .hash60 = "cast(cast('x0' || substring($, 1, 15) as bit(64)) as bigint)",
    .collapse = "regexp_replace($, ' +', ' ', 'g')",
    .bytewise = "$ collate \"C\"",
    .analyze = "analyze %",
    .now = "current_timestamp",
    .row_digest = sf_star_row_digest_postgresql,
    .star = &sf_star_by_postgresql,
    .publisher = &sf_publish_by_partition,
    .reader = &sf_reader_by_postgresql,
    .ledger = sf_ledger_by_postgresql,
};

const struct sf_dialect sf_dialect_redshift = {
    .name = "redshift",
    .temporary = "create temporary table % as",
    .staged = "create table %",
    .staged_as = "create table % as",
    .any_text = "character varying(65535)",
    .sha256 = "sha2($, 256)",
    .hash60 = "strtol(substring($, 1, 15), 16)",
    .collapse = "regexp_replace($, ' +', ' ')",
    .bytewise = "$",
    .now = "getdate()",   /* current_timestamp runs on the leader node only */
    .max_statements = 40, /* of a batch of the Data API; a connection takes more, and needs no more */
    .merges_checks = true,
    .row_digest = sf_star_row_digest_redshift,
    .star = &sf_star_by_redshift,
    .publisher = &sf_publish_by_delete,
    .reader = &sf_reader_by_redshift,
    .ledger = sf_ledger_by_redshift,
};

struct sf_str sf_dialect_fill(struct sf_arena *arena, const char *word, char mark, struct sf_str what)
{
    struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES);
    for (; *word; word++) {
        if (*word == mark)
            sf_buf_add(&buf, what);
        else
            sf_buf_addc(&buf, *word);
    }
    struct sf_str text = sf_str_dup(arena, sf_buf_str(&buf));
    sf_buf_free(&buf);
    return text;
}
