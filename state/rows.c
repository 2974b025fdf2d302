/* Resource rows and the small named values: what exists, as last known.
 *
 * A row is replaced whole, by (address, generation). Values are kept as canonical JSON, secrets in it as fingerprints. */
#include "state/internal.h"

static const char *const statuses[] = {
    [SF_ROW_CURRENT] = "current",
    [SF_ROW_INCOMPLETE] = "incomplete",
    [SF_ROW_DEPOSED] = "deposed",
};

static const struct sf_value empty_map = {.type = SF_V_MAP};
static const struct sf_value empty_list = {.type = SF_V_LIST};

/* --- values in and out of text columns, used by journal.c too --- */

enum sf_code sf_rows_bind_value(struct sf_store *store, sqlite3_stmt *query, int at, size_t text, const struct sf_value *v,
                                const char *empty, struct sf_err *err)
{
    if (!v) {
        sf_store_sql_bind(query, at, sf_str_of(empty));
        return SF_OK;
    }
    struct sf_buf *buf = &store->texts[text];
    sf_buf_clear(buf);
    sf_json_write(buf, v, SF_JSON_STATE);
    if (buf->overflow)
        return sf_fail(err, SF_E_DATA, "state '%s': a value is over %d MiB", store->path, SF_MAX_JSON_BYTES / (1024 * 1024));
    sf_store_sql_bind(query, at, sf_buf_str(buf));
    return SF_OK;
}

enum sf_code sf_rows_read_value(struct sf_store *store, sqlite3_stmt *query, int at, struct sf_arena *arena,
                                const struct sf_value **out, struct sf_err *err)
{
    struct sf_str text = {(const char *)sqlite3_column_text(query, at), (size_t)sqlite3_column_bytes(query, at)};
    if (sf_str_is(text, "{}")) {
        *out = &empty_map;
        return SF_OK;
    }
    if (sf_str_is(text, "[]")) {
        *out = &empty_list;
        return SF_OK;
    }
    /* the text may hold more than a message should show: say where it broke, not what it says */
    if (sf_json_parse(arena, sf_str_dup(arena, text), "state", SF_JSON_STATE, out, NULL) != SF_OK)
        return sf_copy_damaged(store->path, "a value in it is not JSON", err);
    return SF_OK;
}

/* --- rows --- */

static enum sf_code read_row(struct sf_store *store, sqlite3_stmt *query, struct sf_arena *arena, struct sf_row *row,
                             struct sf_err *err)
{
    row->address = sf_store_sql_text(query, 0, arena);
    row->generation = sqlite3_column_int64(query, 1);
    row->kind = sf_store_sql_text(query, 2, arena);
    row->id = sf_store_sql_text(query, 3, arena);
    const char *status = (const char *)sqlite3_column_text(query, 4);
    size_t i = 0;
    while (i < SF_COUNT(statuses) && (!status || strcmp(status, statuses[i]) != 0))
        i++;
    if (i == SF_COUNT(statuses))
        return sf_copy_damaged(store->path, "a resource in it has no known status", err);
    row->status = (enum sf_row_status)i;
    row->replace_order = sf_store_sql_text(query, 8, arena);
    row->with_container = sf_store_sql_text(query, 9, arena);
    row->container = sf_store_sql_text(query, 10, arena);
    row->is_protected = sqlite3_column_int(query, 11) != 0;
    row->on_remove = sf_store_sql_text(query, 12, arena);
    row->revision = sqlite3_column_int64(query, 13);
    enum sf_code rc = sf_rows_read_value(store, query, 5, arena, &row->attrs, err);
    if (!rc)
        rc = sf_rows_read_value(store, query, 6, arena, &row->refs, err);
    if (!rc)
        rc = sf_rows_read_value(store, query, 7, arena, &row->deps, err);
    return rc;
}

enum sf_code sf_store_rows(struct sf_store *store, struct sf_arena *arena, struct sf_row **rows, size_t *n, struct sf_err *err)
{
    *rows = NULL;
    *n = 0;
    sqlite3_stmt *query = sf_store_sql_query(store, SF_Q_ROWS, err);
    if (!query)
        return SF_E_IO;
    enum sf_code rc = SF_OK;
    size_t cap = 0;
    int step;
    while (!rc && (step = sqlite3_step(query)) == SQLITE_ROW) {
        *rows = sf_arena_grow(arena, *rows, *n, &cap, sizeof(**rows));
        rc = read_row(store, query, arena, &(*rows)[*n], err);
        *n += rc == SF_OK;
    }
    if (!rc && step != SQLITE_DONE)
        rc = sf_store_sql_fail(store->db, store->path, err);
    sqlite3_reset(query);
    return rc;
}

enum sf_code sf_store_put_row(struct sf_store *store, const struct sf_row *row, struct sf_err *err)
{
    enum sf_code rc = sf_store_will_change(store, err);
    sqlite3_stmt *query = rc ? NULL : sf_store_sql_query(store, SF_Q_PUT_ROW, err);
    if (!query)
        return rc ? rc : SF_E_IO;
    sf_store_sql_bind(query, 1, row->address);
    sqlite3_bind_int64(query, 2, row->generation);
    sf_store_sql_bind(query, 3, row->kind);
    sf_store_sql_bind(query, 4, row->id);
    sf_store_sql_bind(query, 5, sf_str_of(statuses[row->status]));
    rc = sf_rows_bind_value(store, query, 6, 0, row->attrs, "{}", err);
    if (!rc)
        rc = sf_rows_bind_value(store, query, 7, 1, row->refs, "{}", err);
    if (!rc)
        rc = sf_rows_bind_value(store, query, 8, 2, row->deps, "[]", err);
    if (rc)
        return rc;
    sf_store_sql_bind(query, 9, row->replace_order);
    sf_store_sql_bind(query, 10, row->with_container);
    sf_store_sql_bind(query, 11, row->container);
    sqlite3_bind_int(query, 12, row->is_protected);
    sf_store_sql_bind(query, 13, row->on_remove);
    sqlite3_bind_int64(query, 14, store->revision + 1);
    return sf_store_sql_run(store, query, err);
}

enum sf_code sf_store_delete_row(struct sf_store *store, struct sf_str address, int64_t generation, struct sf_err *err)
{
    enum sf_code rc = sf_store_will_change(store, err);
    sqlite3_stmt *query = rc ? NULL : sf_store_sql_query(store, SF_Q_DELETE_ROW, err);
    if (!query)
        return rc ? rc : SF_E_IO;
    sf_store_sql_bind(query, 1, address);
    sqlite3_bind_int64(query, 2, generation);
    return sf_store_sql_run(store, query, err);
}

/* --- move --- */

/* `v` with every string `from` in it turned to `to`; `v` itself when there is none. Refs and deps are lists of addresses and maps
 * of them, so every string is an address. */
static const struct sf_value *rename_in(struct sf_arena *arena, const struct sf_value *v, struct sf_str from, struct sf_str to)
{
    if (!v)
        return v;
    if (v->type == SF_V_STRING && sf_str_eq(v->s, from))
        return sf_value_str(arena, to);
    size_t n = v->type == SF_V_LIST ? v->list.n : v->type == SF_V_MAP ? v->map.n : 0;
    struct sf_value *renamed = NULL;
    for (size_t i = 0; i < n; i++) {
        const struct sf_value *item = v->type == SF_V_LIST ? v->list.items[i] : v->map.pairs[i].value;
        const struct sf_value *other = rename_in(arena, item, from, to);
        if (other == item)
            continue;
        if (!renamed) {
            renamed = SF_NEW(arena, struct sf_value);
            *renamed = *v;
            if (v->type == SF_V_LIST) {
                renamed->list.items = SF_NEW_ARRAY(arena, n, const struct sf_value *);
                memcpy(renamed->list.items, v->list.items, n * sizeof(const struct sf_value *));
            } else {
                renamed->map.pairs = SF_NEW_ARRAY(arena, n, struct sf_pair);
                memcpy(renamed->map.pairs, v->map.pairs, n * sizeof(*v->map.pairs));
                renamed->map.cap = n;
            }
        }
        if (v->type == SF_V_LIST)
            renamed->list.items[i] = other;
        else
            renamed->map.pairs[i].value = other;
    }
    return renamed ? renamed : v;
}

static enum sf_code has_address(struct sf_store *store, struct sf_str address, bool *answer, struct sf_err *err)
{
    sqlite3_stmt *query = sf_store_sql_query(store, SF_Q_HAS_ADDRESS, err);
    if (!query)
        return SF_E_IO;
    sf_store_sql_bind(query, 1, address);
    enum sf_code rc = SF_OK;
    if (sqlite3_step(query) == SQLITE_ROW)
        *answer = sqlite3_column_int(query, 0) != 0;
    else
        rc = sf_store_sql_fail(store->db, store->path, err);
    sqlite3_reset(query);
    return rc;
}

static enum sf_code move_row(struct sf_store *store, struct sf_arena *arena, struct sf_row row, struct sf_str from,
                             struct sf_str to, struct sf_err *err)
{
    struct sf_row was = row;
    enum sf_code rc = SF_OK;
    if (sf_str_eq(row.address, from)) {
        row.address = to;
        rc = sf_store_delete_row(store, from, row.generation, err);
    }
    if (sf_str_eq(row.container, from))
        row.container = to;
    row.refs = rename_in(arena, row.refs, from, to);
    row.deps = rename_in(arena, row.deps, from, to);
    bool is_same = sf_str_eq(row.address, was.address) && sf_str_eq(row.container, was.container) && row.refs == was.refs &&
                   row.deps == was.deps;
    return rc || is_same ? rc : sf_store_put_row(store, &row, err);
}

static enum sf_code move_intent(struct sf_store *store, struct sf_arena *arena, struct sf_intent intent, struct sf_str from,
                                struct sf_str to, struct sf_err *err)
{
    struct sf_intent was = intent;
    if (sf_str_eq(intent.address, from))
        intent.address = to;
    intent.refs = rename_in(arena, intent.refs, from, to);
    intent.deps = rename_in(arena, intent.deps, from, to);
    bool is_same = sf_str_eq(intent.address, was.address) && intent.refs == was.refs && intent.deps == was.deps;
    return is_same ? SF_OK : sf_store_put_intent(store, &intent, err);
}

static enum sf_code move_all(struct sf_store *store, struct sf_arena *arena, struct sf_str from, struct sf_str to,
                             struct sf_err *err)
{
    struct sf_row *rows = NULL;
    struct sf_intent *intents = NULL;
    size_t n_rows = 0, n_intents = 0;
    enum sf_code rc = sf_store_rows(store, arena, &rows, &n_rows, err);
    if (!rc)
        rc = sf_store_intents(store, arena, &intents, &n_intents, err);
    for (size_t i = 0; !rc && i < n_rows; i++)
        rc = move_row(store, arena, rows[i], from, to, err);
    for (size_t i = 0; !rc && i < n_intents; i++)
        rc = move_intent(store, arena, intents[i], from, to, err);
    return rc ? rc : sf_seal_move(store, from, to, err);
}

enum sf_code sf_store_move(struct sf_store *store, struct sf_str from, struct sf_str to, struct sf_err *err)
{
    enum sf_code rc = sf_store_will_change(store, err);
    bool has_from = false, has_to = false;
    if (!rc)
        rc = has_address(store, from, &has_from, err);
    if (!rc)
        rc = has_address(store, to, &has_to, err);
    if (rc)
        return rc;
    if (!has_from)
        return sf_fail(err, SF_E_ABSENT, "there is no '%.*s' in the state", SF_ARG(from));
    if (has_to) {
        sf_fail(err, SF_E_CONFLICT, "'%.*s' is in the state already", SF_ARG(to));
        sf_hint(err, "move to a name that is free");
        return SF_E_CONFLICT;
    }
    struct sf_arena *arena = sf_arena_new();
    rc = move_all(store, arena, from, to, err);
    sf_arena_free(arena);
    return rc;
}

/* --- meta --- */

enum sf_code sf_store_get_meta(struct sf_store *store, struct sf_arena *arena, const char *name, const struct sf_value **value,
                               struct sf_err *err)
{
    *value = NULL;
    sqlite3_stmt *query = sf_store_sql_query(store, SF_Q_GET_META, err);
    if (!query)
        return SF_E_IO;
    sf_store_sql_bind(query, 1, sf_str_of(name));
    enum sf_code rc = SF_OK;
    int step = sqlite3_step(query);
    if (step == SQLITE_ROW)
        rc = sf_rows_read_value(store, query, 0, arena, value, err);
    else if (step != SQLITE_DONE)
        rc = sf_store_sql_fail(store->db, store->path, err);
    sqlite3_reset(query);
    return rc;
}

enum sf_code sf_store_put_meta(struct sf_store *store, const char *name, const struct sf_value *value, struct sf_err *err)
{
    bool had_changed = store->has_changed;
    enum sf_code rc = sf_store_will_change(store, err);
    sqlite3_stmt *query = rc ? NULL : sf_store_sql_query(store, SF_Q_PUT_META, err);
    if (!query)
        return rc ? rc : SF_E_IO;
    sf_store_sql_bind(query, 1, sf_str_of(name));
    rc = sf_rows_bind_value(store, query, 2, 0, value, "null", err);
    if (!rc)
        rc = sf_store_sql_run(store, query, err);
    if (!rc && sqlite3_changes(store->db) == 0) /* every run puts its outputs: the same again is no change */
        store->has_changed = had_changed;
    return rc;
}
