/* See raw.h. One thread: a source is read, cut and packed in the time that a transfer of it takes. */
#include "resources/data/conform/raw.h"

#include "engine/core/clock.h"
#include "resources/data/conform/output.h"
#include "resources/data/conform/parse.h"
#include "resources/data/conform/text.h"

enum { MAX_LINE = 2 * SF_CSV_MAX_RECORD };

struct cutter {
    struct sf_arena *arena; /* of what goes into the summary */
    const struct sf_rules *rules;
    const char *objects_dir;
    struct sf_layout layout;
    struct sf_parser parser; /* for the stamps */
    size_t columns[SF_RULES_MAX_COLUMNS];
    size_t n_columns;
    struct sf_str header;
    struct sf_output *output; /* the file at hand; NULL: none is open */
    size_t n_bytes;           /* of text in it */
    size_t most_bytes;        /* and when it is full */
    struct sf_buf line;
    char *scratch;
    size_t cap_scratch;
    struct sf_value *files;
    struct sf_buf identity;
    uint64_t n_rows;
};

size_t sf_raw_columns(const struct sf_rules *rules, size_t columns[SF_RULES_MAX_COLUMNS])
{
    size_t n = 0;
    for (size_t i = 0; i < rules->n_columns; i++)
        if (!rules->columns[i].is_ignored && (int)i != rules->as_of_column && (int)i != rules->loaded_at_column)
            columns[n++] = i;
    return n;
}

static struct sf_str header_line(struct sf_arena *arena, const struct cutter *c)
{
    struct sf_str line = SF_STR(SF_RAW_LINE);
    if (c->rules->contract == SF_CONTRACT_DISCARD_ROW)
        line = SF_STR(SF_RAW_LINE "," SF_RAW_UNKNOWN);
    for (size_t i = 0; i < c->n_columns; i++)
        line = sf_str_fmt(arena, "%.*s,%.*s", SF_ARG(line), SF_ARG(c->rules->columns[c->columns[i]].name));
    return line;
}

static char *scratch(struct cutter *c, size_t n)
{
    if (n > c->cap_scratch) {
        c->cap_scratch = 2 * n;
        c->scratch = sf_arena_alloc(c->parser.arena, c->cap_scratch);
    }
    return c->scratch;
}

/* A field as it stands, where that is what every reader of CSV takes it for. */
static void add_field(struct cutter *c, struct sf_str raw)
{
    sf_buf_addc(&c->line, ',');
    bool is_quoted = sf_csv_is_quoted(raw);
    if (raw.n <= SF_RAW_MAX_FIELD && (is_quoted || !memchr(raw.p, '"', raw.n))) {
        sf_buf_add(&c->line, raw);
        return;
    }
    struct sf_str value = sf_csv_value(raw, is_quoted ? scratch(c, raw.n) : NULL);
    if (value.n > SF_RAW_MAX_FIELD)
        value = sf_text_trim(value);
    while (value.n > SF_RAW_MAX_FIELD || (value.n && !sf_str_is_utf8(value)))
        value.n = value.n > SF_RAW_MAX_FIELD ? SF_RAW_MAX_FIELD : value.n - 1;
    if (value.n)
        sf_csv_write_field(&c->line, value);
}

static enum sf_code close_file(struct cutter *c, struct sf_err *err)
{
    struct sf_object_file object;
    if (!c->output)
        return SF_OK;
    struct sf_output *output = c->output;
    c->output = NULL;
    enum sf_code rc = sf_output_close(output, c->arena, &object, err);
    if (rc)
        return rc;
    struct sf_value *file = sf_value_map(c->arena);
    sf_map_set_str(c->arena, file, "key", object.key);
    sf_map_set_int(c->arena, file, "rows", (int64_t)object.rows);
    sf_map_set_int(c->arena, file, "bytes", (int64_t)object.bytes);
    sf_map_set_str(c->arena, file, "sha256", sf_str_of(object.sha256));
    sf_map_add(c->arena, c->files, sf_str_fmt(c->arena, "%04zu", c->files->map.n + 1), file);
    sf_buf_addf(&c->identity, "%s\n", object.sha256);
    return SF_OK;
}

static enum sf_code add_record(struct cutter *c, const struct sf_csv_record *r, uint64_t line, struct sf_err *err)
{
    if (r->n_fields != c->layout.n_fields)
        return sf_csv_fail_ragged(r, c->layout.n_fields, err);
    enum sf_code rc = sf_parser_stamps(&c->parser, r, err);
    if (!rc && !c->output)
        rc = sf_output_open(c->objects_dir, SF_STR("raw"), c->header, &c->output, err);
    if (rc)
        return rc;
    sf_buf_clear(&c->line);
    sf_buf_addf(&c->line, "%llu", (unsigned long long)line);
    if (c->rules->contract == SF_CONTRACT_DISCARD_ROW) {
        struct sf_str unknown = sf_parser_unknown(&c->parser, r);
        sf_buf_addc(&c->line, ',');
        if (unknown.n)
            sf_csv_write_field(&c->line, unknown);
    }
    for (size_t i = 0; i < c->n_columns; i++) {
        int place = c->layout.place[c->columns[i]];
        if (place < 0)
            sf_buf_addc(&c->line, ',');
        else
            add_field(c, sf_csv_raw(r, (size_t)place));
    }
    c->n_rows++;
    c->n_bytes += c->line.n + 1;
    rc = sf_output_row_hashed(c->output, sf_buf_str(&c->line), 0, err);
    if (rc || c->n_bytes < c->most_bytes)
        return rc;
    c->n_bytes = 0;
    return close_file(c, err);
}

static uint64_t count_lines(const struct sf_csv_chunk *chunk, size_t from, size_t to)
{
    uint64_t n = 0;
    char end = chunk->eol == SF_CSV_EOL_CR ? '\r' : '\n';
    for (size_t i = from; i < to; i++)
        n += chunk->bytes[i] == end;
    return n;
}

static enum sf_code add_chunk(struct cutter *c, const struct sf_csv_chunk *chunk, bool is_first, struct sf_err *err)
{
    struct sf_csv_record r;
    bool more = sf_csv_first(chunk, &r);
    uint64_t line = chunk->first_line;
    enum sf_code rc = SF_OK;
    for (bool is_header = is_first; more && !rc; is_header = false) {
        size_t start = r.start;
        if (!is_header)
            rc = add_record(c, &r, line, err);
        more = sf_csv_next(&r);
        if (more)
            line += count_lines(chunk, start, r.start);
    }
    return rc;
}

static enum sf_code cut(struct cutter *c, struct sf_source *source, const struct sf_conform_options *options,
                        struct sf_csv_chunk *chunk, struct sf_err *err)
{
    bool end = false;
    enum sf_code rc = SF_OK;
    for (bool is_first = true; !rc; is_first = false) {
        if (options->progress)
            options->progress(options->ctx, "rows read", c->n_rows);
        if (options->is_cancelled && options->is_cancelled(options->ctx))
            return sf_fail(err, SF_E_CANCELLED, "reading the source was interrupted");
        rc = sf_source_next(source, chunk, &end, err);
        if (!rc && end && is_first) {
            sf_fail(err, SF_E_DATA, "'%s' line 1, column 1: the source is empty: not even a header", chunk->file);
            sf_hint(err, "fetch the file again");
            return SF_E_DATA;
        }
        if (rc || end)
            break;
        rc = sf_csv_index(chunk, err);
        struct sf_csv_record header;
        if (!rc && is_first && sf_csv_first(chunk, &header)) {
            rc = sf_layout_read(c->parser.arena, c->rules, &header, &c->layout, err);
            c->parser.layout = &c->layout;
        }
        if (!rc)
            rc = add_chunk(c, chunk, is_first, err);
    }
    return rc ? rc : close_file(c, err);
}

enum sf_code sf_raw_run(struct sf_arena *arena, const struct sf_rules *rules, struct sf_source *source,
                        const struct sf_conform_options *options, const struct sf_value **summary, struct sf_err *err)
{
    struct sf_arena *own = sf_arena_new();
    struct sf_csv_chunk chunk = {.bytes = NULL};
    struct cutter c = {.arena = arena, .rules = rules, .line = SF_BUF(MAX_LINE), .identity = SF_BUF(16 * 1024 * 1024)};
    c.objects_dir = sf_str_fmt(own, "%s/objects", options->cache_dir).p;
    c.n_columns = sf_raw_columns(rules, c.columns);
    c.header = header_line(own, &c);
    c.files = sf_value_map(arena);
    c.layout.rules = rules;
    c.most_bytes = options->slice_bytes ? options->slice_bytes : SF_RAW_FILE_BYTES;
    sf_parser_open(&c.parser, &c.layout, NULL, 0);
    enum sf_code rc = sf_output_make_dir(c.objects_dir, err);
    if (!rc)
        rc = cut(&c, source, options, &chunk, err);
    sf_output_abandon(c.output);
    if (!rc) {
        struct sf_value *out = sf_value_map(arena);
        sf_map_set_str(arena, out, "rules", rules->hash);
        sf_map_set_str(arena, out, "snapshot", sf_str_slice(sf_sha256_hex(arena, sf_buf_str(&c.identity)), 0, 16));
        sf_map_set_int(arena, out, "source_rows", (int64_t)c.n_rows);
        sf_map_set_str(arena, out, "data_as_of", sf_str_dup(arena, c.parser.stamps[0]));
        sf_map_set_str(arena, out, "data_loaded_at", sf_str_dup(arena, c.parser.stamps[1]));
        sf_map_set_bool(arena, out, "lacks_final_newline", sf_source_lacks_final_newline(source));
        sf_map_set(arena, out, SF_STR("tables"), sf_value_map(arena));
        sf_map_set(arena, out, SF_STR("years"), sf_value_map(arena));
        sf_map_set(arena, out, SF_STR("raw"), c.files);
        *summary = out;
    }
    sf_parser_close(&c.parser);
    sf_csv_chunk_free(&chunk);
    sf_buf_free(&c.line);
    sf_buf_free(&c.identity);
    sf_arena_free(own);
    return rc;
}
