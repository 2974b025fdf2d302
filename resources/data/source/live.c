/* See live.h. */
#include "resources/data/source/live.h"

#include "resources/data/data_file.h"
#include "resources/data/source/doors.h"

#include <inttypes.h>
#include <stdlib.h>

enum { PAGE_ROWS = 50000, MAX_PAGE_ROWS = 10000000, MAX_URL_BYTES = 2000 };

static const char default_hosts[] = "https://data.sf.gov,https://data.sfgov.org";

static const struct {
    const char *name;
    enum sf_datasf_door door;
} doors[] = {{"auto", SF_DOOR_AUTO}, {"bulk", SF_DOOR_BULK}, {"soda2", SF_DOOR_SODA2}, {"soda3", SF_DOOR_SODA3}};

/* What a source says, once read. */
struct live {
    struct sf_datasf table; /* id is empty for a url */
    struct sf_str url, name;
    bool needs_final_newline;
};

static enum sf_code fail(const struct sf_value *at, struct sf_err *err, const char *what, const char *hint)
{
    sf_fail(err, SF_E_CONFIG, "source: %s", what);
    sf_hint(err, "%s", hint);
    if (err)
        err->where = at->mark;
    return SF_E_CONFIG;
}

bool sf_live_is_source(const struct sf_value *source)
{
    return sf_map_getz(source, "datasf") || sf_map_getz(source, "url");
}

static bool is_table_id(struct sf_str id)
{
    for (size_t i = 0; i < id.n; i++) {
        bool is_letter = (id.p[i] >= 'a' && id.p[i] <= 'z') || (id.p[i] >= '0' && id.p[i] <= '9');
        if (i == 4 ? id.p[i] != '-' : !is_letter)
            return false;
    }
    return id.n == 9;
}

/* SF_DATASF_HOSTS names others, for tests and for other cities' portals. */
static void read_hosts(struct sf_arena *arena, struct sf_datasf *table)
{
    const char *given = getenv("SF_DATASF_HOSTS");
    struct sf_str list = sf_str_dup(arena, sf_str_of(given && *given ? given : default_hosts));
    while (list.n > 0 && table->n_hosts < SF_COUNT(table->hosts)) {
        size_t comma = sf_str_find(list, SF_STR(","));
        struct sf_str host = sf_str_trim(sf_str_slice(list, 0, comma));
        while (sf_str_ends(host, SF_STR("/")))
            host.n--;
        if (host.n && sf_str_find(host, SF_STR("://")) == SIZE_MAX)
            host = sf_str_fmt(arena, "https://%.*s", SF_ARG(host));
        if (host.n)
            table->hosts[table->n_hosts++] = host;
        list = comma == SIZE_MAX ? SF_STR_NONE : sf_str_slice(list, comma + 1, list.n);
    }
}

static enum sf_code read_table(struct sf_arena *arena, const struct sf_value *source, struct live *live, struct sf_err *err)
{
    static const char hint[] = "write {datasf: bpnb-jwfb}: the id is the last part of the table's address";
    const struct sf_value *id = sf_map_getz(source, "datasf"), *door = sf_map_getz(source, "door"),
                          *rows = sf_map_getz(source, "page_rows");
    int64_t page_rows = PAGE_ROWS;
    if (id->type != SF_V_STRING || !is_table_id(id->s))
        return fail(source, err, "'datasf' must be the id of a table", hint);
    live->table = (struct sf_datasf){.id = id->s};
    bool is_door = !door;
    for (size_t i = 0; door && i < SF_COUNT(doors); i++) {
        if (door->type == SF_V_STRING && sf_str_is(door->s, doors[i].name)) {
            live->table.door = doors[i].door;
            is_door = true;
        }
    }
    if (!is_door)
        return fail(source, err, "'door' is one of auto, bulk, soda2, soda3", "leave it out: the best one is found");
    if (rows && rows->type == SF_V_INT)
        page_rows = rows->i;
    else if (rows && (rows->type != SF_V_STRING || !sf_str_int64(rows->s, &page_rows)))
        page_rows = 0;
    if (page_rows < 1 || page_rows > MAX_PAGE_ROWS)
        return fail(source, err, "'page_rows' is a number from 1 to 10000000", "leave it out: pages have 50000 rows");
    live->table.page_rows = (uint64_t)page_rows;
    read_hosts(arena, &live->table);
    struct sf_str all =
        sf_str_fmt(arena, "datasf %.*s door %d rows %" PRIu64, SF_ARG(id->s), (int)live->table.door, live->table.page_rows);
    for (size_t i = 0; i < live->table.n_hosts; i++)
        all = sf_str_fmt(arena, "%.*s %.*s", SF_ARG(all), SF_ARG(live->table.hosts[i]));
    live->name = sf_str_fmt(arena, "%.*s-%.8s", SF_ARG(id->s), sf_data_digest16(arena, all).p);
    return SF_OK;
}

static enum sf_code read_url(struct sf_arena *arena, const struct sf_value *source, struct live *live, struct sf_err *err)
{
    const struct sf_value *url = sf_map_getz(source, "url");
    if (url->type != SF_V_STRING || url->s.n == 0 || url->s.n > MAX_URL_BYTES || sf_str_find(url->s, SF_STR("://")) == SIZE_MAX)
        return fail(source, err, "'url' must be an address", "write {url: https://host/rows.csv}");
    size_t host = sf_str_find(url->s, SF_STR("://")) + 3, at = sf_str_find(url->s, SF_STR("@"));
    size_t path = sf_str_find(sf_str_slice(url->s, host, url->s.n), SF_STR("/"));
    if (at != SIZE_MAX && (path == SIZE_MAX || at < host + path))
        return fail(source, err, "'url' may hold no user name or password: it is shown in plans and kept in state",
                    "use an address that needs none; if that password is in use, it is known to this stack file now");
    live->url = url->s;
    live->name = sf_str_fmt(arena, "url-%.*s", SF_ARG(sf_data_digest16(arena, url->s)));
    const struct sf_value *newline = sf_map_getz(source, "ends_with_newline");
    live->needs_final_newline =
        newline && ((newline->type == SF_V_BOOL && newline->b) || (newline->type == SF_V_STRING && sf_str_is(newline->s, "true")));
    return SF_OK;
}

static enum sf_code read_source(struct sf_arena *arena, const struct sf_value *source, struct live *live, struct sf_err *err)
{
    static const char *const table_keys[] = {"datasf", "door", "page_rows"}, *const url_keys[] = {"url", "ends_with_newline"};
    bool is_table = sf_map_getz(source, "datasf") != NULL;
    const char *const *keys = is_table ? table_keys : url_keys;
    size_t n_keys = is_table ? SF_COUNT(table_keys) : SF_COUNT(url_keys);
    *live = (struct live){.needs_final_newline = false};
    for (size_t i = 0; i < source->map.n; i++) {
        bool is_known = false;
        for (size_t k = 0; k < n_keys; k++)
            is_known = is_known || sf_str_is(source->map.pairs[i].key, keys[k]);
        if (!is_known)
            return fail(source, err, sf_str_fmt(arena, "'%.*s' does not go with '%s'", SF_ARG(source->map.pairs[i].key), keys[0]).p,
                        is_table ? "write {datasf: bpnb-jwfb}" : "write {url: https://host/rows.csv}");
    }
    return is_table ? read_table(arena, source, live, err) : read_url(arena, source, live, err);
}

static bool is_cancelled(void *ctx)
{
    return sf_op_is_cancelled(ctx);
}

static enum sf_code fetch_locked(struct sf_op *op, const struct live *live, const struct sf_rules *rules,
                                 struct sf_snapshot *snapshot, struct sf_err *err)
{
    const char *token = getenv("SF_APP_TOKEN");
    bool is_table = live->table.id.n > 0;
    struct sf_fetch fetch = {.op = op,
                             .http = sf_http_new(),
                             .token = is_table ? sf_str_trim(sf_str_of(token)) : SF_STR_NONE,
                             .what = is_table ? live->table.id : live->url};
    enum sf_code rc = is_table ? sf_datasf_fetch(&fetch, &live->table, live->name, rules, snapshot, err)
                               : sf_url_fetch(&fetch, live->url, live->name, rules, snapshot, err);
    sf_http_free(fetch.http);
    return rc;
}

enum sf_code sf_live_fetch(struct sf_op *op, const struct sf_value *source, const struct sf_rules *rules,
                           struct sf_conform_source *out, struct sf_err *err)
{
    struct live live;
    struct sf_snapshot snapshot;
    enum sf_code rc = read_source(op->arena, source, &live, err);
    if (rc)
        return rc;
    bool is_settled = !op->is_planning && sf_snapshot_find(op->arena, op->site->cache_dir, live.name, &snapshot);
    if (!is_settled) {
        int lock;
        rc = sf_snapshot_lock(op->arena, op->site->cache_dir, live.name, is_cancelled, op, &lock, err);
        if (rc)
            return rc;
        rc = fetch_locked(op, &live, rules, &snapshot, err);
        sf_snapshot_unlock(lock);
    }
    if (rc)
        return rc;
    *out = (struct sf_conform_source){
        .path = snapshot.path, .id = snapshot.id, .needs_final_newline = live.needs_final_newline, .rows = snapshot.rows};
    return SF_OK;
}

void sf_live_forget(struct sf_op *op, const struct sf_value *source)
{
    struct live live;
    if (read_source(op->arena, source, &live, NULL) == SF_OK)
        sf_snapshot_forget(op->arena, op->site->cache_dir, live.name);
}
