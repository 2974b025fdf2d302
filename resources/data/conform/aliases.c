/* See aliases.h. Each line is put together from texts that the packer is told about: a member's number comes at every level, a
 * department's code and name with every member of it. */
#include "resources/data/conform/aliases.h"

#include "engine/core/map.h"
#include "resources/data/conform/csv.h"
#include "resources/data/conform/text.h"

#include <stdlib.h>

enum {
    MAX_LINE = 16 * 1024 * 1024,
    MOST_TOLD = SF_PACK_MAX_ROW / 2, /* of a text that the packer is told about */
};

struct sf_str sf_aliases_columns(void)
{
    return SF_STR("dimension,level,member_id,fiscal_year,source_code,source_name,row_count,amount");
}

/* A text with its place in the file at hand, readable behind its end as the packer wants it. */
struct token {
    const char *p;
    size_t n;
    uint64_t place;
};

/* A code and name as they stand in the source. */
struct alias_text {
    struct sf_str code, name;
    struct token token;
    uint32_t file; /* that its place is of */
};

/* Of one raw at one level. */
struct sf_alias {
    struct alias_text *text; /* NULL: not known yet */
    uint64_t hash;           /* of all that stands before rows and amount but the year */
};

struct sf_alias_use {
    struct sf_alias *alias;
    uint64_t rows;
    int64_t cents;
};

struct writer {
    struct sf_alias_scratch *scratch;
    struct sf_output *output;
    struct sf_pack *pack;
    struct sf_arena *arena; /* of this file */
    const struct sf_members *members;
    struct sf_alias *aliases;
    struct token levels[SF_RULES_MAX_LEVELS]; /* dimension and level */
    struct token member;                      /* number and year */
    char member_text[2 * (SF_TEXT_INT_MAX + 1) + SF_PACK_TOKEN];
    int year;
    struct sf_buf line;
    /* of the line before: those of all levels of a member are mostly the same */
    char amount_text[SF_TEXT_INT_MAX + SF_TEXT_MONEY_MAX + 2 + SF_PACK_TOKEN];
    struct token amount;
    uint64_t rows;
    int64_t cents;
    uint64_t n, sum; /* of the file */
};

static int order_uses(const void *a, const void *b)
{
    const struct alias_text *x = ((const struct sf_alias_use *)a)->alias->text, *y = ((const struct sf_alias_use *)b)->alias->text;
    int by_code = sf_str_cmp(x->code, y->code);
    return by_code ? by_code : sf_str_cmp(x->name, y->name);
}

static struct token keep_token(struct sf_arena *arena, struct sf_str s)
{
    char *p = sf_arena_alloc(arena, s.n + SF_PACK_TOKEN);
    memcpy(p, s.p, s.n);
    return (struct token){p, s.n, 0};
}

static struct sf_str level_name(const struct sf_members *m, size_t level)
{
    return m->rules->columns[m->dimension->levels[level].name].name;
}

static void add_field(struct sf_buf *line, struct sf_str s)
{
    if (s.n)
        sf_csv_write_field(line, s);
    sf_buf_addc(line, ',');
}

/* One of a code and name, whoever has them. */
static struct alias_text *find_text(struct writer *w, struct sf_str code, struct sf_str name)
{
    struct sf_alias_scratch *s = w->scratch;
    sf_buf_clear(&w->line);
    add_field(&w->line, code);
    add_field(&w->line, name);
    struct alias_text *text = sf_map_find(s->texts, sf_buf_str(&w->line));
    if (text)
        return text;
    text = SF_NEW(s->arena, struct alias_text);
    *text = (struct alias_text){.code = code, .name = name, .token = keep_token(s->arena, sf_buf_str(&w->line))};
    sf_map_put(s->texts, (struct sf_str){text->token.p, text->token.n}, text);
    return text;
}

static struct sf_alias *find_alias(struct writer *w, size_t number, size_t level)
{
    const struct sf_rule_dimension *d = w->members->dimension;
    const struct sf_raw *raw = &w->members->raws[number];
    struct sf_alias *alias = &w->aliases[number * d->n_levels + level];
    if (alias->text)
        return alias;
    alias->text = find_text(w, sf_raw_code(d, raw, level), sf_raw_name(d, raw, level));
    const struct sf_str parts[] = {
        d->name, level_name(w->members, level), {raw->id_text, raw->id_length}, alias->text->code, alias->text->name};
    sf_buf_clear(&w->line);
    for (size_t i = 0; i < SF_COUNT(parts); i++)
        sf_text_part(&w->line, parts[i]);
    alias->hash = sf_text_hash60(sf_buf_str(&w->line));
    return alias;
}

static enum sf_code put_token(struct writer *w, struct token *t, struct sf_err *err)
{
    if (t->n > MOST_TOLD)
        return sf_output_text(w->output, (struct sf_str){t->p, t->n}, err);
    sf_pack_token(w->pack, t->p, t->n, &t->place);
    return SF_OK;
}

static void set_amount(struct writer *w, uint64_t rows, int64_t cents)
{
    if (w->amount.n && rows == w->rows && cents == w->cents)
        return;
    size_t n = sf_text_write_int((int64_t)rows, w->amount_text);
    w->amount_text[n++] = ',';
    n += sf_text_write_money(cents, w->amount_text + n);
    w->amount_text[n++] = '\n';
    w->amount = (struct token){w->amount_text, n, 0};
    w->rows = rows;
    w->cents = cents;
}

static enum sf_code write_alias(struct writer *w, size_t level, const struct sf_alias_use *use, struct sf_err *err)
{
    const uint64_t factor = 0x9e3779b97f4a7c15;
    struct alias_text *text = use->alias->text;
    if (text->file != w->scratch->n_files)
        text->token.place = 0;
    text->file = w->scratch->n_files;
    set_amount(w, use->rows, use->cents);
    struct token *const tokens[] = {&w->levels[level], &w->member, &text->token, &w->amount};
    enum sf_code rc = SF_OK;
    for (size_t i = 0; i < SF_COUNT(tokens) && !rc; i++)
        rc = put_token(w, tokens[i], err);
    if (!rc && sf_pack_is_full(w->pack))
        rc = sf_output_drain(w->output, err);
    w->n++;
    /* the row's part of the file's digest: see aliases.h */
    w->sum += use->alias->hash * (2 * (((uint64_t)w->year * factor + use->rows) * factor + (uint64_t)use->cents) + 1);
    return rc;
}

/* All uses of one member at one level: equal codes and names are added up. */
static enum sf_code write_level(struct writer *w, size_t level, const struct sf_usage *usage, size_t n, struct sf_err *err)
{
    struct sf_alias_use *uses = w->scratch->uses;
    for (size_t i = 0; i < n; i++)
        uses[i] = (struct sf_alias_use){find_alias(w, usage[i].raw, level), usage[i].rows, usage[i].cents};
    if (n > 1)
        qsort(uses, n, sizeof *uses, order_uses);
    enum sf_code rc = SF_OK;
    for (size_t i = 0; i < n && !rc;) {
        struct sf_alias_use sum = uses[i++];
        for (; i < n && sum.alias->text == uses[i].alias->text; i++) {
            sum.rows += uses[i].rows;
            sum.cents += uses[i].cents;
        }
        rc = write_alias(w, level, &sum, err);
    }
    return rc;
}

/* All that a year used of one member. */
static enum sf_code write_member(struct writer *w, const struct sf_usage *usage, size_t n, struct sf_err *err)
{
    struct sf_alias_scratch *s = w->scratch;
    if (n > s->cap_uses) {
        free(s->uses);
        s->cap_uses = 2 * n;
        s->uses = malloc(s->cap_uses * sizeof *s->uses);
        if (!s->uses)
            sf_out_of_memory();
    }
    const struct sf_raw *raw = &w->members->raws[usage[0].raw];
    size_t at = raw->id_length;
    memcpy(w->member_text, raw->id_text, at);
    w->member_text[at++] = ',';
    at += sf_text_write_int(w->year, w->member_text + at);
    w->member_text[at++] = ',';
    w->member = (struct token){w->member_text, at, 0};
    enum sf_code rc = SF_OK;
    for (size_t level = 0; level < w->members->dimension->n_levels && !rc; level++)
        rc = write_level(w, level, usage, n, err);
    return rc;
}

static enum sf_code write_dimension(struct writer *w, const struct sf_members *m, const struct sf_usage *usage, size_t n,
                                    struct sf_err *err)
{
    w->members = m;
    for (size_t i = 0; i < m->dimension->n_levels; i++)
        w->levels[i] =
            keep_token(w->arena, sf_str_fmt(w->arena, "%.*s,%.*s,", SF_ARG(m->dimension->name), SF_ARG(level_name(m, i))));
    enum sf_code rc = SF_OK;
    for (size_t i = 0, end; i < n && !rc; i = end) {
        size_t after = sf_members_end(m, usage[i].raw);
        for (end = i + 1; end < n && usage[end].raw < after;)
            end++;
        rc = write_member(w, usage + i, end - i, err);
    }
    return rc;
}

static void begin(struct sf_alias_scratch *s, const struct sf_year_input *in)
{
    s->n_files++;
    if (s->arena)
        return;
    s->arena = sf_arena_new();
    s->texts = sf_map_new(s->arena);
    for (size_t d = 0; d < in->rules->n_dimensions; d++) {
        s->aliases[d] = calloc(in->members[d].n * in->rules->dimensions[d].n_levels + 1, sizeof *s->aliases[d]);
        if (!s->aliases[d])
            sf_out_of_memory();
    }
}

void sf_alias_scratch_free(struct sf_alias_scratch *s)
{
    sf_arena_free(s->arena);
    for (size_t d = 0; d < SF_RULES_MAX_DIMENSIONS; d++)
        free(s->aliases[d]);
    free(s->uses);
    *s = (struct sf_alias_scratch){.arena = NULL};
}

enum sf_code sf_aliases_write(const struct sf_year_input *in, const struct sf_year *year, struct sf_alias_scratch *scratch,
                              struct sf_pack *pack, struct sf_arena *arena, struct sf_object_file *out, struct sf_err *err)
{
    const struct sf_rules *rules = in->rules;
    struct writer w = {.scratch = scratch, .pack = pack, .arena = arena, .year = year->year, .line = SF_BUF(MAX_LINE)};
    struct sf_str folder = sf_str_fmt(arena, "%.*s/%.*s=%d", SF_ARG(rules->alias_table), SF_ARG(rules->partition), year->year);
    enum sf_code rc = sf_output_open_with(pack, in->objects_dir, folder, sf_aliases_columns(), &w.output, err);
    if (rc)
        return rc;
    begin(scratch, in);
    for (size_t d = 0; d < rules->n_dimensions && !rc; d++) {
        w.aliases = scratch->aliases[d];
        rc = write_dimension(&w, &in->members[d], year->usage[d], year->n_usage[d], err);
    }
    sf_buf_free(&w.line);
    if (rc) {
        sf_output_abandon(w.output);
        return rc;
    }
    sf_output_count(w.output, w.n, w.sum);
    return sf_output_close(w.output, arena, out, err);
}
