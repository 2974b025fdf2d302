/* The journal: what was about to happen (intents) and what happened (history).
 *
 * An intent is committed before its call and closed in the transaction that records the outcome; one that is still there when a
 * run starts is a call whose outcome nobody wrote down. History is append-only and keeps the newest 10,000 entries. */
#include "state/internal.h"

#include "engine/core/clock.h"

enum {
    HISTORY_KEPT = 10000,
    HISTORY_PRUNE_EVERY = 256, /* entries between two prunings, so that each costs next to nothing */
};

static enum sf_code read_intent(struct sf_store *store, sqlite3_stmt *query, struct sf_arena *arena, struct sf_intent *intent,
                                struct sf_err *err)
{
    intent->id = sf_store_sql_text(query, 0, arena);
    intent->address = sf_store_sql_text(query, 1, arena);
    intent->generation = sqlite3_column_int64(query, 2);
    intent->kind = sf_store_sql_text(query, 3, arena);
    intent->verb = sf_store_sql_text(query, 4, arena);
    intent->call = sf_store_sql_text(query, 5, arena);
    intent->made_id = sf_store_sql_text(query, 9, arena);
    intent->run = sf_store_sql_text(query, 10, arena);
    intent->opened_ms = sqlite3_column_int64(query, 11);
    enum sf_code rc = sf_rows_read_value(store, query, 6, arena, &intent->want, err);
    if (!rc)
        rc = sf_rows_read_value(store, query, 7, arena, &intent->refs, err);
    if (!rc)
        rc = sf_rows_read_value(store, query, 8, arena, &intent->deps, err);
    return rc;
}

enum sf_code sf_store_intents(struct sf_store *store, struct sf_arena *arena, struct sf_intent **intents, size_t *n,
                              struct sf_err *err)
{
    *intents = NULL;
    *n = 0;
    sqlite3_stmt *query = sf_store_sql_query(store, SF_Q_INTENTS, err);
    if (!query)
        return SF_E_IO;
    enum sf_code rc = SF_OK;
    size_t cap = 0;
    int step;
    while (!rc && (step = sqlite3_step(query)) == SQLITE_ROW) {
        *intents = sf_arena_grow(arena, *intents, *n, &cap, sizeof(**intents));
        rc = read_intent(store, query, arena, &(*intents)[*n], err);
        *n += rc == SF_OK;
    }
    if (!rc && step != SQLITE_DONE)
        rc = sf_store_sql_fail(store->db, store->path, err);
    sqlite3_reset(query);
    return rc;
}

enum sf_code sf_store_put_intent(struct sf_store *store, const struct sf_intent *intent, struct sf_err *err)
{
    enum sf_code rc = sf_store_will_change(store, err);
    sqlite3_stmt *query = rc ? NULL : sf_store_sql_query(store, SF_Q_PUT_INTENT, err);
    if (!query)
        return rc ? rc : SF_E_IO;
    sf_store_sql_bind(query, 1, intent->id);
    sf_store_sql_bind(query, 2, intent->address);
    sqlite3_bind_int64(query, 3, intent->generation);
    sf_store_sql_bind(query, 4, intent->kind);
    sf_store_sql_bind(query, 5, intent->verb);
    sf_store_sql_bind(query, 6, intent->call);
    rc = sf_rows_bind_value(store, query, 7, 0, intent->want, "{}", err);
    if (!rc)
        rc = sf_rows_bind_value(store, query, 8, 1, intent->refs, "{}", err);
    if (!rc)
        rc = sf_rows_bind_value(store, query, 9, 2, intent->deps, "[]", err);
    if (rc)
        return rc;
    sf_store_sql_bind(query, 10, intent->made_id);
    sf_store_sql_bind(query, 11, intent->run);
    sqlite3_bind_int64(query, 12, intent->opened_ms);
    return sf_store_sql_run(store, query, err);
}

enum sf_code sf_store_close_intent(struct sf_store *store, struct sf_str id, struct sf_err *err)
{
    enum sf_code rc = sf_store_will_change(store, err);
    sqlite3_stmt *query = rc ? NULL : sf_store_sql_query(store, SF_Q_CLOSE_INTENT, err);
    if (!query)
        return rc ? rc : SF_E_IO;
    sf_store_sql_bind(query, 1, id);
    return sf_store_sql_run(store, query, err);
}

enum sf_code sf_store_add_history(struct sf_store *store, struct sf_str run, struct sf_str address, struct sf_str event,
                                  const struct sf_value *detail, struct sf_err *err)
{
    enum sf_code rc = sf_store_will_change(store, err);
    sqlite3_stmt *query = rc ? NULL : sf_store_sql_query(store, SF_Q_ADD_HISTORY, err);
    if (!query)
        return rc ? rc : SF_E_IO;
    sqlite3_bind_int64(query, 1, sf_clock_wall_ms());
    sf_store_sql_bind(query, 2, run);
    sf_store_sql_bind(query, 3, address);
    sf_store_sql_bind(query, 4, event);
    rc = sf_rows_bind_value(store, query, 5, 0, detail, "{}", err);
    if (!rc)
        rc = sf_store_sql_run(store, query, err);
    int64_t newest = sqlite3_last_insert_rowid(store->db);
    if (rc || newest % HISTORY_PRUNE_EVERY != 0 || newest <= HISTORY_KEPT)
        return rc;
    query = sf_store_sql_query(store, SF_Q_PRUNE_HISTORY, err);
    if (!query)
        return SF_E_IO;
    sqlite3_bind_int64(query, 1, newest - HISTORY_KEPT);
    return sf_store_sql_run(store, query, err);
}

static enum sf_code read_entry(struct sf_store *store, sqlite3_stmt *query, struct sf_arena *arena, const struct sf_value **out,
                               struct sf_err *err)
{
    const struct sf_value *detail = NULL;
    enum sf_code rc = sf_rows_read_value(store, query, 4, arena, &detail, err);
    struct sf_value *entry = sf_value_map(arena);
    sf_map_set_str(arena, entry, "at", sf_clock_rfc3339(arena, sqlite3_column_int64(query, 0)));
    sf_map_set_str(arena, entry, "run", sf_store_sql_text(query, 1, arena));
    sf_map_set_str(arena, entry, "address", sf_store_sql_text(query, 2, arena));
    sf_map_set_str(arena, entry, "event", sf_store_sql_text(query, 3, arena));
    if (!rc)
        sf_map_set(arena, entry, SF_STR("detail"), detail);
    *out = entry;
    return rc;
}

enum sf_code sf_store_history(struct sf_store *store, struct sf_arena *arena, struct sf_str address, size_t limit,
                              const struct sf_value **list, struct sf_err *err)
{
    if (limit > HISTORY_KEPT)
        limit = HISTORY_KEPT;
    *list = sf_value_list(arena, NULL, 0);
    sqlite3_stmt *query = sf_store_sql_query(store, SF_Q_HISTORY, err);
    if (!query)
        return SF_E_IO;
    sqlite3_bind_int64(query, 1, HISTORY_KEPT);
    sf_store_sql_bind(query, 2, address);
    sqlite3_bind_int64(query, 3, (sqlite3_int64)limit);
    const struct sf_value **entries = SF_NEW_ARRAY(arena, limit, const struct sf_value *);
    enum sf_code rc = SF_OK;
    size_t n = 0;
    int step = SQLITE_DONE;
    while (!rc && (step = sqlite3_step(query)) == SQLITE_ROW && n < limit)
        rc = read_entry(store, query, arena, &entries[n++], err);
    if (!rc && step != SQLITE_DONE)
        rc = sf_store_sql_fail(store->db, store->path, err);
    sqlite3_reset(query);
    if (!rc)
        *list = sf_value_list(arena, entries, n);
    return rc;
}
