/* A plain address: one file, asked for only when it changed. See doors.h. */
#include "resources/data/source/doors.h"

static struct sf_str text_after_line(struct sf_str text)
{
    size_t line = sf_str_find(text, SF_STR("\n"));
    return line == SIZE_MAX ? SF_STR_NONE : sf_str_slice(text, line + 1, text.n);
}

static enum sf_code transfer(struct sf_fetch *fetch, struct sf_str url, struct sf_str name, const struct sf_value *known,
                             struct sf_meter *meter, struct sf_snapshot *out, struct sf_err *err)
{
    struct sf_arena *arena = fetch->op->arena;
    struct sf_partial *partial;
    enum sf_code rc = sf_partial_open(arena, fetch->op->site->cache_dir, name, false, meter, &partial, err);
    if (rc)
        return rc;
    /* an unfinished transfer is of something newer than what is known */
    struct sf_str tag = text_after_line(sf_partial_what(partial));
    bool is_date = tag.n == 0 || tag.p[0] != '"', is_begun = sf_partial_bytes(partial) > 0 && !is_date;
    struct sf_fetch_target target = {.url = url, .what = SF_STR("url")};
    if (!is_begun && known) {
        target.known_tag = sf_map_str(known, "tag");
        target.known_tag_is_date = sf_map_bool(known, "tag_is_date", false);
    }
    rc = sf_fetch_body(fetch, &target, partial, meter, &tag, &is_date, err);
    if (!rc)
        rc = sf_partial_finish(partial, arena, out, err);
    sf_partial_close(partial);
    if (rc)
        return rc;
    struct sf_value *about = sf_value_map(arena);
    sf_map_set_str(arena, about, "url", url);
    sf_map_set_str(arena, about, "tag", tag);
    sf_map_set_bool(arena, about, "tag_is_date", is_date);
    out->about = about;
    return SF_OK;
}

enum sf_code sf_url_fetch(struct sf_fetch *fetch, struct sf_str url, struct sf_str name, const struct sf_rules *rules,
                          struct sf_snapshot *out, struct sf_err *err)
{
    struct sf_arena *arena = fetch->op->arena;
    const char *cache_dir = fetch->op->site->cache_dir;
    struct sf_snapshot kept;
    struct sf_meter meter;
    bool is_kept = sf_snapshot_find(arena, cache_dir, name, &kept);
    sf_meter_open(&meter, rules->as_of_column >= 0 ? &rules->columns[rules->as_of_column] : NULL);
    enum sf_code rc = transfer(fetch, url, name, is_kept ? kept.about : NULL, &meter, out, err);
    sf_meter_close(&meter);
    if (rc == SF_E_ABSENT && is_kept && sf_str_is(sf_str_of(err->remote_code), "304")) {
        *out = kept;
        return SF_OK;
    }
    if (rc) {
        sf_context(err, "while fetching '%.*s'", SF_ARG(sf_str_slice(url, 0, 200)));
        return rc == SF_E_ABSENT ? SF_E_REFUSED : rc == SF_E_STALE ? SF_E_DATA : rc;
    }
    return sf_snapshot_point(arena, cache_dir, name, out, err);
}
