/* See year.h.
 *
 * Rows sort by side, member keys and cents: an order that content alone decides, in which rows that differ only in the amount
 * stand side by side (for the occurrence number), equal members too (so that hashing starts from the state of the row before). */
#define OPENSSL_SUPPRESS_DEPRECATED /* the plain context can be copied, and costs a tenth of EVP's for short texts */
#include "resources/data/conform/year.h"

#include "resources/data/conform/text.h"

#include <openssl/sha.h>
#include <stdlib.h>

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS };

struct sorted {
    uint64_t key; /* side, then the place of each dimension's raw */
    int64_t cents;
};

struct packing {
    unsigned shift[SF_RULES_MAX_DIMENSIONS];
    uint64_t mask[SF_RULES_MAX_DIMENSIONS];
    unsigned side_shift;
    unsigned bits;
};

static unsigned bits_for(size_t n)
{
    unsigned bits = 1;
    while (n > (size_t)1 << bits)
        bits++;
    return bits;
}

static enum sf_code plan_packing(const struct sf_year_input *in, struct packing *p, struct sf_err *err)
{
    unsigned shift = 0;
    for (size_t i = in->rules->n_dimensions; i-- > 0;) {
        unsigned bits = bits_for(in->members[i].n);
        p->shift[i] = shift;
        p->mask[i] = ((uint64_t)1 << bits) - 1;
        shift += bits;
    }
    p->side_shift = shift;
    p->bits = shift + bits_for(in->rules->n_sides);
    if (p->bits > 64)
        return sf_fail(err, SF_E_DATA, "the dimensions have more different members than one load can hold");
    return SF_OK;
}

static void *allocate(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size);
    if (!p)
        sf_out_of_memory();
    return p;
}

static enum sf_code gather(const struct sf_year_input *in, size_t index, const struct packing *p, struct sorted *out,
                           struct sf_err *err)
{
    for (size_t w = 0; w < in->n_workers; w++) {
        size_t n = in->rows[w]->years[index].n;
        struct sf_row *rows = allocate(n, sizeof *rows);
        enum sf_code rc = sf_rows_read(in->rows[w], index, rows, err);
        for (size_t i = 0; i < n && !rc; i++) {
            uint64_t key = (uint64_t)(rows[i].raw[0] >> SF_ROWS_RAW_BITS) << p->side_shift;
            rows[i].raw[0] &= (1u << SF_ROWS_RAW_BITS) - 1;
            for (size_t d = 0; d < in->rules->n_dimensions; d++)
                key |= (uint64_t)in->maps[d][w][rows[i].raw[d]] << p->shift[d];
            *out++ = (struct sorted){key, rows[i].cents};
        }
        free(rows);
        if (rc)
            return rc;
    }
    return SF_OK;
}

static int order_cents(const void *a, const void *b)
{
    int64_t x = ((const struct sorted *)a)->cents, y = ((const struct sorted *)b)->cents;
    return (x > y) - (x < y);
}

/* Radix sort by key from the lowest digit, then each run of one key by cents. The result is in *rows; both arrays hold n. */
static void sort_rows(struct sorted **rows, struct sorted **spare, size_t n, unsigned bits)
{
    for (unsigned shift = 0; shift < bits; shift += DIGIT_BITS) {
        size_t count[DIGITS] = {0};
        struct sorted *from = *rows, *to = *spare;
        for (size_t i = 0; i < n; i++)
            count[from[i].key >> shift & (DIGITS - 1)]++;
        for (size_t i = 0, sum = 0; i < DIGITS; i++) {
            size_t here = count[i];
            count[i] = sum;
            sum += here;
        }
        for (size_t i = 0; i < n; i++)
            to[count[from[i].key >> shift & (DIGITS - 1)]++] = from[i];
        *rows = to;
        *spare = from;
    }
    for (size_t i = 0; i < n;) {
        size_t end = i + 1;
        while (end < n && (*rows)[end].key == (*rows)[i].key)
            end++;
        if (end - i > 1)
            qsort(*rows + i, end - i, sizeof **rows, order_cents);
        i = end;
    }
}

bool sf_year_find_twice(const int64_t *ids, size_t n, int64_t *twice)
{
    size_t cap = 16;
    while (cap < 2 * n)
        cap *= 2;
    int64_t *table = allocate(cap, sizeof *table);
    bool found = false;
    for (size_t i = 0; i < n && !found; i++) {
        size_t slot = (size_t)ids[i] & (cap - 1);
        while (table[slot] && table[slot] != ids[i])
            slot = (slot + 1) & (cap - 1);
        found = table[slot] == ids[i];
        *twice = ids[i];
        table[slot] = ids[i];
    }
    free(table);
    return found;
}

/* Hash states after fiscal year and side, and after each dimension. */
struct hashing {
    SHA256_CTX start[SF_RULES_MAX_SIDES];
    SHA256_CTX after[SF_RULES_MAX_DIMENSIONS];
};

static void add_part(SHA256_CTX *ctx, struct sf_str s)
{
    char part[64];
    size_t n = sf_text_write_int((int64_t)s.n, part);
    part[n++] = ':';
    bool is_short = n + s.n <= sizeof part;
    if (is_short) {
        memcpy(part + n, s.p, s.n);
        n += s.n;
    }
    SHA256_Update(ctx, part, n);
    if (!is_short)
        SHA256_Update(ctx, s.p, s.n);
}

static int64_t finish_id(const SHA256_CTX *before, uint64_t occurrence)
{
    SHA256_CTX ctx = *before;
    char text[SF_TEXT_INT_MAX];
    add_part(&ctx, (struct sf_str){text, sf_text_write_int((int64_t)occurrence, text)});
    unsigned char sum[SHA256_DIGEST_LENGTH];
    SHA256_Final(sum, &ctx);
    uint64_t value = 0;
    for (size_t i = 0; i < 8; i++)
        value = value << 8 | sum[i];
    return (int64_t)(1 + (value >> 4));
}

struct writer {
    const struct sf_year_input *in;
    struct packing packing;
    struct hashing hashing;
    struct sf_year *out;
    uint32_t *counts[SF_RULES_MAX_DIMENSIONS]; /* by raw */
    int64_t *cents[SF_RULES_MAX_DIMENSIONS];
    int64_t *ids;
};

static void begin_hashing(struct writer *w)
{
    const struct sf_rules *rules = w->in->rules;
    char text[SF_TEXT_INT_MAX];
    struct sf_str year = {text, sf_text_write_int(w->out->year, text)};
    for (size_t i = 0; i < rules->n_sides; i++) {
        SHA256_Init(&w->hashing.start[i]);
        add_part(&w->hashing.start[i], year);
        add_part(&w->hashing.start[i], rules->sides[i].text);
    }
}

static size_t copy(char *out, struct sf_str s)
{
    memcpy(out, s.p, s.n);
    return s.n;
}

static enum sf_code count_row(struct writer *w, size_t side, int64_t cents, struct sf_err *err)
{
    struct sf_year *y = w->out;
    uint64_t gross = cents < 0 ? 0 - (uint64_t)cents : (uint64_t)cents;
    y->gross_cents += gross;
    if (y->gross_cents > INT64_MAX || gross > INT64_MAX)
        return sf_fail(err, SF_E_DATA, "the amounts of fiscal year %d add up to more than 64 bits of cents hold", y->year);
    y->side_rows[side]++;
    y->side_cents[side] += cents;
    return SF_OK;
}

static enum sf_code write_rows(struct writer *w, const struct sorted *rows, size_t n, struct sf_output *output, struct sf_err *err)
{
    const struct sf_rules *rules = w->in->rules;
    size_t n_dims = rules->n_dimensions;
    char year[SF_TEXT_INT_MAX];
    size_t n_year = sf_text_write_int(w->out->year, year);
    uint64_t occurrence = 0;
    const struct sf_raw *raws[SF_RULES_MAX_DIMENSIONS] = {NULL};
    for (size_t i = 0; i < n; i++) {
        uint64_t key = rows[i].key;
        size_t side = (size_t)(key >> w->packing.side_shift);
        bool is_new = i == 0 || key != rows[i - 1].key,
             is_stale = i == 0 || side != (size_t)(rows[i - 1].key >> w->packing.side_shift);
        occurrence = is_new ? 1 : occurrence + 1;
        w->out->repeated += !is_new;
        for (size_t d = 0; d < n_dims; d++) {
            size_t place = (size_t)(key >> w->packing.shift[d] & w->packing.mask[d]);
            const struct sf_raw *raw = &w->in->members[d].raws[place];
            w->counts[d][place]++;
            w->cents[d][place] += rows[i].cents;
            is_stale |= raw != raws[d];
            if (is_stale) {
                raws[d] = raw;
                w->hashing.after[d] = d ? w->hashing.after[d - 1] : w->hashing.start[side];
                SHA256_Update(&w->hashing.after[d], raw->sha256_part, sizeof raw->sha256_part);
            }
        }
        enum sf_code rc = count_row(w, side, rows[i].cents, err);
        if (rc)
            return rc;
        w->ids[i] = finish_id(&w->hashing.after[n_dims - 1], occurrence);

        char line[(SF_RULES_MAX_DIMENSIONS + 4) * (SF_TEXT_MONEY_MAX + 1)];
        size_t at = sf_text_write_int(w->ids[i], line);
        line[at++] = ',';
        at += copy(line + at, (struct sf_str){year, n_year});
        for (size_t d = 0; d < n_dims; d++) {
            line[at++] = ',';
            /* the first row is stale, so every one is set: NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
            at += copy(line + at, (struct sf_str){raws[d]->id_text, raws[d]->id_length});
        }
        line[at++] = ',';
        at += sf_text_write_int(rules->sides[side].id, line + at);
        line[at++] = ',';
        at += sf_text_write_money(rows[i].cents, line + at);
        rc = sf_output_row(output, (struct sf_str){line, at}, err);
        if (rc)
            return rc;
    }
    return SF_OK;
}

static void keep_usage(struct writer *w)
{
    for (size_t d = 0; d < w->in->rules->n_dimensions; d++) {
        size_t n = 0;
        for (size_t i = 0; i < w->in->members[d].n; i++)
            n += w->counts[d][i] != 0; /* NOLINT(clang-analyzer-core.NullDereference): there for every dimension of the rules */
        struct sf_usage *usage = allocate(n, sizeof *usage);
        w->out->usage[d] = usage;
        w->out->n_usage[d] = n;
        for (size_t i = 0; i < w->in->members[d].n; i++)
            if (w->counts[d][i])
                *usage++ = (struct sf_usage){(uint32_t)i, w->counts[d][i], w->cents[d][i]};
    }
}

struct sf_str sf_year_columns(struct sf_arena *arena, const struct sf_rules *rules)
{
    struct sf_str line = sf_str_fmt(arena, "%.*s,%.*s", SF_ARG(rules->fact_key), SF_ARG(rules->columns[rules->year_column].name));
    for (size_t d = 0; d < rules->n_dimensions; d++)
        line = sf_str_fmt(arena, "%.*s,%.*s", SF_ARG(line), SF_ARG(rules->dimensions[d].key));
    return sf_str_fmt(arena, "%.*s,%.*s,%.*s", SF_ARG(line), SF_ARG(rules->side_key),
                      SF_ARG(rules->columns[rules->amount_column].name));
}

static enum sf_code write_year(struct writer *w, const struct sorted *rows, size_t n, struct sf_arena *arena, struct sf_err *err)
{
    const struct sf_rules *rules = w->in->rules;
    struct sf_output *output;
    struct sf_str folder = sf_str_fmt(arena, "%.*s/%.*s=%d", SF_ARG(rules->fact_table), SF_ARG(rules->partition), w->out->year);
    enum sf_code rc = sf_output_open(w->in->objects_dir, folder, sf_year_columns(arena, rules), &output, err);
    if (rc)
        return rc;
    rc = write_rows(w, rows, n, output, err);
    int64_t twice = 0;
    if (!rc && sf_year_find_twice(w->ids, n, &twice)) {
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

enum sf_code sf_year_write(const struct sf_year_input *in, size_t index, struct sf_arena *arena, struct sf_year *out,
                           struct sf_err *err)
{
    *out = (struct sf_year){.year = in->rules->min_year + (int)index};
    struct writer w = {.in = in, .out = out};
    enum sf_code rc = plan_packing(in, &w.packing, err);
    size_t n = 0;
    for (size_t i = 0; i < in->n_workers; i++)
        n += in->rows[i]->years[index].n;
    out->rows = n;
    if (rc || n == 0)
        return rc;
    struct sorted *rows = allocate(n, sizeof *rows), *spare = NULL;
    for (size_t d = 0; d < in->rules->n_dimensions; d++) {
        w.counts[d] = allocate(in->members[d].n, sizeof *w.counts[d]);
        w.cents[d] = allocate(in->members[d].n, sizeof *w.cents[d]);
    }
    w.ids = allocate(n, sizeof *w.ids);
    rc = gather(in, index, &w.packing, rows, err);
    if (!rc) {
        spare = allocate(n, sizeof *spare);
        sort_rows(&rows, &spare, n, w.packing.bits);
        free(spare);
        spare = NULL;
        begin_hashing(&w);
        rc = write_year(&w, rows, n, arena, err);
    }
    if (!rc)
        keep_usage(&w);
    for (size_t d = 0; d < in->rules->n_dimensions; d++) {
        free(w.counts[d]);
        free(w.cents[d]);
    }
    free(w.ids);
    free(rows);
    return rc;
}

void sf_year_free(struct sf_year *year)
{
    for (size_t d = 0; d < SF_RULES_MAX_DIMENSIONS; d++)
        free(year->usage[d]);
    *year = (struct sf_year){.year = 0};
}
