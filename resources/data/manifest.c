/* See manifest.h. */
#include "resources/data/manifest.h"

#include "resources/data/data_file.h"

struct sf_str sf_manifest_url(struct sf_arena *arena, struct sf_str bucket, struct sf_str key)
{
    return sf_str_fmt(arena, "s3://%.*s/%.*s", SF_ARG(bucket), SF_ARG(key));
}

struct sf_str sf_manifest_bytes(struct sf_arena *arena, struct sf_str bucket, const struct sf_delivered_file *files, size_t n)
{
    const struct sf_value **entries = SF_NEW_ARRAY(arena, n + 1, const struct sf_value *);
    for (size_t i = 0; i < n; i++) {
        struct sf_value *entry = sf_value_map(arena), *meta = sf_value_map(arena);
        sf_map_set_int(arena, meta, "content_length", files[i].bytes);
        sf_map_set_str(arena, entry, "url", sf_manifest_url(arena, bucket, files[i].key));
        sf_map_set_bool(arena, entry, "mandatory", true);
        sf_map_set(arena, entry, SF_STR("meta"), meta);
        entries[i] = entry;
    }
    struct sf_value *root = sf_value_map(arena);
    sf_map_set(arena, root, SF_STR("entries"), sf_value_list(arena, entries, n));
    return sf_json_text(arena, root, SF_JSON_PLAIN);
}

struct sf_str sf_manifest_key(struct sf_arena *arena, struct sf_str prefix, struct sf_str folder, struct sf_str bytes,
                              const char *extension)
{
    return sf_str_fmt(arena, "%.*s%.*s/%.*s.%s", SF_ARG(prefix), SF_ARG(folder), SF_ARG(sf_data_digest16(arena, bytes)), extension);
}

struct sf_str sf_delivery_bytes(struct sf_arena *arena, const struct sf_value *manifests, struct sf_str snapshot,
                                struct sf_str rules, bool is_sample)
{
    struct sf_value *root = sf_value_map(arena);
    sf_map_set(arena, root, SF_STR("manifests"), manifests);
    sf_map_set_str(arena, root, "snapshot", snapshot);
    sf_map_set_str(arena, root, "rules", rules);
    sf_map_set_bool(arena, root, "is_sample", is_sample);
    return sf_json_text(arena, root, SF_JSON_PLAIN);
}

enum sf_code sf_manifest_read(struct sf_arena *arena, struct sf_str bytes, const char *key, const struct sf_value **listed,
                              struct sf_err *err)
{
    const struct sf_value *root;
    enum sf_code rc = sf_json_parse(arena, bytes, key, SF_JSON_PLAIN, &root, err);
    if (rc)
        return rc;
    const struct sf_value *entries = sf_map_getz(root, "entries");
    if (!entries || entries->type != SF_V_LIST)
        return sf_fail(err, SF_E_CONFIG, "'%s' is no manifest: it has no 'entries'", key);
    struct sf_value *map = sf_value_map(arena);
    for (size_t i = 0; i < entries->list.n; i++) {
        struct sf_str url = sf_map_str(entries->list.items[i], "url");
        int64_t length = sf_map_int(sf_map_getz(entries->list.items[i], "meta"), "content_length", -1);
        if (url.n == 0 || length < 0)
            return sf_fail(err, SF_E_CONFIG, "entry %zu of manifest '%s' has no url or content_length", i + 1, key);
        sf_map_add(arena, map, url, sf_value_int(arena, length));
    }
    *listed = map;
    return SF_OK;
}
