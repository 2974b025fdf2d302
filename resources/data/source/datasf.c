/* A table of a Socrata portal. See doors.h.
 *
 * Metadata first: if they are those of the kept snapshot, that is all. Else the rows come through the first door that opens, and
 * count only if the metadata are the same afterwards and as many rows came as the portal counts. Doors: the export of the whole
 * table in one piece; SODA 2.1 in pages, year by year (pages.c); SODA 3 likewise, which wants a token. Source: dev.socrata.com,
 * "Response codes". */
#include "resources/data/source/visit.h"

#include "engine/core/json.h"

#include <inttypes.h>

enum { TIMES = 3, ROUNDS = 4, FIRST_ROUND_WAIT_MS = 1000 };

static bool is_down(enum sf_code rc)
{
    return rc == SF_E_UNAVAILABLE || rc == SF_E_UNKNOWN;
}

/* --- metadata --- */

static enum sf_code ask_host(struct sf_visit *v, struct sf_str host, struct sf_metadata *metadata, struct sf_err *err)
{
    struct sf_arena *arena = v->fetch->op->arena;
    struct sf_http_reply reply;
    struct sf_fetch_target target = {.url = sf_str_fmt(arena, "%.*s/api/views/%.*s.json", SF_ARG(host), SF_ARG(v->table->id)),
                                     .is_one_try = true};
    enum sf_code rc = sf_fetch_small(v->fetch, &target, &reply, err);
    if (!rc && (rc = sf_metadata_read(arena, reply.body, v->rules, metadata, err)))
        sf_context(err, "'%.*s'", SF_ARG(target.url));
    return rc;
}

/* Asks the hosts in turn, again and again while they are only down. */
static enum sf_code ask_all_hosts(struct sf_visit *v, struct sf_err *err)
{
    const struct sf_datasf *table = v->table;
    enum sf_code rc = sf_fail(err, SF_E_CONFIG, "SF_DATASF_HOSTS names no host");
    for (int round = 0; round < ROUNDS; round++) {
        bool is_any_down = false;
        for (size_t i = 0; i < table->n_hosts; i++) {
            struct sf_err now = {.code = SF_OK};
            enum sf_code answer = ask_host(v, table->hosts[i], &v->metadata, &now);
            v->host = table->hosts[i];
            if (!answer || answer == SF_E_CANCELLED || answer == SF_E_AUTH) {
                *err = now;
                return answer;
            }
            is_any_down |= is_down(answer);
            if (i == 0 || is_down(rc)) { /* a host that answers says more than one that is down */
                rc = answer;
                *err = now;
            }
        }
        if (!is_any_down || !is_down(rc) || round == ROUNDS - 1)
            break;
        enum sf_code waited = sf_fetch_wait(v->fetch, FIRST_ROUND_WAIT_MS << round, "the portal cannot be reached", err);
        if (waited)
            return waited;
    }
    if (is_down(rc))
        sf_hint(err, "check the network, or download rows.csv in a browser and say -var 'source={file: rows.csv}'");
    /* all patience is used up: nobody above needs to try again */
    return rc == SF_E_UNAVAILABLE ? SF_E_REFUSED : rc == SF_E_ABSENT ? SF_E_CONFIG : rc;
}

/* --- doors --- */

enum sf_code sf_visit_open_partial(struct sf_visit *v, bool is_paged, struct sf_str what, struct sf_str *tag, struct sf_err *err)
{
    int stamp = v->rules->as_of_column;
    sf_partial_close(v->partial);
    v->partial = NULL;
    sf_meter_close(&v->meter);
    sf_meter_open(&v->meter, stamp >= 0 ? &v->rules->columns[stamp] : NULL);
    enum sf_code rc =
        sf_partial_open(v->fetch->op->arena, v->fetch->op->site->cache_dir, v->name, is_paged, &v->meter, &v->partial, err);
    if (rc)
        return rc;
    struct sf_str was = sf_partial_what(v->partial);
    size_t line = sf_str_find(was, SF_STR("\n"));
    *tag = line == SIZE_MAX ? SF_STR_NONE : sf_str_slice(was, line + 1, was.n);
    if (line != SIZE_MAX && sf_str_eq(sf_str_slice(was, 0, line), what))
        return SF_OK;
    *tag = SF_STR_NONE;
    return sf_partial_begin(v->partial, sf_str_fmt(v->fetch->op->arena, "%.*s\n", SF_ARG(what)), err);
}

static enum sf_code fetch_bulk(struct sf_visit *v, struct sf_err *err)
{
    struct sf_arena *arena = v->fetch->op->arena;
    struct sf_str what = sf_str_fmt(arena, "bulk %.*s", SF_ARG(v->metadata.identity)), tag;
    enum sf_code rc = sf_visit_open_partial(v, false, what, &tag, err);
    if (rc)
        return rc;
    bool is_date = tag.n == 0 || tag.p[0] != '"';
    struct sf_fetch_target target = {
        .url = sf_str_fmt(arena, "%.*s/api/views/%.*s/rows.csv?accessType=DOWNLOAD", SF_ARG(v->host), SF_ARG(v->table->id)),
        .is_one_try = v->table->door == SF_DOOR_AUTO,
        .may_be_packed = true,
        .what = what};
    rc = sf_fetch_body(v->fetch, &target, v->partial, &v->meter, &tag, &is_date, err);
    if (rc == SF_E_DATA)
        sf_context(err, "'%.*s'", SF_ARG(target.url));
    return rc;
}

/* The first door that opens. What is said about the last one counts, unless an earlier one says more. */
static enum sf_code fetch_rows(struct sf_visit *v, struct sf_err *err)
{
    enum sf_datasf_door door = v->table->door;
    bool is_auto = door == SF_DOOR_AUTO;
    enum sf_code rc = SF_E_DENIED;
    for (enum sf_datasf_door at = SF_DOOR_BULK; at <= SF_DOOR_SODA3; at++) {
        if (is_auto ? at == SF_DOOR_SODA3 && v->fetch->token.n == 0 : at != door)
            continue;
        rc = at == SF_DOOR_BULK ? fetch_bulk(v, err) : sf_visit_pages(v, at == SF_DOOR_SODA3, err);
        bool is_closed = rc == SF_E_DENIED || rc == SF_E_ABSENT || rc == SF_E_REFUSED || is_down(rc);
        if (!is_closed)
            break;
    }
    return rc == SF_E_ABSENT ? SF_E_REFUSED : rc;
}

/* --- is it whole --- */

/* What the portal counts now; 0 when it does not tell. */
static uint64_t count_rows(struct sf_visit *v)
{
    struct sf_arena *arena = v->fetch->op->arena;
    struct sf_http_reply reply;
    struct sf_err ignored;
    const struct sf_value *list;
    int64_t n = 0;
    struct sf_fetch_target target = {
        .url = sf_str_fmt(arena, "%.*s/resource/%.*s.json?%%24select=count(*)", SF_ARG(v->host), SF_ARG(v->table->id))};
    bool is_told = sf_fetch_small(v->fetch, &target, &reply, &ignored) == SF_OK &&
                   sf_json_parse(arena, reply.body, "count", SF_JSON_PLAIN, &list, NULL) == SF_OK && list->type == SF_V_LIST &&
                   list->list.n == 1 && list->list.items[0]->type == SF_V_MAP && list->list.items[0]->map.n == 1;
    const struct sf_value *count = is_told ? list->list.items[0]->map.pairs[0].value : NULL;
    if (count && count->type == SF_V_INT)
        n = count->i;
    else if (!count || count->type != SF_V_STRING || !sf_str_int64(count->s, &n))
        return 0;
    return n > 0 ? (uint64_t)n : 0;
}

/* The profile in the metadata can lag behind: the portal's own count decides then. SF_E_STALE: not all rows came. */
static enum sf_code check_count(struct sf_visit *v, struct sf_err *err)
{
    uint64_t rows = v->meter.rows;
    if (rows == v->metadata.rows || (v->counted && rows == v->counted))
        return SF_OK;
    uint64_t counted = count_rows(v);
    if (counted == rows)
        return SF_OK;
    if (counted == 0 && v->metadata.rows == 0) {
        sf_op_warn(v->fetch->op,
                   "the portal does not say how many rows '%.*s' has: %" PRIu64 " came, and that could not be checked",
                   SF_ARG(v->table->id), rows);
        return SF_OK;
    }
    return sf_fail(err, SF_E_STALE, "%" PRIu64 " rows came, but the portal counts %" PRIu64, rows,
                   counted ? counted : v->metadata.rows);
}

static enum sf_code check_unchanged(struct sf_visit *v, struct sf_err *err)
{
    struct sf_metadata now;
    enum sf_code rc = ask_host(v, v->host, &now, err);
    if (rc)
        return rc;
    return sf_str_eq(now.identity, v->metadata.identity) ? SF_OK : sf_fail(err, SF_E_STALE, "the table was replaced meanwhile");
}

static enum sf_code keep(struct sf_visit *v, struct sf_snapshot *out, struct sf_err *err)
{
    struct sf_arena *arena = v->fetch->op->arena;
    enum sf_code rc = sf_partial_finish(v->partial, arena, out, err);
    if (rc)
        return rc;
    struct sf_value *about = sf_value_map(arena);
    sf_map_set_str(arena, about, "table", v->table->id);
    sf_map_set_str(arena, about, "host", v->host);
    sf_map_set_str(arena, about, "identity", v->metadata.identity);
    sf_map_set_int(arena, about, "updated_at", v->metadata.updated_at);
    sf_map_set(arena, about, SF_STR("columns"), v->metadata.columns);
    out->about = about;
    return sf_snapshot_point(arena, v->fetch->op->site->cache_dir, v->name, out, err);
}

/* One time from metadata to metadata. SF_E_STALE: torn. */
static enum sf_code fetch_once(struct sf_visit *v, struct sf_snapshot *out, struct sf_err *err)
{
    v->fetch->rows = v->metadata.rows;
    enum sf_code rc = fetch_rows(v, err);
    if (!rc)
        rc = check_unchanged(v, err);
    if (!rc)
        rc = check_count(v, err);
    if (!rc)
        return keep(v, out, err);
    if (rc == SF_E_STALE && v->partial) { /* nothing of it is taken up again */
        struct sf_err ignored;
        enum sf_code begun = sf_partial_begin(v->partial, SF_STR_NONE, &ignored);
        rc = begun ? begun : rc;
    }
    return rc;
}

static enum sf_code fetch_whole(struct sf_visit *v, const struct sf_value *columns_before, struct sf_snapshot *out,
                                struct sf_err *err)
{
    for (int time = 1;; time++) {
        enum sf_code rc = sf_metadata_check(v->fetch->op, v->table->id, &v->metadata, v->rules, columns_before, err);
        if (!rc)
            rc = fetch_once(v, out, err);
        if (rc != SF_E_STALE)
            return rc;
        if (time == TIMES) {
            sf_context(err, "'%.*s' came torn %d times", SF_ARG(v->table->id), TIMES);
            sf_hint(err, "the portal is replacing the table: run the same command again in an hour; what was published stays");
            err->code = SF_E_UNKNOWN;
            return SF_E_UNKNOWN;
        }
        rc = ask_all_hosts(v, err);
        if (rc)
            return rc;
    }
}

enum sf_code sf_datasf_fetch(struct sf_fetch *fetch, const struct sf_datasf *table, struct sf_str name,
                             const struct sf_rules *rules, struct sf_snapshot *out, struct sf_err *err)
{
    struct sf_visit v = {.fetch = fetch, .table = table, .rules = rules, .name = name};
    struct sf_snapshot kept;
    bool is_kept = sf_snapshot_find(fetch->op->arena, fetch->op->site->cache_dir, name, &kept);
    sf_op_progress(fetch->op, "asking for %.*s", SF_ARG(table->id));
    enum sf_code rc = ask_all_hosts(&v, err);
    if (rc)
        return rc;
    bool is_same = is_kept && v.metadata.updated_at > 0 && sf_str_eq(sf_map_str(kept.about, "identity"), v.metadata.identity);
    if (is_same) {
        *out = kept;
        return sf_metadata_check(fetch->op, table->id, &v.metadata, rules, NULL, err);
    }
    if (fetch->token.n == 0)
        sf_op_warn(fetch->op, "works without an application token in SF_APP_TOKEN, only more slowly and sooner throttled");
    rc = fetch_whole(&v, is_kept ? sf_map_getz(kept.about, "columns") : NULL, out, err);
    sf_partial_close(v.partial);
    sf_meter_close(&v.meter);
    return rc;
}
