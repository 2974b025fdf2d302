/* The CSV engine around the scanner: cutting a stream into chunks of whole records, records and fields of a chunk, the plain
 * reader, and writing fields. */
#include "resources/data/conform/csv.h"

#include <stdio.h>
#include <stdlib.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { NEAR_END = 32 * 1024 };

/* How often a byte value occurs. */
static size_t count_byte(const char *p, size_t n, char byte)
{
    size_t i = 0, count = 0;
#ifdef __SSE2__
    const __m128i want = _mm_set1_epi8(byte), zero = _mm_setzero_si128();
    while (i + 16 <= n) {
        /* byte counters hold at most 255, so they are summed up every 255 steps */
        __m128i sum = zero;
        for (size_t step = 0; step < 255 && i + 16 <= n; step++, i += 16)
            sum = _mm_sub_epi8(sum, _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(const void *)(p + i)), want));
        __m128i wide = _mm_sad_epu8(sum, zero);
        count += (size_t)_mm_cvtsi128_si64(wide) + (size_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(wide, wide));
    }
#endif
    for (; i < n; i++)
        count += p[i] == byte;
    return count;
}

static void grow(char **bytes, size_t *cap, size_t need)
{
    if (need <= *cap)
        return;
    char *p = realloc(*bytes, need);
    if (!p)
        sf_out_of_memory();
    *bytes = p;
    *cap = need;
}

void sf_csv_chunk_reserve(struct sf_csv_chunk *chunk, size_t n)
{
    grow(&chunk->bytes, &chunk->cap, n + SF_CSV_PADDING);
    chunk->is_indexed = false;
}

void sf_csv_chunk_free(struct sf_csv_chunk *chunk)
{
    free(chunk->bytes);
    free(chunk->ends);
    *chunk = (struct sf_csv_chunk){.bytes = NULL};
}

void sf_csv_splitter_open(struct sf_csv_splitter *splitter, sf_csv_read_fn *read, void *ctx, const char *file)
{
    *splitter = (struct sf_csv_splitter){
        .read = read, .ctx = ctx, .file = file, .max_record = SF_CSV_MAX_RECORD, .block = SF_CSV_BLOCK, .next_line = 1};
}

void sf_csv_splitter_close(struct sf_csv_splitter *splitter)
{
    free(splitter->carry);
    splitter->carry = NULL;
    splitter->cap_carry = splitter->n_carry = 0;
}

static enum sf_code fill(struct sf_csv_splitter *s, struct sf_csv_chunk *c, size_t want, struct sf_err *err)
{
    sf_csv_chunk_reserve(c, want);
    while (c->n < want && !s->is_at_end) {
        size_t got = 0;
        enum sf_code rc = s->read(s->ctx, c->bytes + c->n, want - c->n, &got, err);
        if (rc)
            return rc;
        c->n += got;
        s->is_at_end = got == 0;
    }
    return SF_OK;
}

static enum sf_code skip_mark(struct sf_csv_splitter *s, struct sf_csv_chunk *c, struct sf_err *err)
{
    if (c->n >= 2 && (memcmp(c->bytes, "\xff\xfe", 2) == 0 || memcmp(c->bytes, "\xfe\xff", 2) == 0)) {
        sf_fail(err, SF_E_DATA, "'%s' line 1, column 1: the file is UTF-16, not UTF-8", s->file);
        sf_hint(err, "convert it first: iconv -f UTF-16 -t UTF-8");
        if (err)
            err->where = (struct sf_mark){s->file, 1, 1, 1};
        return SF_E_DATA;
    }
    if (c->n >= 3 && memcmp(c->bytes, "\xef\xbb\xbf", 3) == 0) {
        memmove(c->bytes, c->bytes + 3, c->n - 3);
        c->n -= 3;
    }
    return SF_OK;
}

/* Whether a quote at `i`, outside quotes, begins a quoted field; anywhere else it is just a character. */
static bool begins_field(const struct sf_csv_chunk *c, size_t i)
{
    char before = i ? c->bytes[i - 1] : '\n';
    return before == ',' || before == '\n' || before == '\r';
}

/* The kind of line end is that of the first record. */
static enum sf_csv_eol detect_eol(const struct sf_csv_chunk *c, bool is_all)
{
    bool quoted = false;
    for (size_t i = 0; i < c->n; i++) {
        char ch = c->bytes[i];
        if (quoted && ch == '"' && i + 1 < c->n && c->bytes[i + 1] == '"')
            i++;
        else if (ch == '"' && (quoted || begins_field(c, i)))
            quoted = !quoted;
        else if (!quoted && ch == '\n')
            return SF_CSV_EOL_LF;
        else if (!quoted && ch == '\r' && (i + 1 < c->n || is_all))
            return i + 1 < c->n && c->bytes[i + 1] == '\n' ? SF_CSV_EOL_CRLF : SF_CSV_EOL_CR;
    }
    return is_all ? SF_CSV_EOL_LF : SF_CSV_EOL_UNKNOWN;
}

/* Bytes up to and with the last line end outside quotes; 0 when there is none. Goes from quote to quote; line ends are looked for
 * from `from` on only, since the last one is nearly always near the end. */
static size_t whole_records(const struct sf_csv_chunk *c, size_t from)
{
    char stop = c->eol == SF_CSV_EOL_CR ? '\r' : '\n';
    size_t cut = 0, outside = 0; /* where the text outside quotes began */
    bool quoted = false;
    const char *end = c->bytes + c->n;
    for (const char *q = memchr(c->bytes, '"', c->n); q; q = memchr(q, '"', (size_t)(end - q))) {
        size_t at = (size_t)(q++ - c->bytes);
        if (quoted && q < end && *q == '"') {
            q++;
        } else if (quoted) {
            quoted = false;
            outside = at + 1;
        } else if (begins_field(c, at)) {
            quoted = true;
            const char *last = at > from ? memrchr(c->bytes + outside, stop, at - outside) : NULL;
            cut = last ? (size_t)(last - c->bytes) + 1 : cut;
        }
    }
    const char *last = quoted ? NULL : memrchr(c->bytes + outside, stop, c->n - outside);
    return last ? (size_t)(last - c->bytes) + 1 : cut;
}

static enum sf_code fail_at_line(const char *file, uint64_t line, const char *what, const char *hint, struct sf_err *err)
{
    sf_fail(err, SF_E_DATA, "'%s' line %llu, column 1: %s", file, (unsigned long long)line, what);
    sf_hint(err, "%s", hint);
    if (err)
        err->where = (struct sf_mark){file, line > UINT32_MAX ? UINT32_MAX : (uint32_t)line, 1, 1};
    return SF_E_DATA;
}

static enum sf_code finish_chunk(struct sf_csv_splitter *s, struct sf_csv_chunk *c, size_t cut, struct sf_err *err)
{
    size_t rest = c->n - cut;
    grow(&s->carry, &s->cap_carry, rest + 1);
    memcpy(s->carry, c->bytes + cut, rest);
    s->n_carry = rest;
    c->n = cut;
    char stop = c->eol == SF_CSV_EOL_CR ? '\r' : '\n';
    c->first_line = s->next_line;
    c->number = s->next_number++;
    s->next_line += c->is_indexed && !c->has_inner_lines ? c->n_records : count_byte(c->bytes, c->n, stop);
    if (s->is_at_end && rest == 0 && c->n && c->bytes[c->n - 1] != stop) {
        s->lacks_final_newline = true;
        if (s->needs_final_newline)
            return fail_at_line(s->file, s->next_line, "the last line has no line end: the file is cut off",
                                "fetch the file again and compare its size with the source's", err);
    }
    return SF_OK;
}

enum sf_code sf_csv_split(struct sf_csv_splitter *s, struct sf_csv_chunk *c, bool *end, struct sf_err *err)
{
    *end = false;
    c->file = s->file;
    c->n = 0;
    c->n_ends = 0;
    sf_csv_chunk_reserve(c, s->n_carry + s->block);
    if (s->n_carry)
        memcpy(c->bytes, s->carry, s->n_carry);
    c->n = s->n_carry;
    s->n_carry = 0;
    for (size_t block = s->block;; block *= 2) {
        enum sf_code rc = fill(s, c, c->n + block, err);
        if (!rc && !s->is_started)
            rc = skip_mark(s, c, err);
        if (rc)
            return rc;
        s->is_started = true;
        if (c->n == 0) {
            *end = true;
            return SF_OK;
        }
        if (s->eol == SF_CSV_EOL_UNKNOWN)
            s->eol = detect_eol(c, s->is_at_end);
        c->eol = s->eol;
        if (s->is_at_end)
            return finish_chunk(s, c, c->n, err);
        size_t cut = 0;
        if (s->eol != SF_CSV_EOL_UNKNOWN) {
            cut = sf_csv_index_whole_records(c);
            if (cut == 0)
                cut = whole_records(c, c->n > NEAR_END ? c->n - NEAR_END : 0);
            if (cut == 0 && c->n > NEAR_END)
                cut = whole_records(c, 0);
        }
        if (cut)
            return finish_chunk(s, c, cut, err);
        if (c->n > s->max_record)
            return fail_at_line(s->file, s->next_line, "the record that begins here is over the maximum of 16 MiB",
                                "a quote that is never closed swallows the lines after it", err);
    }
}

static bool take_record(struct sf_csv_record *r)
{
    const struct sf_csv_chunk *c = r->chunk;
    if (r->next >= c->n_ends)
        return false;
    size_t i = r->next;
    if (r->n_fields && c->n_ends - i >= r->n_fields) {
        /* most probably as many fields as the record before: a loop that ends with them is mispredicted in every record */
        uint32_t early = 0;
        for (size_t k = 0; k + 1 < r->n_fields; k++)
            early |= c->ends[i + k];
        i += early >> 31 ? 0 : r->n_fields - 1;
    }
    while (!(c->ends[i] >> 31))
        i++;
    r->ends = c->ends + r->next;
    r->n_fields = i - r->next + 1;
    r->next = i + 1;
    return true;
}

bool sf_csv_first(const struct sf_csv_chunk *chunk, struct sf_csv_record *record)
{
    *record = (struct sf_csv_record){.chunk = chunk};
    return take_record(record);
}

bool sf_csv_next(struct sf_csv_record *record)
{
    record->start = (record->ends[record->n_fields - 1] & 0x7fffffff) + 1;
    return take_record(record);
}

bool sf_csv_is_even(const struct sf_csv_chunk *c, size_t n_fields)
{
    if (!c->is_indexed || n_fields == 0 || c->n_ends != c->n_records * n_fields)
        return false;
    /* as many stops as records: if each is where it belongs, none is anywhere else */
    uint32_t all = UINT32_MAX;
    for (size_t i = n_fields - 1; i < c->n_ends; i += n_fields)
        all &= c->ends[i];
    return all >> 31;
}

struct sf_str sf_csv_value(struct sf_str raw, char *scratch)
{
    if (!sf_csv_is_quoted(raw))
        return raw;
    struct sf_str inner = {raw.p + 1, raw.n - 2};
    if (!memchr(inner.p, '"', inner.n))
        return inner;
    size_t n = 0;
    for (size_t i = 0; i < inner.n; i++) {
        scratch[n++] = inner.p[i];
        i += inner.p[i] == '"';
    }
    return (struct sf_str){scratch, n};
}

uint64_t sf_csv_line(const struct sf_csv_record *r)
{
    return r->chunk->first_line + count_byte(r->chunk->bytes, r->start, r->chunk->eol == SF_CSV_EOL_CR ? '\r' : '\n');
}

struct sf_str sf_csv_record_text(const struct sf_csv_record *r)
{
    struct sf_str last = sf_csv_raw(r, r->n_fields - 1);
    const char *from = r->chunk->bytes + r->start;
    return (struct sf_str){from, (size_t)(last.p + last.n - from)};
}

/* Place of byte `upto` of the record's text. */
static struct sf_mark place_in(const struct sf_csv_record *r, size_t upto)
{
    struct sf_str text = sf_csv_record_text(r);
    uint64_t line = sf_csv_line(r);
    uint32_t column = 1;
    for (size_t i = 0; i < upto; i++) {
        column += ((unsigned char)text.p[i] & 0xc0) != 0x80;
        if (text.p[i] == '\n') {
            line++;
            column = 1;
        }
    }
    return (struct sf_mark){r->chunk->file, line > UINT32_MAX ? UINT32_MAX : (uint32_t)line, column, 1};
}

enum sf_code sf_csv_fail_field(const struct sf_csv_record *r, size_t field, struct sf_err *err, const char *fmt, ...)
{
    char what[SF_MAX_MESSAGE_BYTES / 2];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    struct sf_mark where = place_in(r, (size_t)(sf_csv_raw(r, field).p - (r->chunk->bytes + r->start)));
    sf_fail(err, SF_E_DATA, "'%s' line %u, column %u: %s", where.file, where.line, where.column, what);
    if (err)
        err->where = where;
    return SF_E_DATA;
}

enum sf_code sf_csv_fail_ragged(const struct sf_csv_record *r, size_t expected, struct sf_err *err)
{
    /* the place is that of the first field too many, or of the end of the record */
    struct sf_str text = sf_csv_record_text(r);
    size_t upto = r->n_fields > expected ? (size_t)(sf_csv_raw(r, expected).p - text.p) : text.n;
    struct sf_mark where = place_in(r, upto);
    if (r->n_fields == 1 && text.n == 0)
        sf_fail(err, SF_E_DATA, "'%s' line %u, column 1: a blank line, the header has %zu fields", where.file, where.line,
                expected);
    else
        sf_fail(err, SF_E_DATA, "'%s' line %u, column %u: a record of %zu field%s, the header has %zu", where.file, where.line,
                where.column, r->n_fields, r->n_fields == 1 ? "" : "s", expected);
    sf_hint(err, "a file that was cut off ends like this too: compare its size with the source's");
    if (err)
        err->where = where;
    return SF_E_DATA;
}

void sf_csv_write_field(struct sf_buf *out, struct sf_str value)
{
    bool is_plain = value.n > 0;
    for (size_t i = 0; i < value.n && is_plain; i++)
        is_plain = value.p[i] != '"' && value.p[i] != ',' && value.p[i] != '\n' && value.p[i] != '\r';
    if (is_plain) {
        sf_buf_add(out, value);
        return;
    }
    sf_buf_addc(out, '"');
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] == '"')
            sf_buf_addc(out, '"');
        sf_buf_addc(out, value.p[i]);
    }
    sf_buf_addc(out, '"');
}

void sf_csv_reader_open(struct sf_csv_reader *reader, sf_csv_read_fn *read, void *ctx, const char *file)
{
    *reader = (struct sf_csv_reader){.columns = 0};
    sf_csv_splitter_open(&reader->splitter, read, ctx, file);
}

void sf_csv_reader_close(struct sf_csv_reader *reader)
{
    sf_csv_splitter_close(&reader->splitter);
    sf_csv_chunk_free(&reader->chunk);
}

enum sf_code sf_csv_reader_next(struct sf_csv_reader *reader, const struct sf_csv_record **record, struct sf_err *err)
{
    *record = NULL;
    bool has_record = reader->is_in_chunk && sf_csv_next(&reader->record);
    if (!has_record) {
        bool end;
        enum sf_code rc = sf_csv_split(&reader->splitter, &reader->chunk, &end, err);
        if (!rc && !end)
            rc = sf_csv_index(&reader->chunk, err);
        if (rc || end)
            return rc;
        reader->is_in_chunk = true;
        if (!sf_csv_first(&reader->chunk, &reader->record))
            return SF_OK;
    }
    if (reader->columns == 0)
        reader->columns = reader->record.n_fields;
    if (reader->record.n_fields != reader->columns)
        return sf_csv_fail_ragged(&reader->record, reader->columns, err);
    *record = &reader->record;
    return SF_OK;
}
