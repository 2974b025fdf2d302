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

struct sf_str sf_table_alias_columns(void)
{
    return SF_STR("dimension,level,member_id,fiscal_year,source_code,source_name,row_count,amount");
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

/* --- codes through time --- */

/* A code and name as they stand in the source, of one raw at one level. */
struct alias {
    struct sf_str code, name;
    struct sf_str line; /* what stands before the year, then what stands behind it, with its commas */
    size_t n_before;
    uint64_t hash; /* of all of that */
};

struct alias_use {
    const struct alias *alias;
    uint64_t rows;
    int64_t cents;
};

static int order_uses(const void *a, const void *b)
{
    const struct sf_use *x = a, *y = b;
    if (x->year != y->year)
        return x->year < y->year ? -1 : 1;
    return (x->raw > y->raw) - (x->raw < y->raw);
}

static int order_aliases(const void *a, const void *b)
{
    const struct alias *x = ((const struct alias_use *)a)->alias, *y = ((const struct alias_use *)b)->alias;
    int by_code = sf_str_cmp(x->code, y->code);
    return by_code ? by_code : sf_str_cmp(x->name, y->name);
}

struct alias_writer {
    const struct sf_table_input *in;
    struct sf_output *output;
    struct sf_arena *arena; /* of one member */
    struct alias *aliases;  /* of its raws from first_raw on, by level */
    size_t first_raw, n_levels;
    struct alias_use *uses; /* scratch */
    size_t cap_uses;
    struct sf_buf line;
};

static void make_alias(struct alias_writer *w, size_t dimension, const struct sf_raw *raw, size_t level, struct alias *out)
{
    const struct sf_rule_dimension *d = w->in->members[dimension].dimension;
    struct sf_str level_name = w->in->rules->columns[d->levels[level].name].name;
    out->code = sf_raw_code(d, raw, level);
    out->name = sf_raw_name(d, raw, level);
    struct sf_str id = {raw->id_text, raw->id_length};
    sf_buf_clear(&w->line);
    sf_text_part(&w->line, d->name);
    sf_text_part(&w->line, level_name);
    sf_text_part(&w->line, id);
    sf_text_part(&w->line, out->code);
    sf_text_part(&w->line, out->name);
    out->hash = sf_text_hash60(sf_buf_str(&w->line));
    sf_buf_clear(&w->line);
    add_text(&w->line, d->name);
    add_text(&w->line, level_name);
    add_text(&w->line, id);
    out->n_before = w->line.n;
    add_text(&w->line, out->code);
    add_text(&w->line, out->name);
    sf_buf_addc(&w->line, ',');
    out->line = sf_str_dup(w->arena, sf_buf_str(&w->line));
}

static size_t copy(char *out, struct sf_str s)
{
    memcpy(out, s.p, s.n);
    return s.n;
}

/* The row's part of the table's digest: see tables.h. */
static uint64_t hash_of(const struct alias_use *use, int year)
{
    const uint64_t factor = 0x9e3779b97f4a7c15;
    uint64_t sum = ((uint64_t)year * factor + use->rows) * factor + (uint64_t)use->cents;
    return use->alias->hash * (2 * sum + 1);
}

static enum sf_code write_alias(struct alias_writer *w, const struct alias_use *use, int year, struct sf_err *err)
{
    const struct alias *alias = use->alias;
    char few[512], *line = few;
    size_t need = alias->line.n + 3 * (SF_TEXT_MONEY_MAX + 1);
    if (need > sizeof few)
        line = sf_arena_alloc(w->arena, need);
    size_t n = copy(line, sf_str_slice(alias->line, 0, alias->n_before));
    line[n++] = ',';
    n += sf_text_write_int(year, line + n);
    n += copy(line + n, sf_str_slice(alias->line, alias->n_before, alias->line.n));
    n += sf_text_write_int((int64_t)use->rows, line + n);
    line[n++] = ',';
    n += sf_text_write_money(use->cents, line + n);
    return sf_output_row_hashed(w->output, (struct sf_str){line, n}, hash_of(use, year), err);
}

/* All uses of one member in one year, at one level: equal codes and names are added up. */
static enum sf_code write_level(struct alias_writer *w, size_t level, const struct sf_use *uses, size_t n, struct sf_err *err)
{
    if (n > w->cap_uses) {
        free(w->uses);
        w->cap_uses = 2 * n;
        w->uses = calloc(w->cap_uses, sizeof *w->uses);
        if (!w->uses)
            sf_out_of_memory();
    }
    for (size_t i = 0; i < n; i++)
        w->uses[i] =
            (struct alias_use){&w->aliases[(uses[i].raw - w->first_raw) * w->n_levels + level], uses[i].rows, uses[i].cents};
    if (n > 1)
        qsort(w->uses, n, sizeof *w->uses, order_aliases);
    for (size_t i = 0; i < n;) {
        struct alias_use sum = w->uses[i++];
        for (; i < n && order_aliases(&sum, &w->uses[i]) == 0; i++) {
            sum.rows += w->uses[i].rows;
            sum.cents += w->uses[i].cents;
        }
        enum sf_code rc = write_alias(w, &sum, uses[0].year, err);
        if (rc)
            return rc;
    }
    return SF_OK;
}

/* All uses of one member, in a copy that may be reordered; its raws are first_raw to `end`. */
static enum sf_code write_member(struct alias_writer *w, size_t dimension, size_t end_raw, struct sf_use *uses, size_t n,
                                 struct sf_err *err)
{
    const struct sf_members *m = &w->in->members[dimension];
    w->n_levels = m->dimension->n_levels;
    w->arena = sf_arena_new();
    w->aliases = SF_NEW_ARRAY(w->arena, (end_raw - w->first_raw) * w->n_levels, struct alias);
    for (size_t raw = w->first_raw; raw < end_raw; raw++)
        for (size_t level = 0; level < w->n_levels; level++)
            make_alias(w, dimension, &m->raws[raw], level, &w->aliases[(raw - w->first_raw) * w->n_levels + level]);
    qsort(uses, n, sizeof *uses, order_uses);
    enum sf_code rc = SF_OK;
    for (size_t i = 0; i < n && !rc;) {
        size_t end = i;
        while (end < n && uses[end].year == uses[i].year)
            end++;
        for (size_t level = 0; level < w->n_levels && !rc; level++)
            rc = write_level(w, level, uses + i, end - i, err);
        i = end;
    }
    sf_arena_free(w->arena);
    return rc;
}

static enum sf_code write_dimension_aliases(struct alias_writer *w, size_t dimension, struct sf_err *err)
{
    const struct sf_members *m = &w->in->members[dimension];
    size_t n = w->in->n_uses[dimension];
    struct sf_use *uses = calloc(n ? n : 1, sizeof *uses);
    if (!uses)
        sf_out_of_memory();
    memcpy(uses, w->in->uses[dimension], n * sizeof *uses);
    enum sf_code rc = SF_OK;
    for (size_t i = 0; i < n && !rc;) {
        size_t end = i, after = sf_members_end(m, uses[i].raw);
        while (end < n && uses[end].raw < after)
            end++;
        w->first_raw = uses[i].raw;
        rc = write_member(w, dimension, after, uses + i, end - i, err);
        i = end;
    }
    free(uses);
    return rc;
}

enum sf_code sf_table_aliases(const struct sf_table_input *in, struct sf_arena *arena, struct sf_object_file *out,
                              struct sf_err *err)
{
    struct alias_writer w = {.in = in, .line = SF_BUF(MAX_LINE)};
    enum sf_code rc = sf_output_open(in->objects_dir, in->rules->alias_table, sf_table_alias_columns(), &w.output, err);
    if (rc)
        return rc;
    for (size_t d = 0; d < in->rules->n_dimensions && !rc; d++)
        rc = write_dimension_aliases(&w, d, err);
    free(w.uses);
    return finish(w.output, &w.line, arena, rc, out, err);
}
