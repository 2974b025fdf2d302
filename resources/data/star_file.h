/* The star file: which tables and views a star schema has, what every column means, and what is a fact.
 *
 * A pure reading of schemas/data/.../star.yaml into plain structs; knows neither a warehouse nor what the tables are about. Two
 * tables of our own bookkeeping (load_ledger, load_rejects) are appended to those of the file, described in the same way. */
#ifndef SF_DATA_STAR_FILE_H
#define SF_DATA_STAR_FILE_H

#include "engine/kind.h"

enum sf_star_role {
    SF_STAR_DIMENSION,
    SF_STAR_FACT,
    SF_STAR_BRIDGE, /* like a dimension, but nothing refers to it */
    SF_STAR_LEDGER, /* ours: load_ledger, load_rejects */
};

enum sf_star_type { SF_STAR_BIGINT, SF_STAR_INTEGER, SF_STAR_TEXT, SF_STAR_NUMERIC, SF_STAR_BOOLEAN, SF_STAR_TIMESTAMP };

struct sf_star_column {
    struct sf_str name;
    struct sf_str comment;
    struct sf_str references; /* table whose key it holds; empty when none */
    enum sf_star_type type;
    int bytes;         /* of a text, its width */
    int digits, scale; /* of a numeric */
    bool is_nullable;
};

struct sf_star_table {
    struct sf_str name;
    struct sf_str comment;
    struct sf_str key;          /* column; empty when there is none */
    struct sf_str partition_by; /* integer column by whose values it is replaced; a fact has one, a bridge may */
    struct sf_str measure;      /* of a fact: the numeric column that is totalled */
    enum sf_star_role role;
    struct sf_star_column *columns;
    size_t n_columns;
};

struct sf_star_view {
    struct sf_str name;
    struct sf_str comment;
    struct sf_str sql; /* select text over unqualified table names */
    struct sf_star_column *columns;
    size_t n_columns; /* only name and comment are filled */
};

struct sf_star {
    struct sf_str digest;      /* 16 hex digits over the file's bytes */
    struct sf_str sample_note; /* how comments and ledger mark sample data; empty when the file has none */
    struct sf_star_table *tables;
    size_t n_tables;
    struct sf_star_view *views;
    size_t n_views;
    const struct sf_star_table *fact; /* the one fact */
};

#define SF_STAR_LEDGER_TABLE "load_ledger"
#define SF_STAR_REJECTS_TABLE "load_rejects"

/* Reads and checks the file that the attribute `name` means. SF_E_CONFIG names file, line and what is wrong: an unknown field, type
 * or role, a name that is not plain (a-z, 0-9, _), a reference to nothing, no fact or two, a missing comment. */
enum sf_code sf_star_load(struct sf_op *op, struct sf_str name, struct sf_star **star, struct sf_err *err) SF_MUST_CHECK;
/* The same from text; `path` names it in errors. */
enum sf_code sf_star_parse(struct sf_op *op, const char *path, struct sf_str text, struct sf_star **star,
                           struct sf_err *err) SF_MUST_CHECK;

const struct sf_star_table *sf_star_table(const struct sf_star *star, struct sf_str name);
const struct sf_star_column *sf_star_column(const struct sf_star_table *table, struct sf_str name);
/* The column whose total the ledger keeps: the fact's measure; of any other table the first numeric one, NULL without one. */
const struct sf_star_column *sf_star_total_column(const struct sf_star_table *table);

#endif
