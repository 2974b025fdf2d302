/* See year.h.
 *
 * Rows sort by side, member keys and cents: an order that content alone decides, in which rows that differ only in the amount
 * stand side by side (for the occurrence number), equal members too (so that hashing starts from where the row before is equal). */
#define OPENSSL_SUPPRESS_DEPRECATED /* one block of SHA-256 at a time, which EVP has no word for */
#include "resources/data/conform/year.h"

#include "resources/data/conform/text.h"

#include <endian.h>
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
    struct sf_row buffer[SF_ROWS_BLOCK];
    const uint32_t raw_mask = (1u << SF_ROWS_RAW_BITS) - 1;
    for (size_t w = 0; w < in->n_workers; w++) {
        for (size_t block = 0;; block++) {
            const struct sf_row *rows;
            size_t n;
            enum sf_code rc = sf_rows_block(in->rows[w], index, block, buffer, &rows, &n, err);
            if (rc)
                return rc;
            if (n == 0)
                break;
            for (size_t i = 0; i < n; i++) {
                uint64_t key = (uint64_t)(rows[i].raw[0] >> SF_ROWS_RAW_BITS) << p->side_shift;
                for (size_t d = 0; d < in->rules->n_dimensions; d++)
                    key |= (uint64_t)in->maps[d][w][d ? rows[i].raw[d] : rows[i].raw[d] & raw_mask] << p->shift[d];
                *out++ = (struct sorted){key, rows[i].cents};
            }
        }
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

enum { BLOCK = SHA256_CBLOCK, STATE_WORDS = 8, SHA256_PART_BYTES = 67, LENGTH_BYTES = 8, MOST_PADDING = BLOCK + 2 * LENGTH_BYTES };

/* The text that a row's key is the hash of, and the states of SHA-256 in front of each of its blocks: from one row to the next,
 * only what is behind the first change is hashed again. */
struct chain {
    unsigned char *text;
    size_t ends[SF_RULES_MAX_DIMENSIONS + 1]; /* of year and side, then of each dimension */
    uint32_t (*states)[STATE_WORDS];
    size_t n_valid; /* states[0] to this one hold */
    SHA256_CTX ctx;
};

static size_t write_part(unsigned char *out, struct sf_str s)
{
    size_t n = sf_text_write_int((int64_t)s.n, (char *)out);
    out[n++] = ':';
    memcpy(out + n, s.p, s.n);
    return n + s.n;
}

static void chain_open(struct chain *c, const struct sf_rules *rules)
{
    size_t most = 0;
    for (size_t i = 0; i < rules->n_sides; i++)
        most = rules->sides[i].text.n > most ? rules->sides[i].text.n : most;
    most += 4 * (SF_TEXT_INT_MAX + 1) + SF_RULES_MAX_DIMENSIONS * SHA256_PART_BYTES + MOST_PADDING;
    c->text = allocate(most, 1);
    c->states = allocate(most / BLOCK + 2, sizeof *c->states);
    SHA256_Init(&c->ctx);
    memcpy(c->states[0], c->ctx.h, sizeof c->states[0]);
}

static void chain_close(struct chain *c)
{
    free(c->text);
    free(c->states);
}

static void chain_change(struct chain *c, size_t from)
{
    c->n_valid = from / BLOCK < c->n_valid ? from / BLOCK : c->n_valid;
}

static void chain_set_side(struct chain *c, struct sf_str year, struct sf_str side)
{
    size_t n = write_part(c->text, year);
    c->ends[0] = n + write_part(c->text + n, side);
    chain_change(c, 0);
}

static void chain_set_dimension(struct chain *c, size_t d, const struct sf_raw *raw)
{
    memcpy(c->text + c->ends[d], raw->sha256_part, SHA256_PART_BYTES);
    c->ends[d + 1] = c->ends[d] + SHA256_PART_BYTES;
    chain_change(c, c->ends[d]);
}

/* The key of the row: `n_dims` parts, then the occurrence. */
static int64_t chain_finish(struct chain *c, size_t n_dims, uint64_t occurrence)
{
    char number[SF_TEXT_INT_MAX];
    size_t from = c->ends[n_dims], n = from;
    chain_change(c, from);
    n += write_part(c->text + n, (struct sf_str){number, sf_text_write_int((int64_t)occurrence, number)});
    uint64_t n_bits = htobe64((uint64_t)n * 8);
    size_t n_blocks = (n + LENGTH_BYTES) / BLOCK + 1;
    memset(c->text + n, 0, n_blocks * BLOCK - n);
    c->text[n] = 0x80; /* FIPS 180-4, 5.1.1 */
    memcpy(c->text + n_blocks * BLOCK - LENGTH_BYTES, &n_bits, LENGTH_BYTES);
    memcpy(c->ctx.h, c->states[c->n_valid], sizeof c->states[0]);
    for (; c->n_valid < n_blocks; c->n_valid++) {
        SHA256_Transform(&c->ctx, c->text + c->n_valid * BLOCK);
        memcpy(c->states[c->n_valid + 1], c->ctx.h, sizeof c->states[0]);
    }
    return (int64_t)(1 + (((uint64_t)c->ctx.h[0] << 32 | c->ctx.h[1]) >> 4));
}

struct writer {
    const struct sf_year_input *in;
    struct packing packing;
    struct chain chain;
    struct sf_year *out;
    struct sf_usage *usage[SF_RULES_MAX_DIMENSIONS]; /* by raw */
    int64_t *ids;
};

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

/* The row's part of the year's digest: see year.h. */
static uint64_t row_hash(const struct writer *w, const struct sf_raw *const *raws, size_t side, int64_t id, int64_t cents)
{
    const uint64_t factor = 0x9e3779b97f4a7c15;
    uint64_t sum = (uint64_t)w->out->year;
    for (size_t d = 0; d < w->in->rules->n_dimensions; d++)
        sum = sum * factor + (uint64_t)raws[d]->id; /* NOLINT(clang-analyzer-core.NullDereference): set for every dimension */
    sum = sum * factor + (uint64_t)w->in->rules->sides[side].id;
    sum = sum * factor + (uint64_t)cents;
    return (uint64_t)id * (2 * sum + 1);
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
             is_other_side = i == 0 || side != (size_t)(rows[i - 1].key >> w->packing.side_shift);
        occurrence = is_new ? 1 : occurrence + 1;
        w->out->repeated += !is_new;
        if (is_other_side)
            chain_set_side(&w->chain, (struct sf_str){year, n_year}, rules->sides[side].text);
        for (size_t d = 0; d < n_dims; d++) {
            size_t place = (size_t)(key >> w->packing.shift[d] & w->packing.mask[d]);
            const struct sf_raw *raw = &w->in->members[d].raws[place];
            w->usage[d][place].rows++;
            w->usage[d][place].cents += rows[i].cents;
            if (is_other_side || raw != raws[d])
                chain_set_dimension(&w->chain, d, raw);
            raws[d] = raw;
        }
        enum sf_code rc = count_row(w, side, rows[i].cents, err);
        if (rc)
            return rc;
        w->ids[i] = chain_finish(&w->chain, n_dims, occurrence);

        char line[(SF_RULES_MAX_DIMENSIONS + 4) * (SF_TEXT_MONEY_MAX + 1)];
        size_t at = sf_text_write_int(w->ids[i], line);
        line[at++] = ',';
        at += copy(line + at, (struct sf_str){year, n_year});
        for (size_t d = 0; d < n_dims; d++) {
            line[at++] = ',';
            /* set above: NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
            at += copy(line + at, (struct sf_str){raws[d]->id_text, raws[d]->id_length});
        }
        line[at++] = ',';
        at += sf_text_write_int(rules->sides[side].id, line + at);
        line[at++] = ',';
        at += sf_text_write_money(rows[i].cents, line + at);
        rc = sf_output_row_hashed(output, (struct sf_str){line, at}, row_hash(w, raws, side, w->ids[i], rows[i].cents), err);
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
    return sf_str_fmt(arena, "%.*s,%.*s,%.*s", SF_ARG(line), SF_ARG(rules->side_key),
                      SF_ARG(rules->columns[rules->amount_column].name));
}

static enum sf_code write_year(struct writer *w, struct sorted *rows, size_t n, struct sf_arena *arena, struct sf_err *err)
{
    const struct sf_rules *rules = w->in->rules;
    struct sf_output *output;
    struct sf_str folder = sf_str_fmt(arena, "%.*s/%.*s=%d", SF_ARG(rules->fact_table), SF_ARG(rules->partition), w->out->year);
    enum sf_code rc = sf_output_open(w->in->objects_dir, folder, sf_year_columns(arena, rules), &output, err);
    if (rc)
        return rc;
    rc = write_rows(w, rows, n, output, err);
    int64_t twice = 0;
    void *slots = rows; /* written: their memory is free again */
    if (!rc && sf_year_find_twice(w->ids, n, slots, &twice)) {
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

static void reserve(struct sf_year_scratch *scratch, const struct sf_year_input *in, size_t n)
{
    enum { MORE = 4 }; /* rows, for the least number of slots that sf_year_find_twice() wants */
    if (n > scratch->cap) {
        free(scratch->rows);
        free(scratch->spare);
        scratch->cap = n;
        scratch->rows = malloc((n + MORE) * sizeof(struct sorted));
        scratch->spare = malloc((n + MORE) * sizeof(struct sorted));
        if (!scratch->rows || !scratch->spare)
            sf_out_of_memory();
    }
    for (size_t d = 0; d < in->rules->n_dimensions; d++)
        if (!scratch->usage[d])
            scratch->usage[d] = allocate(in->members[d].n, sizeof *scratch->usage[d]);
}

void sf_year_scratch_free(struct sf_year_scratch *scratch)
{
    free(scratch->rows);
    free(scratch->spare);
    for (size_t d = 0; d < SF_RULES_MAX_DIMENSIONS; d++)
        free(scratch->usage[d]);
    *scratch = (struct sf_year_scratch){.rows = NULL};
}

enum sf_code sf_year_write(const struct sf_year_input *in, size_t index, struct sf_year_scratch *scratch, struct sf_arena *arena,
                           struct sf_year *out, struct sf_err *err)
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
    reserve(scratch, in, n);
    memcpy(w.usage, scratch->usage, sizeof w.usage);
    struct sorted *rows = scratch->rows, *spare = scratch->spare;
    rc = gather(in, index, &w.packing, rows, err);
    if (rc)
        return rc;
    sort_rows(&rows, &spare, n, w.packing.bits);
    void *free_again = spare;
    w.ids = free_again;
    chain_open(&w.chain, in->rules);
    rc = write_year(&w, rows, n, arena, err);
    chain_close(&w.chain);
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
