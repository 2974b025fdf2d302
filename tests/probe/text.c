/* sfprobe json, yaml and csv. */
#include "engine/core/json.h"
#include "engine/lang/yaml.h"
#include "resources/data/conform/csv.h"
#include "tests/probe/probe.h"

#include <stdio.h>

static int print(struct sf_buf *out)
{
    sf_buf_addc(out, '\n');
    bool ok = !out->overflow && fwrite(out->p, 1, out->n, stdout) == out->n && fflush(stdout) == 0;
    sf_buf_free(out);
    return ok ? 0 : 1;
}

int sf_probe_json(const char *file)
{
    struct sf_arena *arena = sf_arena_new();
    struct sf_err err = {.code = SF_OK};
    struct sf_str text;
    const struct sf_value *v;
    int status;
    if (sf_probe_read(arena, file, SF_MAX_JSON_BYTES, &text, &err) || sf_json_parse(arena, text, file, SF_JSON_PLAIN, &v, &err)) {
        status = sf_probe_refuse(&err);
    } else {
        struct sf_buf out = SF_BUF(8ul * SF_MAX_JSON_BYTES);
        sf_json_write(&out, v, SF_JSON_PLAIN);
        status = print(&out);
    }
    sf_arena_free(arena);
    return status;
}

int sf_probe_yaml(const char *file)
{
    struct sf_arena *arena = sf_arena_new();
    struct sf_diags *diags = sf_diags_new(arena);
    const struct sf_value *v;
    int status;
    if (sf_yaml_load(arena, file, diags, &v)) {
        struct sf_err err = {.where = diags->list[0].where};
        snprintf(err.message, sizeof(err.message), "%.*s", SF_ARG(diags->list[0].message));
        status = sf_probe_refuse(&err);
    } else {
        struct sf_buf out = SF_BUF(8ul * SF_MAX_JSON_BYTES);
        sf_json_write(&out, v, SF_JSON_PLAIN);
        status = print(&out);
    }
    sf_arena_free(arena);
    return status;
}

static enum sf_code read_stream(void *ctx, char *bytes, size_t n, size_t *got, struct sf_err *err)
{
    FILE *in = ctx;
    *got = fread(bytes, 1, n, in);
    return ferror(in) ? sf_fail_errno(err, SF_E_IO, "cannot read the file") : SF_OK;
}

static void add_record(struct sf_buf *out, const struct sf_csv_record *record, struct sf_arena *arena)
{
    sf_buf_addc(out, '[');
    for (size_t i = 0; i < record->n_fields; i++) {
        struct sf_str raw = sf_csv_raw(record, i);
        if (i)
            sf_buf_addc(out, ',');
        sf_json_write_string(out, sf_csv_value(raw, sf_arena_alloc(arena, raw.n + 1)));
    }
    sf_buf_addc(out, ']');
}

int sf_probe_csv(const char *file)
{
    struct sf_err err = {.code = SF_OK};
    FILE *in = fopen(file, "rb");
    if (!in) {
        sf_fail_errno(&err, SF_E_IO, "cannot read '%s'", file);
        return sf_probe_refuse(&err);
    }
    struct sf_arena *arena = sf_arena_new();
    struct sf_buf out = SF_BUF(8ul * SF_MAX_JSON_BYTES);
    struct sf_csv_reader reader;
    const struct sf_csv_record *record = NULL;
    enum sf_code rc;
    sf_csv_reader_open(&reader, read_stream, in, file);
    sf_buf_addc(&out, '[');
    while (!(rc = sf_csv_reader_next(&reader, &record, &err)) && record) {
        if (out.n > 1)
            sf_buf_addc(&out, ',');
        add_record(&out, record, arena);
    }
    sf_buf_addc(&out, ']');
    int status = rc ? sf_probe_refuse(&err) : print(&out);
    sf_buf_free(&out);
    sf_csv_reader_close(&reader);
    fclose(in);
    sf_arena_free(arena);
    return status;
}
