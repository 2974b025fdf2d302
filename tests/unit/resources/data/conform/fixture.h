/* What the tests of the conform engine share: rules, a cache of their own, a run over a text, and the objects that came out. */
#ifndef SF_TESTS_CONFORM_FIXTURE_H
#define SF_TESTS_CONFORM_FIXTURE_H

#include "engine/lang/yaml.h"
#include "resources/data/conform/conform.h"
#include "tests/unit/support/temp_dir.h"

#include <zlib.h>

struct fixture {
    struct sf_arena *arena;
    const struct sf_rules *rules;
    char dir[TEMP_DIR_BYTES]; /* the cache */
    struct sf_err err;
    const struct sf_value *summary; /* of the last run */
};

static inline struct fixture *fixture_new(void)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->arena = sf_arena_new();
    temp_dir_make(f->dir, "conform");
    return f;
}

static inline int fixture_free(void **state)
{
    struct fixture *f = *state;
    int status = temp_dir_remove(f->dir);
    sf_arena_free(f->arena);
    free(f);
    return status;
}

static inline enum sf_code conform_in_slices(struct fixture *f, const char *text, unsigned threads, size_t memory, size_t slice)
{
    struct sf_source *source;
    sf_source_open_bytes("t.csv", sf_str_of(text), &source);
    struct sf_conform_options options = {
        .cache_dir = f->dir, .name = "t", .threads = threads, .memory_bytes = memory, .slice_bytes = slice};
    enum sf_code rc = sf_conform_run(f->arena, f->rules, source, &options, &f->summary, &f->err);
    sf_source_close(source);
    return rc;
}

static inline enum sf_code conform(struct fixture *f, const char *text, unsigned threads, size_t memory)
{
    return conform_in_slices(f, text, threads, memory, 0);
}

static inline void conforms(struct fixture *f, const char *text)
{
    if (conform(f, text, 2, 0))
        fail_msg("%s", f->err.message);
}

static inline const struct sf_value *object_of(const struct fixture *f, const char *group, const char *name)
{
    const struct sf_value *object = sf_map_getz(sf_map_getz(f->summary, group), name);
    assert_non_null(object);
    return object;
}

/* Unpacked text of an object, header line included. */
static inline const char *text_of_object(struct fixture *f, const struct sf_value *object)
{
    enum { MOST = 1 << 20 };
    struct sf_str key = sf_map_str(object, "key");
    gzFile file = gzopen(sf_str_fmt(f->arena, "%s/objects/%.*s", f->dir, SF_ARG(key)).p, "rb");
    assert_non_null(file);
    char *text = sf_arena_alloc(f->arena, MOST);
    int n = gzread(file, text, MOST - 1);
    gzclose(file);
    assert_true(n > 0 && n < MOST - 1);
    text[n] = '\0';
    return text;
}

static inline const char *text_of(struct fixture *f, const char *group, const char *name)
{
    return text_of_object(f, object_of(f, group, name));
}

static inline void contains(const char *text, const char *words)
{
    if (!strstr(text, words))
        fail_msg("'%s' is not in:\n%s", words, text);
}

#endif
