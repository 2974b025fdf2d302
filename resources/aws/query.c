/* See query.h. */
#include "resources/aws/query.h"

#include "attr/cluster.h"
#include "engine/core/clock.h"
#include "resources/aws/client/client.h"
#include "resources/aws/data_api.h"
#include "resources/aws/direct.h"
#include "resources/data/sql.h"

#include <math.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_ANSWER_BYTES = 64 * 1024 * 1024, MAX_PAGES = 100000 };

/* --- is it one statement, and does it read? --- */

/* What servers do not agree about: PostgreSQL 8 takes a backslash in any string for an escape, others do not; comments nest or do
 * not. A text that is one statement in one reading and two in another is refused. */
struct reading {
    bool has_escapes, has_nesting;
};

static size_t skip_quoted(struct sf_str sql, size_t at, bool has_escapes)
{
    char quote = sql.p[at++];
    while (at < sql.n && sql.p[at] != quote)
        at += has_escapes && sql.p[at] == '\\' ? 2 : 1;
    return at < sql.n ? at + 1 : sql.n;
}

static size_t skip_comment(struct sf_str sql, size_t at, bool has_nesting)
{
    int depth = 0;
    while (at + 1 < sql.n) {
        bool opens = sql.p[at] == '/' && sql.p[at + 1] == '*', closes = sql.p[at] == '*' && sql.p[at + 1] == '/';
        depth += opens ? (depth == 0 || has_nesting) : closes ? -1 : 0;
        at += opens || closes ? 2 : 1;
        if (closes && depth == 0)
            return at;
    }
    return sql.n;
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (unsigned char)c >= 0x80;
}

/* "$tag$ ... $tag$", or just the dollar when it opens nothing. */
static size_t skip_dollar(struct sf_str sql, size_t at)
{
    size_t end = at + 1;
    while (end < sql.n && is_word(sql.p[end]))
        end++;
    if (end >= sql.n || sql.p[end] != '$' || (at > 0 && is_word(sql.p[at - 1])))
        return at + 1;
    struct sf_str tag = sf_str_slice(sql, at, end + 1);
    size_t close = sf_str_find(sf_str_slice(sql, end + 1, sql.n), tag);
    return close == SIZE_MAX ? sql.n : end + 1 + close + tag.n;
}

/* From `at` to the next byte that is neither blank nor comment, or with `is_code` false to the next ';' of the statement. */
static size_t next_of(struct sf_str sql, size_t at, const struct reading *reading, bool stops_at_code)
{
    while (at < sql.n) {
        char c = sql.p[at], d = at + 1 < sql.n ? sql.p[at + 1] : 0;
        if (c == '-' && d == '-') {
            while (at < sql.n && sql.p[at] != '\n')
                at++;
        } else if (c == '/' && d == '*') {
            at = skip_comment(sql, at, reading->has_nesting);
        } else if (stops_at_code && !strchr(" \t\r\n\f\v", c)) {
            return at;
        } else if (c == ';') {
            return at;
        } else if (c == '\'' || c == '"') {
            at = skip_quoted(sql, at, reading->has_escapes && c == '\'');
        } else if (c == '$') {
            at = skip_dollar(sql, at);
        } else {
            at++;
        }
    }
    return sql.n;
}

static bool is_one(struct sf_str sql, const struct reading *reading)
{
    size_t at = next_of(sql, 0, reading, false);
    while (at < sql.n && sql.p[at] == ';')
        at = next_of(sql, at + 1, reading, true);
    return at >= sql.n;
}

enum sf_code sf_aws_check_question(struct sf_str sql, struct sf_err *err)
{
    static const char *const words[] = {"select", "with", "explain", "show", "values", "table"};
    static const struct reading readings[] = {{false, false}, {true, false}, {false, true}, {true, true}};
    char word[16] = "";
    size_t at = next_of(sql, 0, &readings[0], true), n = 0;
    while (at < sql.n && sql.p[at] == '(')
        at = next_of(sql, at + 1, &readings[0], true);
    if (at >= sql.n || memchr(sql.p, 0, sql.n))
        return sf_fail(err, SF_E_REFUSED, at >= sql.n ? "the statement is empty" : "the statement holds a NUL");
    for (size_t i = 0; i < SF_COUNT(readings); i++) {
        if (is_one(sql, &readings[i]))
            continue;
        sf_fail(err, SF_E_REFUSED, "this is more than one statement");
        sf_hint(err, "one statement at a time");
        snprintf(err->remote_code, sizeof err->remote_code, "42601");
        return SF_E_REFUSED;
    }
    for (; at < sql.n && is_word(sql.p[at]) && n + 1 < sizeof word; at++)
        word[n++] = sql.p[at] >= 'A' && sql.p[at] <= 'Z' ? (char)(sql.p[at] + 'a' - 'A') : sql.p[at];
    for (size_t i = 0; i < SF_COUNT(words); i++)
        if (strcmp(word, words[i]) == 0)
            return SF_OK;
    sf_fail(err, SF_E_REFUSED, "cannot execute '%s' here", n ? word : "this");
    sf_hint(err, "this only reads: select, with, explain, show; what the tables hold is the load's business");
    snprintf(err->remote_code, sizeof err->remote_code, "25006");
    return SF_E_REFUSED;
}

/* --- the answer --- */

static bool is_number(struct sf_str type)
{
    static const char *const numbers[] = {"int2", "int4", "int8", "float4", "float8", "numeric", "oid"};
    for (size_t i = 0; i < SF_COUNT(numbers); i++)
        if (sf_str_is(type, numbers[i]))
            return true;
    return false;
}

static const struct sf_value *columns_of(struct sf_op *op, const struct sf_value *metadata, struct sf_str *types)
{
    const struct sf_value **columns = SF_NEW_ARRAY(op->arena, metadata->list.n + 1, const struct sf_value *);
    for (size_t i = 0; i < metadata->list.n; i++) {
        struct sf_value *column = sf_value_map(op->arena);
        struct sf_str label = sf_aws_text(metadata->list.items[i], "label");
        types[i] = sf_aws_text(metadata->list.items[i], "typeName");
        sf_map_set_str(op->arena, column, "name", label.n ? label : sf_aws_text(metadata->list.items[i], "name"));
        sf_map_set_bool(op->arena, column, "is_number", is_number(types[i]));
        columns[i] = column;
    }
    return sf_value_list(op->arena, columns, metadata->list.n);
}

/* As PostgreSQL writes them: the shortest digits that mean the same number. */
static struct sf_str float_text(struct sf_arena *arena, struct sf_str text, bool is_single)
{
    char out[48];
    double number = strtod(sf_str_dup(arena, text).p, NULL);
    if (!isfinite(number))
        return text;
    for (int digits = is_single ? 6 : 15; digits <= 17; digits++) {
        snprintf(out, sizeof out, "%.*g", digits, number);
        double back = strtod(out, NULL);
        if (is_single ? fabs((double)((float)back - (float)number)) <= 0 : fabs(back - number) <= 0)
            break;
    }
    return sf_str_dup(arena, sf_str_of(out));
}

/* Base64, as JSON carries bytes, to \x and hexadecimal digits. */
static struct sf_str bytes_text(struct sf_arena *arena, struct sf_str base64)
{
    unsigned char *bytes = sf_arena_alloc(arena, base64.n + 4);
    int n = EVP_DecodeBlock(bytes, (const unsigned char *)base64.p, (int)base64.n);
    for (size_t i = 0; n > 0 && i < 2 && base64.n > i && base64.p[base64.n - 1 - i] == '='; i++)
        n--;
    size_t count = n > 0 ? (size_t)n : 0;
    char *out = sf_arena_alloc(arena, 2 * count + 3);
    out[0] = '\\';
    out[1] = 'x';
    for (size_t i = 0; i < count; i++) {
        out[2 + 2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        out[3 + 2 * i] = "0123456789abcdef"[bytes[i] & 15];
    }
    return (struct sf_str){out, 2 * count + 2};
}

static const struct sf_value *cell_of(struct sf_op *op, const struct sf_value *field, struct sf_str type)
{
    const struct sf_value *blob = sf_map_getz(field, "blobValue"), *text = sf_data_api_field(op, field);
    if (blob && blob->type == SF_V_STRING)
        return sf_value_str(op->arena, bytes_text(op->arena, blob->s));
    bool is_single = sf_str_is(type, "float4");
    if (text->type == SF_V_STRING && sf_map_getz(field, "doubleValue") && (is_single || sf_str_is(type, "float8")))
        return sf_value_str(op->arena, float_text(op->arena, text->s, is_single));
    return text;
}

/* A growing list of rows. */
struct table {
    const struct sf_value **rows;
    size_t n, room, bytes;
    struct sf_str *types;
};

static enum sf_code add_row(struct sf_op *op, struct table *table, const struct sf_value *record, size_t width, struct sf_err *err)
{
    const struct sf_value **cells = SF_NEW_ARRAY(op->arena, width + 1, const struct sf_value *);
    for (size_t i = 0; i < width; i++) {
        cells[i] = i < record->list.n ? cell_of(op, record->list.items[i], table->types[i]) : &sf_null_value;
        table->bytes += sizeof(struct sf_value) + (cells[i]->type == SF_V_STRING ? cells[i]->s.n : 0);
    }
    if (table->bytes > MAX_ANSWER_BYTES) {
        sf_fail(err, SF_E_REFUSED, "the answer is too large to be held here: over %d MiB after %zu rows", MAX_ANSWER_BYTES >> 20,
                table->n);
        sf_hint(err, "add up or narrow it down in the statement, or UNLOAD it to a bucket");
        return SF_E_REFUSED;
    }
    if (table->n == table->room) {
        size_t room = table->room ? table->room * 2 : 64;
        const struct sf_value **more = SF_NEW_ARRAY(op->arena, room, const struct sf_value *);
        if (table->n)
            memcpy(more, table->rows, table->n * sizeof *more);
        table->rows = more;
        table->room = room;
    }
    table->rows[table->n++] = sf_value_list(op->arena, cells, width);
    return SF_OK;
}

/* All pages. The result is kept by AWS for a day. */
static enum sf_code fetch(struct sf_op *op, struct sf_str id, struct sf_answer *out, struct sf_err *err)
{
    struct table table = {0};
    struct sf_str token = SF_STR_NONE;
    out->columns = NULL;
    for (int page = 0; page < MAX_PAGES; page++) {
        struct sf_value *params = sf_value_map(op->arena);
        const struct sf_value *reply = NULL;
        sf_map_set_str(op->arena, params, "Id", id);
        if (token.n)
            sf_map_set_str(op->arena, params, "NextToken", token);
        const struct sf_aws_call call = {.service = SF_AWS_REDSHIFT_DATA, .action = "GetStatementResult", .params = params};
        enum sf_code rc = sf_aws_call(op, &call, &reply, err);
        if (rc == SF_E_ABSENT)
            return sf_fail(err, SF_E_REFUSED, "this statement gives no table");
        if (rc)
            return rc;
        if (!out->columns) {
            const struct sf_value *metadata = sf_aws_items(op->arena, reply, "ColumnMetadata");
            table.types = SF_NEW_ARRAY(op->arena, metadata->list.n + 1, struct sf_str);
            out->columns = columns_of(op, metadata, table.types);
        }
        const struct sf_value *records = sf_aws_items(op->arena, reply, "Records");
        for (size_t i = 0; !rc && i < records->list.n; i++)
            if (records->list.items[i]->type == SF_V_LIST)
                rc = add_row(op, &table, records->list.items[i], out->columns->list.n, err);
        if (rc)
            return rc;
        struct sf_str next = sf_aws_text(reply, "NextToken");
        if (!next.n) {
            out->rows = sf_value_list(op->arena, table.rows, table.n);
            return SF_OK;
        }
        if (sf_str_eq(next, token))
            break;
        token = next;
        sf_op_progress(op, "%zu rows", table.n);
    }
    return sf_fail(err, SF_E_REFUSED, "the pages of the answer come to no end");
}

/* --- through the Data API --- */

/* The schemas of the reader's stars, as the star set them for his own sessions: "report, public"; empty when he has no such
 * setting. Asked for on every way: only a session that he opened with his own password is sure to begin with them. */
static enum sf_code ask_path(struct sf_op *op, const struct sf_data_api *api, struct sf_str user, struct sf_str *path,
                             struct sf_err *err)
{
    static const char name[] = "search_path=";
    const struct sf_value *rows = NULL;
    *path = SF_STR_NONE;
    enum sf_code rc =
        sf_data_api_query(op, api,
                          sf_str_fmt(op->arena, "select array_to_string(useconfig, '|') from pg_user where usename = %s",
                                     sf_sql_text(op->arena, user).p),
                          &rows, err);
    if (rc)
        return rc;
    if (sf_rows_count(rows) == 0) {
        sf_fail(err, SF_E_UNAVAILABLE, "there is no user '%.*s' in the warehouse", SF_ARG(user));
        sf_hint(err, "sfapply makes the reader of a star");
        return SF_E_UNAVAILABLE;
    }
    struct sf_str all = sf_rows_text(rows, 0, 0);
    size_t at = sf_str_find(all, sf_str_of(name));
    if (at == SIZE_MAX)
        return SF_OK;
    struct sf_str rest = sf_str_slice(all, at + sizeof name - 1, all.n);
    *path = sf_str_slice(rest, 0, sf_str_find(rest, SF_STR("|")));
    return SF_OK;
}

static enum sf_code ask_api(struct sf_op *op, const struct sf_object *cluster, struct sf_str user, struct sf_str sql,
                            struct sf_answer *out, struct sf_err *err)
{
    struct sf_data_api api;
    struct sf_str statements[3], id = SF_STR_NONE, path = SF_STR_NONE;
    size_t n = 0, failed = 0;
    enum sf_code rc = sf_data_api_of(op, cluster, &api, err);
    if (!rc && sql.n > SF_DATA_API_MAX_BYTES)
        rc = sf_fail(err, SF_E_REFUSED, "a statement of %zu bytes: the Data API takes %d", sql.n, SF_DATA_API_MAX_BYTES);
    if (rc)
        return rc;
    if (api.secret.n || api.workgroup.n)
        statements[n++] = sf_str_fmt(op->arena, "set local session authorization %s", sf_sql_text(op->arena, user).p);
    else
        api.user = user;
    rc = ask_path(op, &api, user, &path, err);
    if (path.n)
        statements[n++] = sf_str_fmt(op->arena, "set search_path to %.*s", SF_ARG(path));
    statements[n++] = sql;
    if (!rc)
        rc = sf_data_api_submit(op, &api, statements, n, SF_STR_NONE, &id, &failed, err);
    return rc ? rc : fetch(op, sf_str_fmt(op->arena, "%.*s:%zu", SF_ARG(id), n), out, err);
}

/* A person's statement may be cut off without harm: it changes nothing. */
static enum sf_code as_reader_failed(struct sf_op *op, struct sf_str user, enum sf_code rc, struct sf_err *err)
{
    if (sf_op_is_cancelled(op))
        return sf_fail(err, SF_E_CANCELLED, "stopped; the statement was told to stop in the warehouse, too");
    bool is_stopped = strcmp(err->remote_code, SF_DATA_API_ABORTED) == 0 || strcmp(err->remote_code, "57014") == 0;
    if ((rc == SF_E_UNKNOWN || is_stopped) && sf_clock_ms() >= op->deadline_ms)
        sf_hint(err, "it took longer than a query may: add up or narrow it down");
    if (rc == SF_E_UNKNOWN)
        rc = SF_E_UNAVAILABLE;
    if (rc == SF_E_DENIED && strcmp(err->remote_code, "42501") == 0)
        sf_hint(err, "'%.*s' may only read the stars that name it as their reader", SF_ARG(user));
    err->code = rc;
    return rc;
}

enum sf_code sf_aws_warehouse_ask(struct sf_op *op, const struct sf_object *cluster, struct sf_str user, struct sf_str password,
                                  struct sf_str sql, struct sf_answer *out, struct sf_err *err)
{
    enum sf_code rc = sf_aws_check_question(sql, err);
    if (rc)
        return rc;
    bool is_direct = sf_str_is(sf_map_str(cluster->attrs, CLUSTER_CONNECTION), "direct");
    rc = is_direct ? sf_aws_direct_ask(op, cluster, user, password, sql, out, err) : ask_api(op, cluster, user, sql, out, err);
    return rc ? as_reader_failed(op, user, rc, err) : SF_OK;
}
