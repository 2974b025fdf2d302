/* sfprobe COMMAND FILE: see probe.h. A further command is one more row. */
#include "engine/core/json.h"
#include "tests/probe/probe.h"

#include <errno.h>
#include <stdio.h>

static const struct {
    const char *name;
    int (*run)(const char *file);
    const char *what;
} commands[] = {
    {"json", sf_probe_json, "a JSON text: canonical JSON"},
    {"yaml", sf_probe_yaml, "one YAML document: canonical JSON, scalars as strings"},
    {"csv", sf_probe_csv, "RFC 4180: JSON array of arrays of strings"},
    {"iam", sf_probe_iam, "a request and policies: the decision, then the statement that decides"},
    {"endpoint", sf_probe_endpoint, "a service and a region: url, signing region and signing name"},
    {"sign", sf_probe_sign, "a request and credentials, or one a line: its signature, with every stage"},
    {"warehouse", sf_probe_warehouse, "statements and a Redshift cluster: their rows"},
};

/* These say themselves how they are used. */
static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} tools[] = {
    {"conform", sf_probe_conform}, {"conform-raw", sf_probe_conform_raw}, {"conform-sql", sf_probe_conform_sql},
    {"copy", sf_probe_copy},       {"credentials", sf_probe_credentials},
};

enum sf_code sf_probe_read(struct sf_arena *arena, const char *file, size_t max, struct sf_str *text, struct sf_err *err)
{
    struct sf_buf buf = SF_BUF(max);
    char chunk[16 * 1024];
    size_t got;
    FILE *in = fopen(file, "rb");
    if (!in)
        return sf_fail_errno(err, SF_E_IO, "cannot read '%s'", file);
    while ((got = fread(chunk, 1, sizeof(chunk), in)) > 0 && !buf.overflow)
        sf_buf_add(&buf, (struct sf_str){chunk, got});
    bool failed = ferror(in) != 0;
    fclose(in);
    enum sf_code rc = SF_OK;
    if (failed)
        rc = sf_fail_errno(err, SF_E_IO, "cannot read '%s'", file);
    else if (buf.overflow)
        rc = sf_fail(err, SF_E_IO, "'%s' is larger than %zu bytes", file, max);
    else
        *text = sf_str_dup(arena, sf_buf_str(&buf));
    sf_buf_free(&buf);
    return rc;
}

static void answer_lines(struct sf_str text, const char *file, sf_probe_answer *answer)
{
    while (text.n) {
        struct sf_arena *arena = sf_arena_new();
        size_t end = sf_str_find(text, SF_STR("\n"));
        struct sf_str line = sf_str_slice(text, 0, end);
        struct sf_err err = {.code = SF_OK};
        text = end == SIZE_MAX ? SF_STR_NONE : sf_str_slice(text, end + 1, text.n);
        if (line.n && answer(arena, line, file, &err)) {
            struct sf_value *reply = sf_value_map(arena);
            sf_map_set_str(arena, reply, "error", sf_str_of(err.message));
            puts(sf_json_text(arena, reply, SF_JSON_PLAIN).p);
        }
        sf_arena_free(arena);
    }
}

int sf_probe_ask(const char *file, sf_probe_answer *answer)
{
    struct sf_arena *arena = sf_arena_new();
    struct sf_err err = {.code = SF_OK};
    struct sf_str text;
    int status = 0;
    if (sf_probe_read(arena, file, SF_MAX_JSON_BYTES, &text, &err))
        status = sf_probe_refuse(&err);
    else if (sf_str_find(sf_str_trim(text), SF_STR("}\n{")) != SIZE_MAX)
        answer_lines(text, file, answer);
    else if (answer(arena, text, file, &err))
        status = sf_probe_refuse(&err);
    sf_arena_free(arena);
    return status;
}

int sf_probe_refuse(const struct sf_err *err)
{
    if (err->where.line)
        fprintf(stderr, "%s:%u:%u: %s\n", err->where.file, err->where.line, err->where.column, err->message);
    else
        fprintf(stderr, "%s\n", err->message);
    return 1;
}

static int usage(void)
{
    fputs("usage: sfprobe COMMAND FILE\n", stderr);
    for (size_t i = 0; i < SF_COUNT(commands); i++)
        fprintf(stderr, "  %-5s %s\n", commands[i].name, commands[i].what);
    fputs("       sfprobe sigv4 DIR [query]\n  a case of a signing test suite: its three stages\n", stderr);
    fputs("       sfprobe copy FILE [BLOCK [THREADS]]\n  CSV as PostgreSQL's COPY TO prints it\n", stderr);
    fputs("       sfprobe conform FILE RULES OUTDIR\n  the conform engine alone, without a cache\n", stderr);
    fputs("       sfprobe conform-sql RULES postgresql|redshift SCHEMA\n  the same rules as SQL\n", stderr);
    return 64;
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < SF_COUNT(tools); i++)
        if (strcmp(argv[1], tools[i].name) == 0)
            return tools[i].run(argc - 2, argv + 2);
    if (argc > 2 && strcmp(argv[1], "sigv4") == 0 && (argc == 3 || (argc == 4 && strcmp(argv[3], "query") == 0)))
        return sf_probe_sigv4(argv[2], argc == 4);
    if (argc != 3)
        return usage();
    for (size_t i = 0; i < SF_COUNT(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argv[2]);
    return usage();
}
