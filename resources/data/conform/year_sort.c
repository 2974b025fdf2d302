/* See year_sort.h. Radix sort by the words of the key from the last one, then each run of one key by what the records say. */
#include "resources/data/conform/year_sort.h"

#include <stdlib.h>

enum { MAX_DIGIT_BITS = 12, WORD_BITS = 64, MAX_DIGITS = (WORD_BITS + MAX_DIGIT_BITS - 1) / MAX_DIGIT_BITS };

/* --- tails: the details, each its length and its bytes, then the measures; numbers in groups of seven bits from the lowest --- */

static void put_number(struct sf_buf *out, uint64_t value)
{
    for (; value > 0x7f; value >>= 7)
        sf_buf_addc(out, (char)(value | 0x80));
    sf_buf_addc(out, (char)value);
}

static uint64_t take_number(const char **p)
{
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        unsigned char byte = (unsigned char)*(*p)++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
}

/* Small for amounts near zero on either side. */
static uint64_t fold_sign(int64_t cents)
{
    return (uint64_t)cents << 1 ^ (cents < 0 ? UINT64_MAX : 0);
}

static int64_t unfold_sign(uint64_t value)
{
    return (int64_t)(value >> 1 ^ (value & 1 ? UINT64_MAX : 0));
}

void sf_tail_detail(struct sf_buf *tail, struct sf_str raw)
{
    put_number(tail, raw.n);
    sf_buf_add(tail, raw);
}

void sf_tail_measure(struct sf_buf *tail, int64_t cents)
{
    put_number(tail, fold_sign(cents));
}

struct sf_str sf_tail_next(const char **tail)
{
    size_t n = (size_t)take_number(tail);
    struct sf_str one = {*tail, n};
    *tail += n;
    return one;
}

static const char *skip_details(const struct sf_rules *rules, const char *tail)
{
    for (size_t i = 0; i < rules->n_details; i++)
        sf_tail_next(&tail);
    return tail;
}

/* Behind the tail that begins here. */
static const char *skip_tail(const struct sf_rules *rules, const char *tail)
{
    tail = skip_details(rules, tail);
    for (size_t i = 1; i < rules->n_measures; i++)
        take_number(&tail);
    return tail;
}

/* --- keys --- */

static unsigned bits_for(size_t n)
{
    unsigned bits = 1;
    while (n > (size_t)1 << bits)
        bits++;
    return bits;
}

/* Fields go from the top word down, side first; within a word the last one is at the bottom. */
static void plan_key(const struct sf_year_input *in, struct sf_sorted_year *y)
{
    struct sf_key_place *fields[SF_RULES_MAX_DIMENSIONS + 1];
    unsigned widths[SF_RULES_MAX_DIMENSIONS + 1];
    size_t n = 0;
    if (in->rules->n_sides) {
        widths[n] = bits_for(in->rules->n_sides);
        fields[n++] = &y->side;
    }
    for (size_t d = 0; d < in->rules->n_dimensions; d++) {
        widths[n] = bits_for(in->members[d].n);
        fields[n++] = &y->dimensions[d];
    }
    unsigned word = 0;
    for (size_t i = 0; i < n; i++) {
        if (y->bits[word] + widths[i] > WORD_BITS)
            word++;
        y->bits[word] += widths[i];
        *fields[i] = (struct sf_key_place){.word = word, .mask = ((uint64_t)1 << widths[i]) - 1};
    }
    y->n_words = word + 1;
    unsigned shift[SF_KEY_MAX_WORDS] = {0};
    for (size_t i = n; i-- > 0;) {
        fields[i]->shift = shift[fields[i]->word];
        shift[fields[i]->word] += widths[i];
    }
    y->is_plain = y->n_words == 1 && in->rules->n_measures == 1 && in->rules->n_details == 0;
}

/* --- gathering --- */

static void reserve(struct sf_sort_scratch *s, size_t n, size_t record_bytes)
{
    if (n > s->cap) {
        free(s->rows);
        free(s->spare);
        s->cap = n;
        s->rows = malloc(n * sizeof *s->rows);
        s->spare = malloc(n * sizeof *s->spare);
        if (!s->rows || !s->spare)
            sf_out_of_memory();
    }
    if (record_bytes > s->cap_records) {
        free(s->records);
        s->cap_records = record_bytes;
        s->records = malloc(record_bytes);
        if (!s->records)
            sf_out_of_memory();
    }
}

void sf_sort_scratch_free(struct sf_sort_scratch *s)
{
    free(s->rows);
    free(s->spare);
    free(s->records);
    free(s->slices);
    *s = (struct sf_sort_scratch){.rows = NULL};
}

/* What is where in the blocks of one worker. */
struct gathering {
    const struct sf_sorted_year *year;
    const struct sf_rows *rows;
    const uint32_t *maps[SF_RULES_MAX_DIMENSIONS];
    size_t n_dimensions;
    size_t n_firsts; /* members of the first dimension */
    const struct sf_year_slice *slice;
    bool is_part; /* of the year */
};

static size_t slice_place(const struct gathering *g, const struct sf_row *row)
{
    return row->words[0] * g->n_firsts + g->maps[0][row->words[1]];
}

static bool is_outside(const struct gathering *g, const struct sf_row *row)
{
    if (!g->is_part)
        return false;
    size_t place = slice_place(g, row);
    return place < g->slice->first || place >= g->slice->end;
}

/* Returns where the next row goes. */
static struct sf_sorted *gather_plain(const struct gathering *g, const struct sf_rows_view *view, struct sf_sorted *out)
{
    const struct sf_sorted_year *y = g->year;
    for (size_t i = 0; i < view->n; i++) {
        const struct sf_row *row = sf_rows_at(g->rows, view, i);
        if (is_outside(g, row))
            continue;
        uint64_t key = (uint64_t)row->words[0] << y->side.shift;
        for (size_t d = 0; d < g->n_dimensions; d++)
            key |= (uint64_t)g->maps[d][row->words[1 + d]] << y->dimensions[d].shift;
        *out++ = (struct sf_sorted){key, row->cents};
    }
    return out;
}

/* The same; *at is where the next record goes. */
static struct sf_sorted *gather_records(const struct gathering *g, const struct sf_rows_view *view, struct sf_sorted *out,
                                        size_t *at)
{
    const struct sf_sorted_year *y = g->year;
    const char *tail = view->tails;
    size_t n_more = (y->n_words - 1) * sizeof(uint64_t);
    for (size_t i = 0; i < view->n; i++) {
        const struct sf_row *row = sf_rows_at(g->rows, view, i);
        const char *end = skip_tail(y->rules, tail), *begin = tail;
        tail = end;
        if (is_outside(g, row))
            continue;
        uint64_t words[SF_KEY_MAX_WORDS] = {0};
        words[y->side.word] = (uint64_t)row->words[0] << y->side.shift;
        for (size_t d = 0; d < g->n_dimensions; d++)
            words[y->dimensions[d].word] |= (uint64_t)g->maps[d][row->words[1 + d]] << y->dimensions[d].shift;
        /* the last word sorts first: see sort_rows() */
        *out++ = (struct sf_sorted){words[y->n_words - 1], (int64_t)*at};
        char *record = y->records + *at;
        memcpy(record, words, n_more);
        memcpy(record + n_more, &row->cents, sizeof row->cents);
        if (end > begin)
            memcpy(record + n_more + sizeof row->cents, begin, (size_t)(end - begin));
        *at += n_more + sizeof row->cents + (size_t)(end - begin);
    }
    return out;
}

static struct gathering gathering_of(const struct sf_year_input *in, size_t worker)
{
    struct gathering g = {.rows = in->rows[worker], .n_dimensions = in->rules->n_dimensions, .n_firsts = in->members[0].n};
    g.maps[0] = in->maps[0][worker]; /* rules have a dimension */
    for (size_t d = 1; d < g.n_dimensions; d++)
        g.maps[d] = in->maps[d][worker];
    return g;
}

static enum sf_code gather(const struct sf_year_input *in, size_t index, const struct sf_year_slice *slice, bool is_part,
                           const struct sf_sorted_year *y, struct sf_err *err)
{
    struct sf_rows_buffer buffer = {.bytes = NULL};
    enum sf_code rc = SF_OK;
    struct sf_sorted *out = y->rows;
    size_t at = 0;
    for (size_t w = 0; w < in->n_workers && !rc; w++) {
        struct gathering g = gathering_of(in, w);
        g.year = y;
        g.slice = slice;
        g.is_part = is_part;
        for (size_t block = 0;; block++) {
            struct sf_rows_view view;
            rc = sf_rows_read(in->rows[w], index, block, &buffer, &view, err);
            if (rc || view.n == 0)
                break;
            out = y->is_plain ? gather_plain(&g, &view, out) : gather_records(&g, &view, out, &at);
        }
    }
    free(buffer.bytes);
    return rc;
}

/* --- slices --- */

struct counted {
    size_t n, tail_bytes;
};

static enum sf_code count_places(const struct sf_year_input *in, size_t index, struct counted *counts, struct sf_err *err)
{
    struct sf_rows_buffer buffer = {.bytes = NULL};
    enum sf_code rc = SF_OK;
    for (size_t w = 0; w < in->n_workers && !rc; w++) {
        struct gathering g = gathering_of(in, w);
        for (size_t block = 0;; block++) {
            struct sf_rows_view view;
            rc = sf_rows_read(in->rows[w], index, block, &buffer, &view, err);
            if (rc || view.n == 0)
                break;
            const char *tail = view.tails;
            for (size_t i = 0; i < view.n; i++) {
                struct counted *count = &counts[slice_place(&g, sf_rows_at(g.rows, &view, i))];
                const char *end = skip_tail(in->rules, tail);
                count->n++;
                count->tail_bytes += (size_t)(end - tail);
                tail = end;
            }
        }
    }
    free(buffer.bytes);
    return rc;
}

static void add_slice(struct sf_sort_scratch *scratch, size_t *n_slices, const struct sf_year_slice *slice)
{
    if (*n_slices == scratch->cap_slices) {
        scratch->cap_slices = scratch->cap_slices ? 2 * scratch->cap_slices : 16;
        scratch->slices = realloc(scratch->slices, scratch->cap_slices * sizeof *scratch->slices);
        if (!scratch->slices)
            sf_out_of_memory();
    }
    scratch->slices[(*n_slices)++] = *slice;
}

enum sf_code sf_year_slices(const struct sf_year_input *in, size_t index, struct sf_sort_scratch *scratch, size_t *n_slices,
                            struct sf_err *err)
{
    struct sf_sorted_year y = {.rules = in->rules};
    plan_key(in, &y);
    size_t a_record = y.is_plain ? 0 : y.n_words * sizeof(uint64_t), a_row = 2 * sizeof(struct sf_sorted) + a_record;
    size_t most = in->slice_bytes ? in->slice_bytes : SF_SLICE_BYTES;
    size_t n_places = (in->rules->n_sides ? in->rules->n_sides : 1) * in->members[0].n;
    struct sf_year_slice slice = {.end = n_places};
    for (size_t i = 0; i < in->n_workers; i++) {
        slice.n += in->rows[i]->years[index].n;
        slice.record_bytes += in->rows[i]->years[index].tail_bytes;
    }
    *n_slices = 0;
    if (slice.n * a_row + slice.record_bytes <= most) {
        slice.record_bytes += slice.n * a_record;
        add_slice(scratch, n_slices, &slice);
        return SF_OK;
    }
    struct counted *counts = calloc(n_places, sizeof *counts);
    if (!counts)
        sf_out_of_memory();
    enum sf_code rc = count_places(in, index, counts, err);
    slice = (struct sf_year_slice){.n = 0};
    for (size_t i = 0; i < n_places && !rc; i++) {
        size_t record_bytes = counts[i].n * a_record + counts[i].tail_bytes;
        if (slice.n && (slice.n + counts[i].n) * 2 * sizeof(struct sf_sorted) + slice.record_bytes + record_bytes > most) {
            add_slice(scratch, n_slices, &slice);
            slice = (struct sf_year_slice){.first = i};
        }
        slice.n += counts[i].n;
        slice.record_bytes += record_bytes;
        slice.end = i + 1;
    }
    add_slice(scratch, n_slices, &slice);
    free(counts);
    return rc;
}

/* --- reading --- */

static char *words_of(const struct sf_sorted_year *y, const struct sf_sorted *row)
{
    return y->records + row->value;
}

static const char *cents_of(const struct sf_sorted_year *y, const struct sf_sorted *row)
{
    return words_of(y, row) + (y->n_words - 1) * sizeof(uint64_t);
}

/* From the beginning of the details to their end, which tells them apart. */
static struct sf_str details_of(const struct sf_sorted_year *y, const struct sf_sorted *row)
{
    const char *details = cents_of(y, row) + sizeof(int64_t);
    return (struct sf_str){details, (size_t)(skip_details(y->rules, details) - details)};
}

static void read_cents(const struct sf_sorted_year *y, const struct sf_sorted *row, struct sf_str details, int64_t *cents)
{
    const char *p = details.p + details.n;
    memcpy(cents, cents_of(y, row), sizeof *cents);
    for (size_t i = 1; i < y->rules->n_measures; i++)
        cents[i] = unfold_sign(take_number(&p));
}

void sf_sorted_read_record(const struct sf_sorted_year *y, size_t i, struct sf_sorted_row *out)
{
    const struct sf_sorted *row = &y->rows[i];
    out->words[0] = row->key;
    memcpy(out->words + 1, words_of(y, row), (y->n_words - 1) * sizeof(uint64_t));
    struct sf_str details = details_of(y, row);
    out->details = details.p;
    read_cents(y, row, details, out->cents);
}

static bool is_same_key(const struct sf_sorted_year *y, size_t i, size_t k)
{
    return y->rows[i].key == y->rows[k].key && (y->n_words == 1 || memcmp(words_of(y, &y->rows[i]), words_of(y, &y->rows[k]),
                                                                          (y->n_words - 1) * sizeof(uint64_t)) == 0);
}

bool sf_sorted_repeats_record(const struct sf_sorted_year *y, size_t i)
{
    return is_same_key(y, i, i - 1) && sf_str_eq(details_of(y, &y->rows[i]), details_of(y, &y->rows[i - 1]));
}

/* --- sorting --- */

/* By digits of the same width, from the last one; all of them are counted in one go. */
static void sort_by_key(struct sf_sorted_year *y, unsigned bits)
{
    uint32_t counts[MAX_DIGITS][1 << MAX_DIGIT_BITS];
    unsigned n_digits = (bits + MAX_DIGIT_BITS - 1) / MAX_DIGIT_BITS, width = n_digits ? (bits + n_digits - 1) / n_digits : 0;
    uint64_t mask = ((uint64_t)1 << width) - 1;
    for (unsigned digit = 0; digit < n_digits; digit++)
        memset(counts[digit], 0, sizeof counts[digit][0] << width);
    for (size_t i = 0; i < y->n; i++)
        for (unsigned digit = 0; digit < n_digits; digit++)
            counts[digit][y->rows[i].key >> digit * width & mask]++;
    for (unsigned digit = 0; digit < n_digits; digit++) {
        struct sf_sorted *from = y->rows, *to = y->spare;
        uint32_t *at = counts[digit], sum = 0;
        for (size_t i = 0; i <= mask; i++) {
            uint32_t here = at[i];
            at[i] = sum;
            sum += here;
        }
        for (size_t i = 0; i < y->n; i++)
            to[at[from[i].key >> digit * width & mask]++] = from[i];
        y->rows = to;
        y->spare = from;
    }
}

/* The row's key becomes the word before, whose place in the record it takes: in the end the record has the second word first. */
static void swap_word(const struct sf_sorted_year *y, size_t word)
{
    for (size_t i = 0; i < y->n; i++) {
        char *place = words_of(y, &y->rows[i]) + word * sizeof(uint64_t);
        uint64_t key;
        memcpy(&key, place, sizeof key);
        memcpy(place, &y->rows[i].key, sizeof key);
        y->rows[i].key = key;
    }
}

static int order_cents(const void *a, const void *b)
{
    int64_t x = ((const struct sf_sorted *)a)->value, y = ((const struct sf_sorted *)b)->value;
    return (x > y) - (x < y);
}

static int order_records(const void *a, const void *b, void *year)
{
    const struct sf_sorted *x = a, *z = b;
    const struct sf_sorted_year *y = year;
    struct sf_str x_details = details_of(y, x), z_details = details_of(y, z);
    int order = sf_str_cmp(x_details, z_details);
    if (order)
        return order;
    int64_t x_cents[SF_RULES_MAX_MEASURES], z_cents[SF_RULES_MAX_MEASURES];
    read_cents(y, x, x_details, x_cents);
    read_cents(y, z, z_details, z_cents);
    for (size_t i = 0; i < y->rules->n_measures && !order; i++)
        order = (x_cents[i] > z_cents[i]) - (x_cents[i] < z_cents[i]);
    return order;
}

static void sort_rows(struct sf_sorted_year *y)
{
    sort_by_key(y, y->bits[y->n_words - 1]);
    for (size_t word = y->n_words - 1; word-- > 0;) {
        swap_word(y, word);
        sort_by_key(y, y->bits[word]);
    }
    for (size_t i = 0; i < y->n;) {
        size_t end = i + 1;
        while (end < y->n && is_same_key(y, i, end))
            end++;
        if (end - i > 1 && y->is_plain)
            qsort(y->rows + i, end - i, sizeof *y->rows, order_cents);
        else if (end - i > 1)
            qsort_r(y->rows + i, end - i, sizeof *y->rows, order_records, y);
        i = end;
    }
}

enum sf_code sf_year_sort(const struct sf_year_input *in, size_t index, const struct sf_year_slice *slice,
                          struct sf_sort_scratch *scratch, struct sf_sorted_year *y, struct sf_err *err)
{
    *y = (struct sf_sorted_year){.rules = in->rules, .n = slice->n};
    plan_key(in, y);
    uint64_t n_all = 0;
    for (size_t i = 0; i < in->n_workers; i++)
        n_all += in->rows[i]->years[index].n;
    reserve(scratch, slice->n, slice->record_bytes);
    y->rows = scratch->rows;
    y->spare = scratch->spare;
    y->records = scratch->records;
    enum sf_code rc = gather(in, index, slice, slice->n != n_all, y, err);
    if (!rc)
        sort_rows(y);
    return rc;
}
