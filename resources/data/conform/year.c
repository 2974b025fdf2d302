/* See year.h. In the order of year_sort.h rows that differ only in the measures stand side by side (for the occurrence number),
 * equal members too (so that hashing starts from where the row before is equal). */
#include "resources/data/conform/year.h"

#include "resources/data/conform/csv.h"
#include "resources/data/conform/row_key.h"
#include "resources/data/conform/text.h"

#include <stdlib.h>

static void *allocate(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size);
    if (!p)
        sf_out_of_memory();
    return p;
}

bool sf_year_find_twice(const int64_t *ids, size_t n, uint32_t *slots, int64_t *twice)
{
    size_t cap = 16;
    while (cap < 2 * n)
        cap *= 2;
    memset(slots, 0, cap * sizeof *slots);
    for (size_t i = 0; i < n; i++) {
        size_t slot = (size_t)ids[i] & (cap - 1);
        for (; slots[slot]; slot = (slot + 1) & (cap - 1)) {
            if (ids[slots[slot] - 1] == ids[i]) {
                *twice = ids[i];
                return true;
            }
        }
        slots[slot] = (uint32_t)i + 1;
    }
    return false;
}

struct writer {
    const struct sf_year_input *in;
    struct sf_sorted_year sorted;
    struct sf_year *out;
    struct sf_usage *usage[SF_RULES_MAX_DIMENSIONS]; /* by raw */
    int64_t *ids;
    struct sf_buf line; /* of a row with details */
};

static size_t copy(char *out, struct sf_str s)
{
    memcpy(out, s.p, s.n);
    return s.n;
}

static enum sf_code count_row(struct writer *w, size_t side, const int64_t *cents, struct sf_err *err)
{
    struct sf_year *y = w->out;
    y->side_rows[side]++;
    for (size_t i = 0; i < w->in->rules->n_measures; i++) {
        uint64_t gross = cents[i] < 0 ? 0 - (uint64_t)cents[i] : (uint64_t)cents[i];
        y->gross_cents[i] += gross;
        if (y->gross_cents[i] > INT64_MAX || gross > INT64_MAX)
            return sf_fail(err, SF_E_DATA, "the amounts of fiscal year %d add up to more than 64 bits of cents hold", y->year);
        y->side_cents[side][i] += cents[i];
    }
    return SF_OK;
}

/* The row's part of the year's digest: see year.h. */
static uint64_t row_hash(const struct writer *w, const struct sf_raw *const *raws, size_t side, int64_t id, const int64_t *cents)
{
    const uint64_t factor = 0x9e3779b97f4a7c15;
    const struct sf_rules *rules = w->in->rules;
    uint64_t sum = (uint64_t)w->out->year;
    for (size_t d = 0; d < rules->n_dimensions; d++)
        sum = sum * factor + (uint64_t)raws[d]->id; /* NOLINT(clang-analyzer-core.NullDereference): set for every dimension */
    if (rules->n_sides)
        sum = sum * factor + (uint64_t)rules->sides[side].id;
    for (size_t i = 0; i < rules->n_measures; i++)
        sum = sum * factor + (uint64_t)cents[i];
    return (uint64_t)id * (2 * sum + 1);
}

enum { MOST_NUMBERS = SF_RULES_MAX_DIMENSIONS + SF_RULES_MAX_MEASURES + 3, MAX_LINE = 64 * 1024 * 1024 };

static size_t write_measures(const struct sf_rules *rules, const int64_t *cents, char *out)
{
    size_t at = 0;
    for (size_t i = 0; i < rules->n_measures; i++) {
        out[at++] = ',';
        at += sf_text_write_money(cents[i], out + at);
    }
    return at;
}

/* The line of a row with details: `front`, they, the measures. */
static struct sf_str add_details(struct writer *w, struct sf_str front, const struct sf_sorted_row *row)
{
    const struct sf_rules *rules = w->in->rules;
    char measures[SF_RULES_MAX_MEASURES * (SF_TEXT_MONEY_MAX + 1)];
    const char *tail = row->details;
    sf_buf_clear(&w->line);
    sf_buf_add(&w->line, front);
    for (size_t i = 0; i < rules->n_details; i++) {
        struct sf_str value = sf_text_trim(sf_tail_next(&tail));
        sf_buf_addc(&w->line, ',');
        if (value.n)
            sf_csv_write_field(&w->line, value);
    }
    sf_buf_add(&w->line, (struct sf_str){measures, write_measures(rules, row->cents, measures)});
    return sf_buf_str(&w->line);
}

/* The keys of all rows, into w->ids. */
static void make_keys(struct writer *w, struct sf_str year)
{
    const struct sf_rules *rules = w->in->rules;
    const struct sf_sorted_year *sorted = &w->sorted;
    struct sf_row_keys keys;
    size_t last_side = SIZE_MAX, last[SF_RULES_MAX_DIMENSIONS] = {0};
    uint64_t occurrence = 0;
    sf_row_keys_open(&keys, rules, w->ids);
    for (size_t i = 0; i < sorted->n; i++) {
        bool is_new = !sf_sorted_repeats(sorted, i);
        occurrence = is_new ? 1 : occurrence + 1;
        w->out->repeated += !is_new;
        if (is_new) {
            struct sf_sorted_row row;
            sf_sorted_read(sorted, i, &row);
            size_t side = sf_sorted_place(&row, &sorted->side);
            bool is_other_side = side != last_side;
            if (is_other_side)
                sf_row_keys_set_side(&keys, year, rules->n_sides ? &rules->sides[side] : NULL);
            last_side = side;
            for (size_t d = 0; d < rules->n_dimensions; d++) {
                size_t place = sf_sorted_place(&row, &sorted->dimensions[d]);
                if (is_other_side || place != last[d])
                    sf_row_keys_set_dimension(&keys, d, &w->in->members[d].raws[place]);
                last[d] = place;
            }
            sf_row_keys_set_details(&keys, rules->n_dimensions, row.details, rules->n_details);
        }
        sf_row_keys_add(&keys, occurrence);
    }
    sf_row_keys_flush(&keys);
    sf_row_keys_close(&keys);
}

static enum sf_code write_rows(struct writer *w, struct sf_output *output, struct sf_err *err)
{
    const struct sf_rules *rules = w->in->rules;
    const struct sf_sorted_year *sorted = &w->sorted;
    size_t n_dims = rules->n_dimensions;
    char year[SF_TEXT_INT_MAX];
    size_t n_year = sf_text_write_int(w->out->year, year);
    const struct sf_raw *raws[SF_RULES_MAX_DIMENSIONS] = {NULL};
    make_keys(w, (struct sf_str){year, n_year});
    for (size_t i = 0; i < sorted->n; i++) {
        struct sf_sorted_row row;
        sf_sorted_read(sorted, i, &row);
        size_t side = sf_sorted_place(&row, &sorted->side);
        for (size_t d = 0; d < n_dims; d++) {
            size_t place = sf_sorted_place(&row, &sorted->dimensions[d]);
            raws[d] = &w->in->members[d].raws[place];
            w->usage[d][place].rows++;
            w->usage[d][place].cents += row.cents[0];
        }
        enum sf_code rc = count_row(w, side, row.cents, err);
        if (rc)
            return rc;

        char line[MOST_NUMBERS * (SF_TEXT_MONEY_MAX + 1)];
        size_t at = sf_text_write_int(w->ids[i], line);
        line[at++] = ',';
        at += copy(line + at, (struct sf_str){year, n_year});
        for (size_t d = 0; d < n_dims; d++) {
            line[at++] = ',';
            /* set above: NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
            at += copy(line + at, (struct sf_str){raws[d]->id_text, raws[d]->id_length});
        }
        if (rules->n_sides) {
            line[at++] = ',';
            at += sf_text_write_int(rules->sides[side].id, line + at);
        }
        struct sf_str text = {line, at};
        if (rules->n_details)
            text = add_details(w, text, &row);
        else
            text.n += write_measures(rules, row.cents, line + at);
        rc = sf_output_row_hashed(output, text, row_hash(w, raws, side, w->ids[i], row.cents), err);
        if (rc)
            return rc;
    }
    return SF_OK;
}

/* And leaves zeros behind. */
static void keep_usage(struct writer *w)
{
    for (size_t d = 0; d < w->in->rules->n_dimensions; d++) {
        struct sf_usage *all = w->usage[d];
        size_t n = 0;
        for (size_t i = 0; i < w->in->members[d].n; i++)
            n += all[i].rows != 0; /* NOLINT(clang-analyzer-core.NullDereference): there for every dimension of the rules */
        struct sf_usage *usage = allocate(n, sizeof *usage);
        w->out->usage[d] = usage;
        w->out->n_usage[d] = n;
        for (size_t i = 0; i < w->in->members[d].n; i++)
            if (all[i].rows)
                *usage++ = (struct sf_usage){(uint32_t)i, all[i].rows, all[i].cents};
        memset(all, 0, w->in->members[d].n * sizeof *all);
    }
}

struct sf_str sf_year_columns(struct sf_arena *arena, const struct sf_rules *rules)
{
    struct sf_str line = sf_str_fmt(arena, "%.*s,%.*s", SF_ARG(rules->fact_key), SF_ARG(rules->columns[rules->year_column].name));
    for (size_t d = 0; d < rules->n_dimensions; d++)
        line = sf_str_fmt(arena, "%.*s,%.*s", SF_ARG(line), SF_ARG(rules->dimensions[d].key));
    if (rules->n_sides)
        line = sf_str_fmt(arena, "%.*s,%.*s", SF_ARG(line), SF_ARG(rules->side_key));
    for (size_t i = 0; i < rules->n_details; i++)
        line = sf_str_fmt(arena, "%.*s,%.*s", SF_ARG(line), SF_ARG(rules->columns[rules->details[i]].name));
    for (size_t i = 0; i < rules->n_measures; i++)
        line = sf_str_fmt(arena, "%.*s,%.*s", SF_ARG(line), SF_ARG(rules->columns[rules->measures[i].column].name));
    return line;
}

static enum sf_code write_year(struct writer *w, struct sf_arena *arena, struct sf_err *err)
{
    const struct sf_rules *rules = w->in->rules;
    struct sf_output *output;
    struct sf_str folder = sf_str_fmt(arena, "%.*s/%.*s=%d", SF_ARG(rules->fact_table), SF_ARG(rules->partition), w->out->year);
    enum sf_code rc = sf_output_open(w->in->objects_dir, folder, sf_year_columns(arena, rules), &output, err);
    if (rc)
        return rc;
    rc = write_rows(w, output, err);
    int64_t twice = 0;
    void *slots = w->sorted.rows; /* written: their memory is free again */
    if (!rc && sf_year_find_twice(w->ids, w->sorted.n, slots, &twice)) {
        rc = sf_fail(err, SF_E_DATA, "two rows of fiscal year %d have the same %.*s %lld", w->out->year, SF_ARG(rules->fact_key),
                     (long long)twice);
        sf_hint(err, "keys are hashes of the row's content; this is a one in a billion event: report it with the file");
    }
    if (rc) {
        sf_output_abandon(output);
        return rc;
    }
    return sf_output_close(output, arena, &w->out->object, err);
}

void sf_year_scratch_free(struct sf_year_scratch *scratch)
{
    sf_sort_scratch_free(&scratch->sort);
    for (size_t d = 0; d < SF_RULES_MAX_DIMENSIONS; d++)
        free(scratch->usage[d]);
    *scratch = (struct sf_year_scratch){.sort = {.rows = NULL}};
}

enum sf_code sf_year_write(const struct sf_year_input *in, size_t index, struct sf_year_scratch *scratch, struct sf_arena *arena,
                           struct sf_year *out, struct sf_err *err)
{
    *out = (struct sf_year){.year = in->rules->min_year + (int)index};
    struct writer w = {.in = in, .out = out, .line = SF_BUF(MAX_LINE)};
    for (size_t i = 0; i < in->n_workers; i++)
        out->rows += in->rows[i]->years[index].n;
    if (out->rows == 0)
        return SF_OK;
    for (size_t d = 0; d < in->rules->n_dimensions; d++)
        if (!scratch->usage[d])
            scratch->usage[d] = allocate(in->members[d].n, sizeof *scratch->usage[d]);
    memcpy(w.usage, scratch->usage, sizeof w.usage);
    enum sf_code rc = sf_year_sort(in, index, &scratch->sort, &w.sorted, err);
    if (rc)
        return rc;
    void *free_again = w.sorted.spare;
    w.ids = free_again;
    rc = write_year(&w, arena, err);
    sf_buf_free(&w.line);
    if (!rc)
        keep_usage(&w);
    return rc;
}

void sf_year_free(struct sf_year *year)
{
    for (size_t d = 0; d < SF_RULES_MAX_DIMENSIONS; d++)
        free(year->usage[d]);
    *year = (struct sf_year){.year = 0};
}
