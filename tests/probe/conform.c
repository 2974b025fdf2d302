/* The conform engine on its own, for tests that know the data contract but not this code.
 *
 * sfprobe conform FILE RULES OUTDIR: OUTDIR/objects gets the files, OUTDIR/summary.json what a dataset's attributes are made of.
 * sfprobe conform-raw FILE RULES OUTDIR: the same of a source that is only cut into files, for the warehouse.
 * sfprobe conform-sql RULES postgresql|redshift SCHEMA: the same rules as SQL, over the table of raw rows in SCHEMA, which the
 * first statements make. */
#include "engine/core/clock.h"
#include "engine/core/json.h"
#include "engine/lang/yaml.h"
#include "resources/data/conform/conform.h"
#include "resources/data/conform/output.h"
#include "resources/data/conform/raw.h"
#include "resources/data/conform_sql.h"
#include "tests/probe/probe.h"

#include <stdio.h>

static enum sf_code read_rules(struct sf_arena *arena, const char *path, const struct sf_rules **rules, struct sf_err *err)
{
    struct sf_diags *diags = sf_diags_new(arena);
    const struct sf_value *root;
    enum sf_code rc = sf_yaml_load(arena, path, diags, &root);
    if (rc)
        return sf_fail(err, rc, "%s:%u: %.*s", path, diags->list[0].where.line, SF_ARG(diags->list[0].message));
    return sf_rules_read(arena, root, rules, err);
}

static enum sf_code run(struct sf_arena *arena, const char *file, const char *rules_path, const char *out_dir, bool is_raw,
                        struct sf_err *err)
{
    const struct sf_rules *rules;
    struct sf_source *source = NULL;
    const struct sf_value *summary;
    enum sf_code rc = read_rules(arena, rules_path, &rules, err);
    if (!rc)
        rc = sf_output_make_dir(out_dir, err);
    if (!rc)
        rc = sf_source_open_file(file, false, &source, err);
    if (rc)
        return rc;
    struct sf_conform_options options = {.cache_dir = out_dir, .name = "probe"};
    int64_t start = sf_clock_ms();
    rc = (is_raw ? sf_raw_run : sf_conform_run)(arena, rules, source, &options, &summary, err);
    sf_source_close(source);
    if (rc)
        return rc;
    fprintf(stderr, "conformed in %lld ms\n", (long long)(sf_clock_ms() - start));
    struct sf_buf text = SF_BUF(SF_MAX_JSON_BYTES);
    sf_json_write_pretty(&text, summary, SF_JSON_PLAIN);
    sf_buf_addc(&text, '\n');
    rc = sf_conform_write_file(sf_str_fmt(arena, "%s/summary.json", out_dir).p, sf_buf_str(&text), err);
    sf_buf_free(&text);
    return rc;
}

static int run_probe(int argc, char **argv, bool is_raw)
{
    if (argc != 3) {
        fprintf(stderr, "usage: sfprobe conform%s FILE RULES OUTDIR\n", is_raw ? "-raw" : "");
        return 64;
    }
    struct sf_arena *arena = sf_arena_new();
    struct sf_err err = {.code = SF_OK};
    int status = run(arena, argv[0], argv[1], argv[2], is_raw, &err) ? sf_probe_refuse(&err) : 0;
    sf_arena_free(arena);
    return status;
}

int sf_probe_conform(int argc, char **argv)
{
    return run_probe(argc, argv, false);
}

int sf_probe_conform_raw(int argc, char **argv)
{
    return run_probe(argc, argv, true);
}

int sf_probe_conform_sql(int argc, char **argv)
{
    bool is_redshift = argc == 3 && strcmp(argv[1], "redshift") == 0;
    if (argc != 3 || (!is_redshift && strcmp(argv[1], "postgresql") != 0)) {
        fputs("usage: sfprobe conform-sql RULES postgresql|redshift SCHEMA\n", stderr);
        return 64;
    }
    struct sf_arena *arena = sf_arena_new();
    struct sf_err err = {.code = SF_OK};
    const struct sf_rules *rules = NULL;
    struct sf_script script = {.arena = arena};
    int status = read_rules(arena, argv[0], &rules, &err) ? sf_probe_refuse(&err) : 0;
    const struct sf_dialect *dialect = is_redshift ? &sf_dialect_redshift : &sf_dialect_postgresql;
    if (rules) {
        sf_conform_sql_raw(&script, rules, sf_str_of(argv[2]), dialect);
        struct sf_str raw = sf_conform_sql_table(arena, sf_str_of(argv[2]), SF_STR(SF_CONFORM_SQL_RAW));
        sf_script_add(&script, "copy", "-- copy %.*s (%.*s)", SF_ARG(raw), SF_ARG(sf_conform_sql_raw_columns(arena, rules)));
        sf_conform_sql(&script, rules, sf_str_of(argv[2]), dialect);
    }
    for (size_t i = 0; i < script.n; i++)
        printf("%.*s;\n", SF_ARG(script.list[i].sql));
    sf_arena_free(arena);
    return status;
}
