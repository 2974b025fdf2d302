/* See tables.h. Every table is written in an order that its content decides. */
#include "resources/data/conform/tables.h"

#include "engine/core/map.h"
#include "resources/data/conform/csv.h"
#include "resources/data/conform/text.h"

#include <stdlib.h>

enum { MAX_LINE = 16 * 1024 * 1024 };

static void add_text(struct sf_buf *line, struct sf_str s)
{
    if (line->n)
        sf_buf_addc(line, ',');
    if (s.n)
        sf_csv_write_field(line, s);
}

static void add_int(struct sf_buf *line, int64_t value)
{
    char text[SF_TEXT_INT_MAX + 1];
    add_text(line, (struct sf_str){text, sf_text_write_int(value, text)});
}

struct sf_str sf_table_dimension_columns(struct sf_arena *arena, const struct sf_rules *rules, size_t dimension)
{
    const struct sf_rule_dimension *d = &rules->dimensions[dimension];
    struct sf_str line = d->key;
    for (size_t i = d->n_levels; i-- > 0;) {
        line = sf_str_fmt(arena, "%.*s,%.*s", SF_ARG(line), SF_ARG(rules->columns[d->levels[i].name].name));
        if (d->levels[i].has_code)
            line = sf_str_fmt(arena, "%.*s,%.*s", SF_ARG(line), SF_ARG(rules->columns[d->levels[i].code].name));
    }
    if (d->has_flag)
        line = sf_str_fmt(arena, "%.*s,%.*s", SF_ARG(line), SF_ARG(rules->columns[d->flag.column].name));
    return line;
}

struct sf_str sf_table_side_columns(struct sf_arena *arena, const struct sf_rules *rules)
{
    return sf_str_fmt(arena, "%.*s,%.*s", SF_ARG(rules->side_key), SF_ARG(rules->columns[rules->side_column].name));
}

struct sf_str sf_table_crosswalk_columns(struct sf_arena *arena, const struct sf_rules *rules)
{
    return sf_str_fmt(arena, "%.*s,%.*s,basis", SF_ARG(rules->legacy_key), SF_ARG(rules->current_key));
}

static enum sf_code finish(struct sf_output *output, struct sf_buf *line, struct sf_arena *arena, enum sf_code rc,
                           struct sf_object_file *out, struct sf_err *err)
{
    sf_buf_free(line);
    if (rc) {
        sf_output_abandon(output);
        return rc;
    }
    return sf_output_close(output, arena, out, err);
}

/* The first raw of the member that has rows, or NULL: its names are the member's. */
static const struct sf_raw *first_used(const struct sf_members *m, size_t from, size_t end)
{
    for (size_t i = from; i < end; i++)
        if (m->raws[i].last_year)
            return &m->raws[i];
    return NULL;
}

enum sf_code sf_table_dimension(const struct sf_table_input *in, size_t dimension, struct sf_arena *arena,
                                struct sf_object_file *out, struct sf_err *err)
{
    const struct sf_members *m = &in->members[dimension];
    const struct sf_rule_dimension *d = m->dimension;
    struct sf_output *output;
    enum sf_code rc =
        sf_output_open(in->objects_dir, d->name, sf_table_dimension_columns(arena, in->rules, dimension), &output, err);
    if (rc)
        return rc;
    struct sf_buf line = SF_BUF(MAX_LINE);
    for (size_t i = 0; i < m->n && !rc;) {
        size_t end = sf_members_end(m, i);
        const struct sf_raw *raw = first_used(m, i, end);
        i = end;
        if (!raw)
            continue;
        sf_buf_clear(&line);
        add_int(&line, raw->id);
        for (size_t level = d->n_levels; level-- > 0;) {
            const struct sf_spelling *s = sf_spellings_get(in->spellings[dimension], raw, level);
            add_text(&line, s->name);
            if (d->levels[level].has_code)
                add_text(&line, s->code);
        }
        if (d->has_flag)
            add_text(&line, sf_raw_flag(d, raw));
        rc = sf_output_row(output, sf_buf_str(&line), err);
    }
    return finish(output, &line, arena, rc, out, err);
}

enum sf_code sf_table_sides(const struct sf_table_input *in, struct sf_arena *arena, struct sf_object_file *out, struct sf_err *err)
{
    const struct sf_rules *rules = in->rules;
    struct sf_output *output;
    enum sf_code rc = sf_output_open(in->objects_dir, rules->side_table, sf_table_side_columns(arena, rules), &output, err);
    if (rc)
        return rc;
    struct sf_buf line = SF_BUF(MAX_LINE);
    for (size_t i = 0; i < rules->n_sides && !rc; i++) {
        sf_buf_clear(&line);
        add_int(&line, rules->sides[i].id);
        add_text(&line, rules->sides[i].text);
        rc = sf_output_row(output, sf_buf_str(&line), err);
    }
    return finish(output, &line, arena, rc, out, err);
}
