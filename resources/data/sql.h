/* SQL text: quoting, and lists of statements for a world's warehouse.
 *
 * Every name and value that reaches SQL goes through the two quoting functions; nothing is pasted in bare. */
#ifndef SF_DATA_SQL_H
#define SF_DATA_SQL_H

#include "resources/data/world.h"

enum { SF_MAX_SQL_BYTES = 8 * 1024 * 1024 };

/* "name", with quotes inside doubled. */
struct sf_str sf_sql_name(struct sf_arena *arena, struct sf_str name);
/* "schema"."name". */
struct sf_str sf_sql_name2(struct sf_arena *arena, struct sf_str schema, struct sf_str name);
/* 'text', with quotes inside doubled; the empty view gives ''. Of a backslash, which Redshift reads as an escape and PostgreSQL as
 * itself, it makes an expression that both read alike: ('a' || chr(92) || 'b'). */
struct sf_str sf_sql_text(struct sf_arena *arena, struct sf_str text);
/* The same, or null for the empty view. */
struct sf_str sf_sql_text_or_null(struct sf_arena *arena, struct sf_str text);
/* 123456 -> 1234.56, exact. */
struct sf_str sf_sql_cents(struct sf_arena *arena, int64_t cents);
/* 1234567 -> 1,234,567, for people. */
struct sf_str sf_sql_grouped(struct sf_arena *arena, int64_t n);

/* A growing list of statements, in the arena. */
struct sf_script {
    struct sf_arena *arena;
    struct sf_statement *list;
    size_t n, cap;
};

/* Appends one SQL statement. `what` is shown in progress and errors and must live as long as the arena. The returned statement may
 * be changed until the next append. */
struct sf_statement *sf_script_add(struct sf_script *script, const char *what, const char *fmt, ...) SF_PRINTF(3, 4);
/* The same with finished text. */
struct sf_statement *sf_script_put(struct sf_script *script, const char *what, struct sf_str sql);

/* Runs a script that needs not be one transaction, in as few as can be: cut where a statement `opens` one, and where the world's
 * dialect takes no more. As warehouse_control() does, or as warehouse_run(). What was committed before a failure stays. */
enum sf_code sf_script_run(struct sf_op *op, const struct sf_object *cluster, const struct sf_script *script, bool is_control,
                           struct sf_err *err) SF_MUST_CHECK;

/* Text of row `r`, column `c` of a query's result; empty view for null or out of range. */
struct sf_str sf_rows_text(const struct sf_value *rows, size_t r, size_t c);
bool sf_rows_is_null(const struct sf_value *rows, size_t r, size_t c);
size_t sf_rows_count(const struct sf_value *rows);

#endif
