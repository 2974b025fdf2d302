/* From chunks of CSV to rows: each worker checks the values of its rows and finds the distinct members.
 *
 * A row's dimension columns are looked up by their bytes as they stand in the file, so that each distinct member is unquoted
 * and checked once and a row costs one lookup a dimension. */
#ifndef SF_DATA_CONFORM_PARSE_H
#define SF_DATA_CONFORM_PARSE_H

#include "resources/data/conform/csv.h"
#include "resources/data/conform/intern.h"
#include "resources/data/conform/year_sort.h"

enum { SF_REJECTS_MAX_BYTES = 32 * 1024 * 1024 }; /* a worker; beyond it rejected rows are only counted */

/* Where the file has the rules' columns. */
struct sf_layout {
    const struct sf_rules *rules;
    size_t n_fields;
    size_t *unknown; /* fields of columns that the rules do not know: none under freeze */
    struct sf_str *unknown_names;
    size_t n_unknown;
    int place[SF_RULES_MAX_COLUMNS]; /* of each column of the rules; -1: not in the file */
    bool is_contiguous[SF_RULES_MAX_DIMENSIONS];
    size_t first[SF_RULES_MAX_DIMENSIONS], last[SF_RULES_MAX_DIMENSIONS];
};

/* Matches the header. SF_E_DATA with line and column: unknown, duplicate or missing columns (the nearest name is offered). */
enum sf_code sf_layout_read(struct sf_arena *arena, const struct sf_rules *rules, const struct sf_csv_record *header,
                            struct sf_layout *out, struct sf_err *err) SF_MUST_CHECK;

struct sf_found {
    struct sf_arena *arena;
    struct sf_intern spans;  /* bytes as in the file -> number */
    struct sf_intern quoted; /* parts of what has a quote in the file, which can be written in many ways -> number */
    struct sf_found_raw *raws;
    size_t n, cap;
};

struct sf_reject {
    uint64_t line;
    struct sf_str column;
    const char *reason;
    struct sf_str value; /* at most 100 bytes of it */
    struct sf_str row;
};

/* What plain.c knows of the rules and the header: places of fields. */
struct sf_plain {
    bool is_expected;
    int year, side, amount, stamps[2]; /* of the stamps: -1: none */
    struct {
        uint64_t word; /* its text of at most eight bytes */
        size_t n;
    } sides[SF_RULES_MAX_SIDES];
};

struct sf_parser {
    const struct sf_layout *layout;
    struct sf_arena *arena;
    struct sf_plain plain;
    struct sf_found found[SF_RULES_MAX_DIMENSIONS];
    struct sf_rows rows;
    size_t raw_bytes; /* of members found, roughly */
    uint64_t n_rows;  /* data rows seen, rejected ones included */
    struct sf_reject *rejects;
    size_t n_rejects, cap_rejects, reject_bytes;
    uint64_t rejected;           /* all of them */
    uint64_t rejected_readable;  /* of them with a readable amount, the first measure */
    int64_t rejected_cents;      /* their total */
    struct sf_str stamps[2];     /* as_of, loaded_at: one value in all rows */
    struct sf_str raw_stamps[2]; /* as they stood in the first row */
    bool has_stamps;
    struct sf_buf tail;  /* of the row at hand */
    struct sf_buf parts; /* of a raw met for the first time */
    char *scratch;
    size_t cap_scratch;
};

void sf_parser_open(struct sf_parser *parser, const struct sf_layout *layout, struct sf_rows_pool *pool, uint64_t seed);
void sf_parser_close(struct sf_parser *parser);
/* Frees what finds raws, when all chunks were taken: as much as the raws themselves. */
void sf_parser_finish(struct sf_parser *parser);
/* Frees what was found of a dimension, once it is merged. */
void sf_parser_forget(struct sf_parser *parser, size_t dimension);
/* Takes the records of an indexed chunk, the header left out by the caller (`skip_first`). SF_E_DATA: ragged row, two snapshots in
 * one file, too many members. */
enum sf_code sf_parser_chunk(struct sf_parser *parser, const struct sf_csv_chunk *chunk, bool skip_first,
                             struct sf_err *err) SF_MUST_CHECK;

/* For readers that take no values: whether the record's stamps are those of the records before, SF_E_DATA; ... */
enum sf_code sf_parser_stamps(struct sf_parser *parser, const struct sf_csv_record *record, struct sf_err *err) SF_MUST_CHECK;
/* ... and the unknown column in which it has a value; empty: none. */
struct sf_str sf_parser_unknown(const struct sf_parser *parser, const struct sf_csv_record *record);

#endif
