/* See sql.h. */
#include "resources/data/sql.h"

#include <inttypes.h>

static struct sf_str quoted(struct sf_arena *arena, struct sf_str text, char quote)
{
    size_t doubled = 0;
    for (size_t i = 0; i < text.n; i++)
        doubled += text.p[i] == quote;
    char *out = sf_arena_alloc(arena, text.n + doubled + 3);
    size_t n = 0;
    out[n++] = quote;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == quote)
            out[n++] = quote;
        out[n++] = text.p[i];
    }
    out[n++] = quote;
    return (struct sf_str){out, n};
}

struct sf_str sf_sql_name(struct sf_arena *arena, struct sf_str name)
{
    return quoted(arena, name, '"');
}

struct sf_str sf_sql_name2(struct sf_arena *arena, struct sf_str schema, struct sf_str name)
{
    return sf_str_fmt(arena, "%s.%s", sf_sql_name(arena, schema).p, sf_sql_name(arena, name).p);
}

struct sf_str sf_sql_text(struct sf_arena *arena, struct sf_str text)
{
    struct sf_str all = SF_STR_NONE;
    for (;;) {
        size_t at = sf_str_find(text, SF_STR("\\"));
        struct sf_str piece = quoted(arena, sf_str_slice(text, 0, at), '\'');
        all = all.n ? sf_str_fmt(arena, "%.*s || chr(92) || %s", SF_ARG(all), piece.p) : piece;
        if (at == SIZE_MAX)
            return all.p == piece.p ? piece : sf_str_fmt(arena, "(%.*s)", SF_ARG(all));
        text = sf_str_slice(text, at + 1, text.n);
    }
}

struct sf_str sf_sql_text_or_null(struct sf_arena *arena, struct sf_str text)
{
    return text.n > 0 ? sf_sql_text(arena, text) : SF_STR("null");
}

struct sf_str sf_sql_cents(struct sf_arena *arena, int64_t cents)
{
    uint64_t magnitude = cents < 0 ? 0 - (uint64_t)cents : (uint64_t)cents;
    return sf_str_fmt(arena, "%s%" PRIu64 ".%02" PRIu64, cents < 0 ? "-" : "", magnitude / 100, magnitude % 100);
}

struct sf_str sf_sql_grouped(struct sf_arena *arena, int64_t n)
{
    struct sf_str digits = sf_str_fmt(arena, "%" PRId64, n);
    size_t sign = n < 0 ? 1 : 0;
    char *out = sf_arena_alloc(arena, digits.n + digits.n / 3 + 1);
    size_t length = 0;
    for (size_t i = 0; i < digits.n; i++) {
        if (i > sign && (digits.n - i) % 3 == 0)
            out[length++] = ',';
        out[length++] = digits.p[i];
    }
    return (struct sf_str){out, length};
}

struct sf_statement *sf_script_put(struct sf_script *script, const char *what, struct sf_str sql)
{
    script->list = sf_arena_grow(script->arena, script->list, script->n, &script->cap, sizeof(*script->list));
    struct sf_statement *statement = &script->list[script->n++];
    statement->what = what;
    statement->sql = sql;
    return statement;
}

struct sf_statement *sf_script_add(struct sf_script *script, const char *what, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct sf_str sql = sf_str_vfmt(script->arena, fmt, ap);
    va_end(ap);
    return sf_script_put(script, what, sql);
}

static const struct sf_value *cell(const struct sf_value *rows, size_t r, size_t c)
{
    if (!rows || rows->type != SF_V_LIST || r >= rows->list.n)
        return NULL;
    const struct sf_value *row = rows->list.items[r];
    if (row->type != SF_V_LIST || c >= row->list.n)
        return NULL;
    return row->list.items[c];
}

struct sf_str sf_rows_text(const struct sf_value *rows, size_t r, size_t c)
{
    const struct sf_value *v = cell(rows, r, c);
    return v && v->type == SF_V_STRING ? v->s : SF_STR_NONE;
}

bool sf_rows_is_null(const struct sf_value *rows, size_t r, size_t c)
{
    const struct sf_value *v = cell(rows, r, c);
    return !v || v->type == SF_V_NULL;
}

size_t sf_rows_count(const struct sf_value *rows)
{
    return rows && rows->type == SF_V_LIST ? rows->list.n : 0;
}
