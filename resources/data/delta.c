/* See delta.h. */
#include "resources/data/delta.h"

#include "engine/core/json.h"
#include "resources/data/conform/intern.h"
#include "resources/data/conform/source.h"
#include "resources/site/file.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

/* --- rows by key --- */

struct row {
    int64_t key; /* 0: free; keys begin at 1 */
    uint64_t rest;
};

/* Open addressing; keys are hashes already. */
struct rows {
    struct row *slots;
    size_t cap; /* power of two */
    size_t n;
};

static void grow(struct rows *rows)
{
    enum { LEAST = 4096 };
    struct rows more = {.cap = rows->cap ? rows->cap * 2 : LEAST, .n = rows->n};
    more.slots = calloc(more.cap, sizeof *more.slots);
    if (!more.slots)
        sf_out_of_memory();
    for (size_t i = 0; i < rows->cap; i++) {
        if (rows->slots[i].key == 0)
            continue;
        size_t at = (size_t)rows->slots[i].key & (more.cap - 1);
        while (more.slots[at].key)
            at = (at + 1) & (more.cap - 1);
        more.slots[at] = rows->slots[i];
    }
    free(rows->slots);
    *rows = more;
}

static struct row *find_row(const struct rows *rows, int64_t key)
{
    size_t at = (size_t)key & (rows->cap - 1);
    while (rows->slots[at].key && rows->slots[at].key != key)
        at = (at + 1) & (rows->cap - 1);
    return &rows->slots[at];
}

/* --- reading --- */

typedef void take_fn(void *ctx, struct row row);

static enum sf_code read_chunk(struct sf_csv_chunk *chunk, take_fn *take, void *ctx, struct sf_err *err)
{
    struct sf_csv_record record;
    enum sf_code rc = sf_csv_index(chunk, err);
    if (rc || !sf_csv_first(chunk, &record))
        return rc;
    bool is_header = chunk->number == 0;
    do {
        struct sf_str key = sf_csv_raw(&record, 0), all = sf_csv_record_text(&record);
        struct row row = {.rest = sf_intern_hash(0, sf_str_slice(all, key.n, all.n))};
        if (!is_header && (!sf_str_int64(key, &row.key) || row.key < 1))
            return sf_csv_fail_field(&record, 0, err, "'%.*s' is no key of a row", SF_ARG(key));
        if (!is_header)
            take(ctx, row);
        is_header = false;
    } while (sf_csv_next(&record));
    return SF_OK;
}

static enum sf_code read_rows(struct sf_arena *arena, const char *cache_dir, struct sf_str key, take_fn *take, void *ctx,
                              struct sf_err *err)
{
    if (key.n == 0)
        return SF_OK;
    const char *path = sf_str_fmt(arena, "%s/objects/%.*s", cache_dir, SF_ARG(key)).p;
    struct sf_source *source;
    struct sf_csv_chunk chunk = {0};
    bool end = false;
    if (access(path, R_OK) != 0)
        return sf_fail(err, SF_E_ABSENT, "'%.*s' is not in the cache", SF_ARG(key));
    enum sf_code rc = sf_source_open_file(path, true, &source, err);
    if (rc)
        return rc;
    while (!rc && !end) {
        rc = sf_source_next(source, &chunk, &end, err);
        if (!rc && !end)
            rc = read_chunk(&chunk, take, ctx, err);
    }
    sf_csv_chunk_free(&chunk);
    sf_source_close(source);
    return rc;
}

static void keep_row(void *ctx, struct row row)
{
    struct rows *before = ctx;
    if (2 * before->n >= before->cap)
        grow(before);
    *find_row(before, row.key) = row;
    before->n++;
}

struct comparing {
    const struct rows *before;
    struct sf_delta *delta;
    uint64_t matched;
};

static void compare_row(void *ctx, struct row row)
{
    struct comparing *c = ctx;
    const struct row *was = find_row(c->before, row.key);
    c->matched += was->key != 0;
    c->delta->added += was->key == 0;
    c->delta->changed += was->key != 0 && was->rest != row.rest;
}

enum sf_code sf_delta_count(struct sf_arena *arena, const char *cache_dir, struct sf_str before, struct sf_str after,
                            struct sf_delta *delta, struct sf_err *err)
{
    struct rows rows = {.slots = NULL};
    struct comparing comparing = {.before = &rows, .delta = delta};
    *delta = (struct sf_delta){0};
    grow(&rows);
    enum sf_code rc = read_rows(arena, cache_dir, before, keep_row, &rows, err);
    if (!rc)
        rc = read_rows(arena, cache_dir, after, compare_row, &comparing, err);
    delta->removed = rows.n - comparing.matched;
    free(rows.slots);
    return rc;
}

/* --- which object --- */

const struct sf_value *sf_delta_kept(struct sf_arena *arena, const char *cache_dir)
{
    struct sf_value *kept = sf_value_map(arena);
    const char *folder = sf_str_fmt(arena, "%s/conform", cache_dir).p;
    DIR *dir = opendir(folder);
    for (const struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
        struct sf_str text;
        const struct sf_value *summary;
        const char *path = sf_str_fmt(arena, "%s/%s", folder, entry->d_name).p;
        if (sf_str_ends(sf_str_of(entry->d_name), SF_STR(".json")) && !sf_file_read(arena, path, &text, NULL) &&
            !sf_json_parse(arena, text, path, SF_JSON_PLAIN, &summary, NULL))
            sf_map_add(arena, kept, sf_str_dup(arena, sf_str_of(entry->d_name)), summary);
    }
    if (dir)
        closedir(dir);
    return kept;
}

struct sf_str sf_delta_find(const struct sf_value *kept, struct sf_str year, struct sf_str digest)
{
    for (size_t i = 0; i < kept->map.n; i++) {
        const struct sf_value *one = sf_map_get(sf_map_getz(kept->map.pairs[i].value, "years"), year);
        if (one && digest.n && sf_str_eq(sf_map_str(one, "digest"), digest))
            return sf_map_str(one, "key");
    }
    return SF_STR_NONE;
}
