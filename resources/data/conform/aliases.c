/* See aliases.h. */
#include "resources/data/conform/aliases.h"

#include "resources/data/conform/csv.h"
#include "resources/data/conform/text.h"

#include <stdlib.h>

enum {
    PART_USES = 8192, /* of about three lines each: some twenty parts for the city's table */
    MAX_LINE = 16 * 1024 * 1024,
    MOST_TOLD = SF_PACK_MAX_ROW / 2, /* of a text that the packer is told about */
};

/* A text that begins with its place in the part's text, and is readable behind its end as the packer wants it. */
struct token {
    const char *p;
    size_t n;
    uint64_t place;
};

/* A code and name as they stand in the source, of one raw at one level. */
struct alias {
    struct sf_str code, name;
    struct token both;
    uint64_t hash; /* of all that stands before rows and amount but the year */
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
    const struct sf_members *members;
    struct sf_alias_part *part;
    struct sf_pack *pack;
    struct sf_arena *arena;                       /* of one member */
    struct token levels[SF_RULES_MAX_LEVELS], id; /* dimension and level; member */
    struct alias *aliases;                        /* of its raws from first_raw on, by level */
    size_t first_raw, n_levels;
    struct alias_use *uses; /* scratch */
    size_t cap_uses;
    struct sf_buf line;
    /* of the line before: those of all levels of a member are mostly the same */
    char amount[SF_TEXT_INT_MAX + SF_TEXT_MONEY_MAX + SF_PACK_TOKEN];
    size_t n_amount;
    uint64_t amount_place, rows;
    int64_t cents;
};

static void add_field(struct sf_buf *line, struct sf_str s)
{
    if (s.n)
        sf_csv_write_field(line, s);
    sf_buf_addc(line, ',');
}

static struct token keep_token(struct sf_arena *arena, struct sf_str s)
{
    char *p = sf_arena_alloc(arena, s.n + SF_PACK_TOKEN);
    memcpy(p, s.p, s.n);
    return (struct token){p, s.n, 0};
}

static struct sf_str level_name(const struct alias_writer *w, size_t level)
{
    const struct sf_members *m = w->members;
    return m->rules->columns[m->dimension->levels[level].name].name;
}

static void make_alias(struct alias_writer *w, const struct sf_raw *raw, size_t level, struct alias *out)
{
    const struct sf_rule_dimension *d = w->members->dimension;
    out->code = sf_raw_code(d, raw, level);
    out->name = sf_raw_name(d, raw, level);
    sf_buf_clear(&w->line);
    sf_text_part(&w->line, d->name);
    sf_text_part(&w->line, level_name(w, level));
    sf_text_part(&w->line, (struct sf_str){raw->id_text, raw->id_length});
    sf_text_part(&w->line, out->code);
    sf_text_part(&w->line, out->name);
    out->hash = sf_text_hash60(sf_buf_str(&w->line));
    sf_buf_clear(&w->line);
    add_field(&w->line, out->code);
    add_field(&w->line, out->name);
    out->both = keep_token(w->arena, sf_buf_str(&w->line));
}

static void keep_piece(struct alias_writer *w, struct sf_str piece)
{
    if (piece.n)
        sf_buf_add(&w->part->out.packed, piece);
}

static void put_token(struct alias_writer *w, struct token *t)
{
    if (t->n <= MOST_TOLD) {
        sf_pack_token(w->pack, t->p, t->n, &t->place);
        return;
    }
    for (struct sf_str s = {t->p, t->n}; s.n;)
        keep_piece(w, sf_pack_add(w->pack, &s));
}

static void put_year(struct alias_writer *w, int year)
{
    char *room = sf_pack_room(w->pack);
    size_t n = sf_text_write_int(year, room);
    room[n] = ',';
    sf_pack_wrote(w->pack, n + 1);
}

static void put_amount(struct alias_writer *w, uint64_t rows, int64_t cents)
{
    if (w->n_amount == 0 || rows != w->rows || cents != w->cents) {
        size_t n = sf_text_write_int((int64_t)rows, w->amount);
        w->amount[n++] = ',';
        n += sf_text_write_money(cents, w->amount + n);
        w->amount[n++] = '\n';
        w->n_amount = n;
        w->amount_place = 0;
        w->rows = rows;
        w->cents = cents;
    }
    sf_pack_token(w->pack, w->amount, w->n_amount, &w->amount_place);
}

static void write_alias(struct alias_writer *w, struct token *level, struct alias *alias, int year, uint64_t rows, int64_t cents)
{
    const uint64_t factor = 0x9e3779b97f4a7c15;
    put_token(w, level);
    put_token(w, &w->id);
    put_year(w, year);
    put_token(w, &alias->both);
    put_amount(w, rows, cents);
    if (sf_pack_is_full(w->pack))
        keep_piece(w, sf_pack_take(w->pack));
    w->part->out.rows++;
    /* the row's part of the table's digest: see aliases.h */
    w->part->out.sum += alias->hash * (2 * (((uint64_t)year * factor + rows) * factor + (uint64_t)cents) + 1);
}

/* All uses of one member in one year, at one level: equal codes and names are added up. */
static void write_level(struct alias_writer *w, size_t level, const struct sf_use *uses, size_t n)
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
        write_alias(w, &w->levels[level], &w->aliases[sum.alias - w->aliases], uses[0].year, sum.rows, sum.cents);
    }
}

/* All uses of one member, in a copy that may be reordered; its raws are first_raw to `end`. */
static void write_member(struct alias_writer *w, size_t end_raw, struct sf_use *uses, size_t n)
{
    const struct sf_members *m = w->members;
    const struct sf_raw *first = &m->raws[w->first_raw];
    w->aliases = SF_NEW_ARRAY(w->arena, (end_raw - w->first_raw) * w->n_levels, struct alias);
    for (size_t raw = w->first_raw; raw < end_raw; raw++)
        for (size_t level = 0; level < w->n_levels; level++)
            make_alias(w, &m->raws[raw], level, &w->aliases[(raw - w->first_raw) * w->n_levels + level]);
    w->id = keep_token(w->arena, sf_str_fmt(w->arena, "%.*s,", (int)first->id_length, first->id_text));
    if (n > 1)
        qsort(uses, n, sizeof *uses, order_uses);
    for (size_t i = 0; i < n;) {
        size_t end = i;
        while (end < n && uses[end].year == uses[i].year)
            end++;
        for (size_t level = 0; level < w->n_levels; level++)
            write_level(w, level, uses + i, end - i);
        i = end;
    }
}

static void write_part(const struct sf_table_input *in, struct sf_alias_part *part)
{
    struct alias_writer w = {.members = &in->members[part->dimension],
                             .part = part,
                             .pack = sf_pack_new_part(),
                             .arena = sf_arena_new(),
                             .line = SF_BUF(MAX_LINE)};
    const struct sf_rule_dimension *d = w.members->dimension;
    w.n_levels = d->n_levels;
    for (size_t i = 0; i < d->n_levels; i++)
        w.levels[i] = keep_token(w.arena, sf_str_fmt(w.arena, "%.*s,%.*s,", SF_ARG(d->name), SF_ARG(level_name(&w, i))));
    size_t n = part->to - part->from;
    struct sf_use *uses = calloc(n ? n : 1, sizeof *uses);
    if (!uses)
        sf_out_of_memory();
    if (n)
        memcpy(uses, in->uses[part->dimension] + part->from, n * sizeof *uses);
    for (size_t i = 0; i < n;) {
        size_t end = i, after = sf_members_end(w.members, uses[i].raw);
        while (end < n && uses[end].raw < after)
            end++;
        w.first_raw = uses[i].raw;
        write_member(&w, after, uses + i, end - i);
        i = end;
    }
    keep_piece(&w, sf_pack_cut(w.pack));
    part->out.crc = w.pack->crc;
    part->out.n_bytes = w.pack->n_bytes;
    sf_pack_free(w.pack);
    sf_arena_free(w.arena);
    sf_buf_free(&w.line);
    free(w.uses);
    free(uses);
}

/* Whole members, PART_USES uses or a little more. */
void sf_aliases_plan(const struct sf_table_input *in, struct sf_arena *arena, struct sf_aliases *out)
{
    size_t most = 0;
    for (size_t d = 0; d < in->rules->n_dimensions; d++)
        most += in->n_uses[d] / PART_USES + 1;
    out->in = in;
    out->n = 0;
    out->parts = SF_NEW_ARRAY(arena, most, struct sf_alias_part);
    for (size_t d = 0; d < in->rules->n_dimensions; d++) {
        for (size_t from = 0, to; from < in->n_uses[d]; from = to) {
            to = in->n_uses[d] - from > PART_USES ? from + PART_USES : in->n_uses[d];
            size_t after = sf_members_end(&in->members[d], in->uses[d][to - 1].raw);
            while (to < in->n_uses[d] && in->uses[d][to].raw < after)
                to++;
            out->parts[out->n++] = (struct sf_alias_part){d, from, to, {.packed = SF_BUF(SIZE_MAX / 2)}};
        }
    }
    if (out->n == 0) /* no rows: a header is a table too */
        out->parts[out->n++] = (struct sf_alias_part){0, 0, 0, {.packed = SF_BUF(SIZE_MAX / 2)}};
    atomic_init(&out->n_left, out->n);
}

void sf_aliases_free(struct sf_aliases *a)
{
    for (size_t i = 0; i < a->n; i++)
        sf_buf_free(&a->parts[i].out.packed);
    a->n = 0;
}

static enum sf_code join(struct sf_aliases *a, struct sf_arena *arena, struct sf_object_file *out, struct sf_err *err)
{
    struct sf_output *output;
    enum sf_code rc = sf_output_open(a->in->objects_dir, a->in->rules->alias_table, sf_table_alias_columns(), &output, err);
    if (rc)
        return rc;
    for (size_t i = 0; i < a->n && !rc; i++) {
        rc = sf_output_add_part(output, &a->parts[i].out, err);
        sf_buf_free(&a->parts[i].out.packed);
    }
    if (rc) {
        sf_output_abandon(output);
        return rc;
    }
    return sf_output_close(output, arena, out, err);
}

enum sf_code sf_aliases_write(struct sf_aliases *a, size_t i, struct sf_arena *arena, bool *is_last, struct sf_object_file *out,
                              struct sf_err *err)
{
    write_part(a->in, &a->parts[i]);
    *is_last = atomic_fetch_sub(&a->n_left, 1) == 1;
    return *is_last ? join(a, arena, out, err) : SF_OK;
}
