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

/* Which of 2^bits parts an id belongs to. */
static size_t part_of(int64_t id, unsigned bits)
{
    return bits ? (size_t)((uint64_t)id * 0x9e3779b97f4a7c15 >> (64 - bits)) : 0;
}

static bool find_twice_in_part(const int64_t *ids, size_t n, size_t part, unsigned bits, const struct sf_twice_scratch *scratch,
                               int64_t *twice)
{
    uint32_t *slots = scratch->slots;
    memset(slots, 0, scratch->cap * sizeof *slots);
    for (size_t i = 0; i < n; i++) {
        if (part_of(ids[i], bits) != part)
            continue;
        size_t slot = (size_t)ids[i] & (scratch->cap - 1);
        for (; slots[slot]; slot = (slot + 1) & (scratch->cap - 1)) {
            if (ids[slots[slot] - 1] == ids[i]) {
                *twice = ids[i];
                return true;
            }
        }
        slots[slot] = (uint32_t)i + 1;
    }
    return false;
}

bool sf_year_find_twice(const int64_t *ids, size_t n, struct sf_twice_scratch *scratch, int64_t *twice)
{
    enum { PART_IDS = 48 * 1024, MAX_BITS = 10 };
    size_t counts[1 << MAX_BITS] = {0}, most = 0, cap = 16;
    unsigned bits = 0;
    while (bits < MAX_BITS && n >> bits > PART_IDS)
        bits++;
    for (size_t i = 0; i < n; i++)
        counts[part_of(ids[i], bits)]++;
    for (size_t i = 0; i >> bits == 0; i++)
        most = counts[i] > most ? counts[i] : most;
    while (cap < 2 * most)
        cap *= 2;
    if (cap > scratch->cap) {
        free(scratch->slots);
        scratch->slots = malloc(cap * sizeof *scratch->slots);
        if (!scratch->slots)
            sf_out_of_memory();
        scratch->cap = cap;
    }
    for (size_t part = 0; part >> bits == 0; part++)
        if (find_twice_in_part(ids, n, part, bits, scratch, twice))
            return true;
    return false;
}

/* A member in the year: what it is used for, and how its rows' lines have it. A line of the cache each. */
struct sf_member_use {
    int64_t cents; /* of the first measure */
    int64_t id;
    uint64_t place; /* of `text` in the file, where it stood last: for sf_pack_token() */
    uint32_t rows;
    uint8_t n; /* of `text`; 0: not known yet */
    char text[SF_MEMBER_TEXT];
};

struct writer {
    const struct sf_year_input *in;
    struct sf_sorted_year sorted;
    struct sf_year *out;
    struct sf_member_use *uses[SF_RULES_MAX_DIMENSIONS]; /* by raw */
    int64_t *ids;                                        /* of the slice at hand */
    char year[SF_TEXT_INT_MAX];
    size_t n_year;
    size_t side; /* of the row before */
};

static enum sf_code count_row(struct writer *w, size_t side, const int64_t *cents, struct sf_err *err)
{
    struct sf_year *y = w->out;
    y->side_rows[side]++;
    for (size_t i = 0; i < w->in->rules->n_measures; i++) {
        /* all set by sf_sorted_read(): NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
        uint64_t gross = cents[i] < 0 ? 0 - (uint64_t)cents[i] : (uint64_t)cents[i];
        y->gross_cents[i] += gross;
        if (y->gross_cents[i] > INT64_MAX || gross > INT64_MAX)
            return sf_fail(err, SF_E_DATA, "the amounts of fiscal year %d add up to more than 64 bits of cents hold", y->year);
        y->side_cents[side][i] += cents[i];
    }
    return SF_OK;
}

static size_t add_part(char *out, struct sf_str s)
{
    memcpy(out, s.p, s.n);
    out[s.n] = ',';
    return s.n + 1;
}

/* The member's id and a comma; in front of the first dimension's the year, behind the last one's the side: a file's longest
 * repeats. */
static enum sf_code write_text(const struct writer *w, size_t d, const struct sf_raw *raw, struct sf_member_use *use,
                               struct sf_err *err)
{
    const struct sf_rules *rules = w->in->rules;
    char side[SF_TEXT_INT_MAX], text[3 * (SF_TEXT_INT_MAX + 1)];
    size_t n = d == 0 ? add_part(text, (struct sf_str){w->year, w->n_year}) : 0;
    n += add_part(text + n, (struct sf_str){raw->id_text, raw->id_length});
    if (rules->n_sides && d + 1 == rules->n_dimensions)
        n += add_part(text + n, (struct sf_str){side, sf_text_write_int(rules->sides[w->side].id, side)});
    if (n > sizeof use->text)
        return sf_fail(err, SF_E_DATA, "the number of side '%.*s' is too long", SF_ARG(rules->sides[w->side].text));
    memcpy(use->text, text, n);
    use->n = (uint8_t)n;
    use->id = raw->id;
    return SF_OK;
}

/* What the texts of another year or side said; those of the dimensions between say the same in all. */
static void forget_texts(struct writer *w)
{
    size_t n = w->in->rules->n_dimensions;
    for (size_t d = 0; d < n; d++) {
        bool is_other = d == 0 || d + 1 == n;
        for (size_t i = 0; i < w->in->members[d].n; i++) {
            w->uses[d][i].place = 0;
            w->uses[d][i].n = is_other ? 0 : w->uses[d][i].n;
        }
    }
}

enum { ROWS_AHEAD = 8 };

/* Place of the member in a row to come, or 0: to ask for its memory in time. Rows with records are not looked at: theirs is far
 * too. */
static size_t place_ahead(const struct sf_sorted_year *sorted, size_t i, size_t d)
{
    if (!sorted->is_plain || i + ROWS_AHEAD >= sorted->n)
        return 0;
    return (size_t)(sorted->rows[i + ROWS_AHEAD].key >> sorted->dimensions[d].shift & sorted->dimensions[d].mask);
}

/* What a row's line is made of. */
struct line {
    struct sf_sorted_row row;
    struct sf_member_use *uses[SF_RULES_MAX_DIMENSIONS];
    uint64_t hash; /* the row's part of the year's digest: see year.h */
};

/* Reads a row and adds it to the totals. */
static enum sf_code take_row(struct writer *w, size_t i, struct line *line, struct sf_err *err)
{
    const uint64_t factor = 0x9e3779b97f4a7c15;
    const struct sf_rules *rules = w->in->rules;
    const struct sf_sorted_year *sorted = &w->sorted;
    sf_sorted_read(sorted, i, &line->row);
    size_t side = sf_sorted_place(&line->row, &sorted->side);
    if (side != w->side)
        forget_texts(w);
    w->side = side;
    uint64_t sum = (uint64_t)w->out->year;
    for (size_t d = 0; d < rules->n_dimensions; d++) {
        size_t place = sf_sorted_place(&line->row, &sorted->dimensions[d]);
        struct sf_member_use *use = &w->uses[d][place];
        enum sf_code rc = use->n ? SF_OK : write_text(w, d, &w->in->members[d].raws[place], use, err);
        if (rc)
            return rc;
        use->rows++;
        use->cents += line->row.cents[0];
        line->uses[d] = use;
        sum = sum * factor + (uint64_t)use->id;
    }
    if (rules->n_sides)
        sum = sum * factor + (uint64_t)rules->sides[side].id;
    for (size_t k = 0; k < rules->n_measures; k++)
        sum = sum * factor + (uint64_t)line->row.cents[k]; /* NOLINT(clang-analyzer-core.UndefinedBinaryOperatorResult): as above */
    line->hash = (uint64_t)w->ids[i] * (2 * sum + 1);
    return count_row(w, side, line->row.cents, err);
}

enum {
    MOST_MEASURES = SF_RULES_MAX_MEASURES * (SF_TEXT_MONEY_MAX + 1),
    MOST_FRONT = SF_TEXT_INT_MAX + 1 + SF_RULES_MAX_DIMENSIONS * SF_MEMBER_TEXT,
    MAX_LINE = 64 * 1024 * 1024,
};
_Static_assert(MOST_FRONT + MOST_MEASURES + SF_PACK_TOKEN <= SF_PACK_MAX_ROW, "a row of numbers fits the packer's room");

static size_t write_measures(const struct sf_rules *rules, const int64_t *cents, char *out)
{
    size_t at = 0;
    for (size_t i = 0; i < rules->n_measures; i++) {
        at += sf_text_write_money(cents[i], out + at);
        out[at++] = ',';
    }
    return at - 1;
}

/* Rows of numbers alone, straight into the packer, which is told what repeats. */
static enum sf_code write_numbers(struct writer *w, struct sf_output *output, struct sf_err *err)
{
    const struct sf_rules *rules = w->in->rules;
    struct sf_pack *pack = sf_output_pack(output);
    uint64_t sum = 0;
    enum sf_code rc = SF_OK;
    for (size_t i = 0; i < w->sorted.n && !rc; i++) {
        struct line line;
        for (size_t d = 0; d < rules->n_dimensions; d++)
            __builtin_prefetch(&w->uses[d][place_ahead(&w->sorted, i, d)], 1);
        rc = take_row(w, i, &line, err);
        if (rc)
            return rc;
        struct sf_pack_told told[SF_RULES_MAX_DIMENSIONS];
        for (size_t d = 0; d < rules->n_dimensions; d++)
            told[d] = (struct sf_pack_told){line.uses[d]->text, line.uses[d]->n, &line.uses[d]->place};
        sf_pack_row(pack, (uint64_t)w->ids[i], told, rules->n_dimensions, line.row.cents, rules->n_measures);
        sum += line.hash;
        if (sf_pack_is_full(pack))
            rc = sf_output_drain(output, err);
    }
    sf_output_count(output, w->sorted.n, sum);
    return rc;
}

/* Rows with texts of their own. */
static enum sf_code write_details(struct writer *w, struct sf_output *output, struct sf_err *err)
{
    const struct sf_rules *rules = w->in->rules;
    struct sf_buf text = SF_BUF(MAX_LINE);
    enum sf_code rc = SF_OK;
    for (size_t i = 0; i < w->sorted.n && !rc; i++) {
        struct line line;
        rc = take_row(w, i, &line, err);
        if (rc)
            break;
        char number[SF_TEXT_INT_MAX], measures[MOST_MEASURES];
        sf_buf_clear(&text);
        sf_buf_add(&text, (struct sf_str){number, sf_text_write_int(w->ids[i], number)});
        sf_buf_addc(&text, ',');
        for (size_t d = 0; d < rules->n_dimensions; d++)
            sf_buf_add(&text, (struct sf_str){line.uses[d]->text, line.uses[d]->n});
        const char *tail = line.row.details;
        for (size_t k = 0; k < rules->n_details; k++) {
            struct sf_str value = sf_text_trim(sf_tail_next(&tail));
            if (value.n)
                sf_csv_write_field(&text, value);
            sf_buf_addc(&text, ',');
        }
        sf_buf_add(&text, (struct sf_str){measures, write_measures(rules, line.row.cents, measures)});
        rc = sf_output_row_hashed(output, sf_buf_str(&text), line.hash, err);
    }
    sf_buf_free(&text);
    return rc;
}

/* The keys of all rows, into w->ids. */
static void make_keys(struct writer *w)
{
    const struct sf_rules *rules = w->in->rules;
    const struct sf_sorted_year *sorted = &w->sorted;
    struct sf_row_keys keys;
    size_t last_side = SIZE_MAX, last[SF_RULES_MAX_DIMENSIONS] = {0};
    uint64_t occurrence = 0;
    sf_row_keys_open(&keys, rules, w->ids);
    for (size_t i = 0; i < sorted->n; i++) {
        for (size_t d = 0; d < rules->n_dimensions; d++) {
            const struct sf_raw *raw = &w->in->members[d].raws[place_ahead(sorted, i, d)];
            __builtin_prefetch(raw->sha256_part);
            __builtin_prefetch(raw->sha256_part + sizeof raw->sha256_part - 1);
        }
        bool is_new = !sf_sorted_repeats(sorted, i);
        occurrence = is_new ? 1 : occurrence + 1;
        w->out->repeated += !is_new;
        if (is_new) {
            struct sf_sorted_row row;
            sf_sorted_read(sorted, i, &row);
            size_t side = sf_sorted_place(&row, &sorted->side);
            bool is_other_side = side != last_side;
            if (is_other_side)
                sf_row_keys_set_side(&keys, (struct sf_str){w->year, w->n_year}, rules->n_sides ? &rules->sides[side] : NULL);
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

/* And leaves zeros behind, but for texts. */
static void keep_usage(struct writer *w)
{
    for (size_t d = 0; d < w->in->rules->n_dimensions; d++) {
        struct sf_member_use *all = w->uses[d];
        size_t n = 0;
        for (size_t i = 0; i < w->in->members[d].n; i++)
            n += all[i].rows != 0; /* NOLINT(clang-analyzer-core.NullDereference): there for every dimension of the rules */
        struct sf_usage *usage = allocate(n, sizeof *usage);
        w->out->usage[d] = usage;
        w->out->n_usage[d] = n;
        for (size_t i = 0; i < w->in->members[d].n; i++) {
            if (all[i].rows == 0)
                continue;
            *usage++ = (struct sf_usage){(uint32_t)i, all[i].rows, all[i].cents};
            all[i].rows = 0;
            all[i].cents = 0;
        }
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

static enum sf_code fail_twice(const struct writer *w, int64_t id, struct sf_err *err)
{
    sf_fail(err, SF_E_DATA, "two rows of fiscal year %d have the same %.*s %lld", w->out->year, SF_ARG(w->in->rules->fact_key),
            (long long)id);
    sf_hint(err, "keys are hashes of the row's content; this is a one in a billion event: report it with the file");
    return SF_E_DATA;
}

static void add_keys(struct sf_year *year, const int64_t *ids, size_t n)
{
    const uint64_t modulus = UINT64_C(1000000000000000000);
    for (size_t i = 0; i < n; i++)
        year->keys = (year->keys + (uint64_t)ids[i]) % modulus;
}

static enum sf_code write_year(struct writer *w, size_t index, struct sf_year_scratch *scratch, struct sf_arena *arena,
                               struct sf_err *err)
{
    const struct sf_rules *rules = w->in->rules;
    struct sf_output *output;
    struct sf_str folder = sf_str_fmt(arena, "%.*s/%.*s=%d", SF_ARG(rules->fact_table), SF_ARG(rules->partition), w->out->year);
    size_t n_slices = 0, done = 0;
    enum sf_code rc = sf_year_slices(w->in, index, &scratch->sort, &n_slices, err);
    if (!rc)
        rc = sf_output_open_with(scratch->pack, w->in->objects_dir, folder, sf_year_columns(arena, rules), &output, err);
    if (rc)
        return rc;
    for (size_t i = 0; i < n_slices && !rc; i++) {
        w->ids = scratch->ids + done;
        rc = sf_year_sort(w->in, index, &scratch->sort.slices[i], &scratch->sort, &w->sorted, err);
        if (!rc) {
            make_keys(w);
            rc = rules->n_details ? write_details(w, output, err) : write_numbers(w, output, err);
        }
        done += w->sorted.n;
    }
    add_keys(w->out, scratch->ids, done);
    int64_t twice = 0;
    if (!rc && sf_year_find_twice(scratch->ids, done, &scratch->twice, &twice))
        rc = fail_twice(w, twice, err);
    if (rc) {
        sf_output_abandon(output);
        return rc;
    }
    return sf_output_close(output, arena, &w->out->object, err);
}

static void reserve(struct sf_year_scratch *scratch, const struct sf_year_input *in, size_t n)
{
    if (!scratch->pack)
        scratch->pack = sf_pack_new();
    if (n > scratch->cap_ids) {
        free(scratch->ids);
        scratch->cap_ids = n;
        scratch->ids = malloc(n * sizeof *scratch->ids);
        if (!scratch->ids)
            sf_out_of_memory();
    }
    for (size_t d = 0; d < in->rules->n_dimensions; d++)
        if (!scratch->uses[d])
            scratch->uses[d] = allocate(in->members[d].n, sizeof *scratch->uses[d]);
}

void sf_year_scratch_free(struct sf_year_scratch *scratch)
{
    sf_sort_scratch_free(&scratch->sort);
    sf_pack_free(scratch->pack);
    free(scratch->ids);
    free(scratch->twice.slots);
    for (size_t d = 0; d < SF_RULES_MAX_DIMENSIONS; d++)
        free(scratch->uses[d]);
    *scratch = (struct sf_year_scratch){.ids = NULL};
}

enum sf_code sf_year_write(const struct sf_year_input *in, size_t index, struct sf_year_scratch *scratch, struct sf_arena *arena,
                           struct sf_year *out, struct sf_err *err)
{
    *out = (struct sf_year){.year = in->rules->min_year + (int)index};
    struct writer w = {.in = in, .out = out, .side = SIZE_MAX};
    for (size_t i = 0; i < in->n_workers; i++)
        out->rows += in->rows[i]->years[index].n;
    if (out->rows == 0)
        return SF_OK;
    w.n_year = sf_text_write_int(out->year, w.year);
    reserve(scratch, in, out->rows);
    memcpy(w.uses, scratch->uses, sizeof w.uses);
    enum sf_code rc = write_year(&w, index, scratch, arena, err);
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
