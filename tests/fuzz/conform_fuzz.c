/* libFuzzer target: rules and a CSV text, parted by a NUL, are refused with a message or conformed; without a NUL it is the text
 * alone, under small rules of ours. On one thread and on some that spill every row the outcome is the same: the same files, or the
 * same refusal. */
#include "engine/core/json.h"
#include "engine/lang/yaml.h"
#include "resources/data/conform/conform.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char small[] =
    "rules: 1\n"
    "columns: {y: {names: [Y]}, f: {bytes: 3}, c: {bytes: 4}, n: {bytes: 8}, d: {bytes: 4}, m: {bytes: 6},\n"
    "  s: {bytes: 9}, a: {}, o: {optional: true}}\n"
    "facts: {table: t, key: t_id, partition: p, year: {column: y, min: 2017, max: 2019}, amount: {column: a}}\n"
    "snapshot: {as_of: o}\n"
    "dimensions:\n"
    "  g:\n"
    "    key: g_id\n"
    "    levels: [{name: n, code: c, label: N}, {name: m, code: d, label: M}]\n"
    "    flag: {column: f, values: {\"Y\": [y], \"N\": [n]}}\n"
    "sides: {table: i, key: i_id, column: s, values: {\"1\": In, \"2\": Out}}\n"
    "eras: [{name: old, through: 2017}, {name: new, from: 2018}]\n"
    "aliases: {table: l}\n"
    "crosswalk: {table: x, dimension: g, legacy_key: o_id, current_key: n_id}\n";

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

/* What came of it: the summary, or the refusal. */
static struct sf_str conform(struct sf_arena *arena, const struct sf_rules *rules, struct sf_str text, unsigned threads)
{
    char dir[] = "/tmp/sf-fuzz-XXXXXX";
    struct sf_source *source;
    const struct sf_value *summary;
    struct sf_err err = {.code = SF_OK};
    if (!mkdtemp(dir))
        abort();
    sf_source_open_bytes("fuzz.csv", text, &source);
    struct sf_conform_options options = {.cache_dir = dir, .name = "fuzz", .threads = threads, .memory_bytes = threads - 1};
    enum sf_code rc = sf_conform_run(arena, rules, source, &options, &summary, &err);
    sf_source_close(source);
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    if (rc && (rc != SF_E_DATA || !err.message[0])) {
        fprintf(stderr, "code %d: %s\n", (int)rc, err.message);
        abort();
    }
    return rc ? sf_str_dup(arena, sf_str_of(err.message)) : sf_json_text(arena, summary, SF_JSON_PLAIN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    size_t n_rules = nul ? (size_t)(nul - data) : 0;
    struct sf_str yaml = {(const char *)data, n_rules}, text = {(const char *)data, size};
    if (nul)
        text = sf_str_slice(text, n_rules + 1, size);
    else
        yaml = (struct sf_str){small, sizeof small - 1};
    struct sf_arena *arena = sf_arena_new();
    struct sf_diags *diags = sf_diags_new(arena);
    const struct sf_value *root = NULL;
    const struct sf_rules *rules = NULL;
    struct sf_err err = {.code = SF_OK};
    enum sf_code rc = sf_yaml_parse(arena, yaml, "fuzz.yaml", diags, &root);
    if (!rc)
        rc = sf_rules_read(arena, root, &rules, &err);
    if (!nul && rc) {
        fprintf(stderr, "the small rules are refused: %s\n", err.message);
        abort();
    }
    if (!rc) {
        struct sf_str one = conform(arena, rules, text, 1), some = conform(arena, rules, text, 2);
        if (!sf_str_eq(one, some)) {
            fprintf(stderr, "one thread: %.*s\nsome: %.*s\n", SF_ARG(one), SF_ARG(some));
            abort();
        }
    }
    sf_arena_free(arena);
    return 0;
}
