/* See cache.h. */
#include "resources/data/conform/cache.h"

#include "engine/core/clock.h"
#include "engine/core/json.h"
#include "resources/data/conform/output.h"
#include "resources/data/conform/raw.h"
#include "resources/data/conform/text.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    HASH_BLOCK = 1024 * 1024,
    MAX_SUMMARY_BYTES = 16 * 1024 * 1024,
    SETTLED_S = 2, /* a file younger than this could change again within the same mtime */
};

/* --- small files of the cache --- */

/* SF_E_ABSENT when it is not there or not readable: the cache is rebuilt at will. */
static enum sf_code read_small(struct sf_arena *arena, const char *path, struct sf_str *text)
{
    FILE *file = fopen(path, "re");
    struct stat st;
    if (!file)
        return SF_E_ABSENT;
    enum sf_code rc = SF_E_ABSENT;
    if (fstat(fileno(file), &st) == 0 && st.st_size >= 0 && st.st_size <= MAX_SUMMARY_BYTES) {
        char *bytes = sf_arena_alloc(arena, (size_t)st.st_size + 1);
        size_t n = fread(bytes, 1, (size_t)st.st_size, file);
        *text = (struct sf_str){bytes, n};
        rc = n == (size_t)st.st_size ? SF_OK : SF_E_ABSENT;
    }
    fclose(file);
    return rc;
}

/* --- which bytes a file holds --- */

struct hashing {
    int fd;
    size_t size, n_blocks;
    atomic_size_t next;
    atomic_bool failed;
    char (*sums)[64];
};

static bool hash_block(struct hashing *h, size_t block, char *buffer)
{
    size_t at = block * HASH_BLOCK, want = h->size - at < HASH_BLOCK ? h->size - at : HASH_BLOCK, done = 0;
    while (done < want) {
        ssize_t n = pread(h->fd, buffer + done, want - done, (off_t)(at + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    sf_text_sha256_hex((struct sf_str){buffer, want}, h->sums[block]);
    return true;
}

static void *hash_blocks(void *argument)
{
    struct hashing *h = argument;
    char *buffer = malloc(HASH_BLOCK);
    if (!buffer)
        sf_out_of_memory();
    while (!atomic_load(&h->failed)) {
        size_t block = atomic_fetch_add(&h->next, 1);
        if (block >= h->n_blocks)
            break;
        if (!hash_block(h, block, buffer))
            atomic_store(&h->failed, true);
    }
    free(buffer);
    return NULL;
}

/* SHA-256 over the SHA-256 of each MiB: on all cores. */
static enum sf_code hash_file(struct sf_arena *arena, const char *path, int fd, size_t size, struct sf_str *id, struct sf_err *err)
{
    struct hashing h = {.fd = fd, .size = size, .n_blocks = (size + HASH_BLOCK - 1) / HASH_BLOCK};
    h.sums = sf_arena_array(arena, h.n_blocks + 1, sizeof *h.sums);
    atomic_init(&h.next, 0);
    atomic_init(&h.failed, false);
    pthread_t helpers[SF_CONFORM_MAX_THREADS];
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t n = 0, most = h.n_blocks < 8 || cores < 2 ? 0 : cores > 8 ? 7 : (size_t)cores - 1;
    while (n < most && pthread_create(&helpers[n], NULL, hash_blocks, &h) == 0)
        n++;
    hash_blocks(&h);
    while (n > 0)
        pthread_join(helpers[--n], NULL);
    if (atomic_load(&h.failed))
        return sf_fail(err, SF_E_STALE, "source file '%s' became shorter while it was read", path);
    *id = sf_str_slice(sf_sha256_hex(arena, (struct sf_str){(const char *)h.sums, h.n_blocks * sizeof *h.sums}), 0, 16);
    return SF_OK;
}

static bool is_id(struct sf_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')))
            return false;
    return s.n == 16;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* The id of the file's content; *st is what the file was when the id was right. */
static enum sf_code identify_file(struct sf_arena *arena, const char *cache_dir, const char *path, struct stat *st,
                                  struct sf_str *id, struct sf_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, st) != 0) {
        sf_fail_errno(err, SF_E_IO, "cannot read source file '%s'", path);
        sf_hint(err, "paths are relative to the stack file");
        if (fd >= 0)
            close(fd);
        return SF_E_IO;
    }
    if (!S_ISREG(st->st_mode)) {
        close(fd);
        return sf_fail(err, SF_E_DATA, "source file '%s' is not a regular file", path);
    }
    struct sf_str seen =
        sf_str_fmt(arena, "%s %llu %llu %lld %lld.%09ld", path, (unsigned long long)st->st_dev, (unsigned long long)st->st_ino,
                   (long long)st->st_size, (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
    struct sf_str known = sf_str_fmt(arena, "%s/conform/file-%.16s", cache_dir, sf_sha256_hex(arena, seen).p);
    enum sf_code rc = SF_OK;
    if (read_small(arena, known.p, id) || !is_id(*id)) {
        struct stat after;
        rc = hash_file(arena, path, fd, (size_t)st->st_size, id, err);
        if (!rc && (fstat(fd, &after) != 0 || !is_same_file(st, &after)))
            rc = sf_fail(err, SF_E_STALE, "source file '%s' changed while it was read", path);
        if (!rc && sf_clock_wall_ms() / 1000 - st->st_mtim.tv_sec > SETTLED_S)
            rc = sf_conform_write_file(known.p, *id, err);
    }
    close(fd);
    return rc;
}

/* --- evaluations --- */

static bool has_object(struct sf_arena *arena, const char *cache_dir, const struct sf_value *object)
{
    struct stat st;
    struct sf_str key = sf_map_str(object, "key");
    struct sf_str path = sf_str_fmt(arena, "%s/objects/%.*s", cache_dir, SF_ARG(key));
    return key.n && stat(path.p, &st) == 0 && st.st_size == sf_map_int(object, "bytes", -1);
}

struct sf_str sf_conform_missing(struct sf_arena *arena, const char *cache_dir, const struct sf_value *objects)
{
    for (size_t i = 0; objects && objects->type == SF_V_MAP && i < objects->map.n; i++) {
        const struct sf_value *object = objects->map.pairs[i].value, *parts = sf_map_getz(object, "parts");
        struct sf_str missing = SF_STR_NONE;
        if (parts)
            missing = sf_conform_missing(arena, cache_dir, parts);
        else if (!has_object(arena, cache_dir, object))
            missing = sf_map_str(object, "key");
        if (missing.n)
            return missing;
    }
    return SF_STR_NONE;
}

static bool has_all(struct sf_arena *arena, const char *cache_dir, const struct sf_value *objects)
{
    return objects && objects->type == SF_V_MAP && sf_conform_missing(arena, cache_dir, objects).n == 0;
}

/* Whether the list that the summary names at `key`, if any, is there. */
static bool has_list(struct sf_arena *arena, const char *cache_dir, const struct sf_value *summary, const char *key)
{
    struct sf_str file = sf_map_str(summary, key);
    return file.n == 0 || access(sf_str_fmt(arena, "%s/%.*s", cache_dir, SF_ARG(file)).p, R_OK) == 0;
}

/* The kept evaluation, or NULL when there is none or something of it is gone. */
static const struct sf_value *find_kept(struct sf_arena *arena, const char *cache_dir, const char *path)
{
    struct sf_str text;
    const struct sf_value *summary;
    if (read_small(arena, path, &text) || sf_json_parse(arena, text, path, SF_JSON_PLAIN, &summary, NULL))
        return NULL;
    bool is_whole = has_all(arena, cache_dir, sf_map_getz(summary, "tables")) &&
                    has_all(arena, cache_dir, sf_map_getz(summary, "years")) &&
                    sf_conform_missing(arena, cache_dir, sf_map_getz(summary, "raw")).n == 0 &&
                    has_list(arena, cache_dir, summary, "rejects_file") && has_list(arena, cache_dir, summary, "unmapped_file");
    return is_whole ? summary : NULL;
}

static enum sf_code open_source(const struct sf_conform_source *source, struct sf_source **out, struct sf_err *err)
{
    return source->sample ? sf_source_open_sample(source->sample, out, err)
                          : sf_source_open_file(source->path, source->needs_final_newline, out, err);
}

static enum sf_code evaluate(struct sf_arena *arena, const struct sf_rules *rules, const struct sf_conform_source *source,
                             const struct sf_conform_options *options, const struct stat *was, struct sf_str id, const char *kept,
                             const struct sf_value **summary, struct sf_err *err)
{
    struct sf_source *chunks;
    enum sf_code rc = open_source(source, &chunks, err);
    if (rc)
        return rc;
    rc = source->is_raw ? sf_raw_run(arena, rules, chunks, options, summary, err)
                        : sf_conform_run(arena, rules, chunks, options, summary, err);
    sf_source_close(chunks);
    struct stat now;
    if (!source->sample && (stat(source->path, &now) != 0 || !is_same_file(was, &now))) {
        rc = sf_fail(err, SF_E_STALE, "source file '%s' changed while it was read", source->path);
        sf_hint(err, "run again when nothing writes to it");
    }
    if (rc)
        return rc;
    struct sf_value *with_source = sf_value_map(arena);
    sf_map_set_str(arena, with_source, "source", id);
    for (size_t i = 0; i < (*summary)->map.n; i++)
        sf_map_add(arena, with_source, (*summary)->map.pairs[i].key, (*summary)->map.pairs[i].value);
    *summary = with_source;
    struct sf_buf text = SF_BUF(MAX_SUMMARY_BYTES);
    sf_json_write_pretty(&text, *summary, SF_JSON_PLAIN);
    sf_buf_addc(&text, '\n');
    rc = sf_conform_write_file(kept, sf_buf_str(&text), err);
    sf_buf_free(&text);
    return rc;
}

struct sf_str sf_conform_evaluation(struct sf_arena *arena, struct sf_str id, const struct sf_rules *rules,
                                    const struct sf_conform_source *source)
{
    return sf_str_fmt(arena, "%.*s%s-%.*s%s", SF_ARG(id), source->needs_final_newline ? "n" : "", SF_ARG(rules->hash),
                      source->is_raw ? "-raw" : "");
}

enum sf_code sf_conform_cached(struct sf_arena *arena, const struct sf_rules *rules, const struct sf_conform_source *source,
                               const struct sf_conform_options *options, const struct sf_value **summary, struct sf_err *err)
{
    struct stat st = {.st_size = 0};
    struct sf_str id;
    enum sf_code rc = sf_output_make_dir(sf_str_fmt(arena, "%s/conform", options->cache_dir).p, err);
    if (rc)
        return rc;
    if (source->sample) {
        struct sf_str spec =
            sf_str_fmt(arena, "sample %s rows %llu seed %llu week %u", sf_sample_version, (unsigned long long)source->sample->rows,
                       (unsigned long long)source->sample->seed, (unsigned)source->sample->as_of);
        id = sf_str_slice(sf_sha256_hex(arena, spec), 0, 16);
    } else if (is_id(source->id)) {
        id = source->id;
        if (stat(source->path, &st) != 0)
            return sf_fail_errno(err, SF_E_IO, "cannot read source file '%s'", source->path);
    } else {
        rc = identify_file(arena, options->cache_dir, source->path, &st, &id, err);
        if (rc)
            return rc;
    }
    struct sf_str name = sf_conform_evaluation(arena, id, rules, source);
    struct sf_str kept = sf_str_fmt(arena, "%s/conform/%.*s.json", options->cache_dir, SF_ARG(name));
    *summary = find_kept(arena, options->cache_dir, kept.p);
    if (*summary)
        return SF_OK;
    struct sf_conform_options named = *options;
    named.name = name.p;
    return evaluate(arena, rules, source, &named, &st, id, kept.p, summary, err);
}
