/* See copy_code.h. */
#include "resources/local/copy_code.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    TEXT_BYTES = 256 * 1024,            /* at first */
    MOST_TEXT_BYTES = 64 * 1024 * 1024, /* of one row */
    MOST_LONGER = 8,                    /* times as long a coded row can be as its text: "1," is an int8 of 12 bytes */
    NUMERIC_HEADER = 8,
    DIGITS = 4, /* decimal ones in one of a numeric's */
};

static enum sf_code refuse(const struct sf_copy_coder *c, const char *sqlstate, const char *what, struct sf_str value,
                           struct sf_err *err)
{
    sf_fail(err, SF_E_REFUSED, "line %" PRIu64 ": %s: '%.*s'", c->line, what, SF_ARG(sf_str_slice(value, 0, 60)));
    if (err)
        snprintf(err->remote_code, sizeof err->remote_code, "%s", sqlstate);
    return SF_E_REFUSED;
}

static char *put16(char *out, unsigned value)
{
    uint16_t bytes = htobe16((uint16_t)value);
    memcpy(out, &bytes, sizeof bytes);
    return out + sizeof bytes;
}

static char *put32(char *out, uint32_t value)
{
    value = htobe32(value);
    memcpy(out, &value, sizeof value);
    return out + sizeof value;
}

static char *put64(char *out, uint64_t value)
{
    value = htobe64(value);
    memcpy(out, &value, sizeof value);
    return out + sizeof value;
}

/* Up to four decimal digits as one of a numeric's; *bad gets a bit when one is none. */
static unsigned numeric_digit(const char *p, size_t n, unsigned *bad)
{
    unsigned digit = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned one = (unsigned char)p[i] - (unsigned)'0';
        *bad |= one > 9;
        digit = digit * 10 + one;
    }
    return digit;
}

/* "-12.50": four decimal digits to one of its own, the point between two of them; zeros are missing in front of the first and
 * behind the last. NULL: it is none. */
static char *put_numeric(char *out, struct sf_str s)
{
    static const unsigned missing[] = {1, 1000, 100, 10};
    bool is_negative = s.n > 0 && s.p[0] == '-';
    const char *p = s.p + is_negative, *end = s.p + s.n, *point = p;
    unsigned bad = 0;
    while (point < end && *point != '.')
        point++;
    size_t whole = (size_t)(point - p), scale = point < end ? (size_t)(end - point) - 1 : 0;
    if (whole == 0 || whole + scale > 1000 || (point < end && scale == 0))
        return NULL;
    size_t before = (whole + DIGITS - 1) / DIGITS, after = (scale + DIGITS - 1) / DIGITS, first = whole - (before - 1) * DIGITS;
    out = put32(out, (uint32_t)(NUMERIC_HEADER + 2 * (before + after)));
    out = put16(out, (unsigned)(before + after));
    out = put16(out, (unsigned)(before - 1));
    out = put16(out, is_negative ? 0x4000 : 0);
    out = put16(out, (unsigned)scale);
    out = put16(out, numeric_digit(p, first, &bad));
    for (p += first; p < point; p += DIGITS)
        out = put16(out, numeric_digit(p, DIGITS, &bad));
    for (p = point + 1; scale >= DIGITS; scale -= DIGITS, p += DIGITS)
        out = put16(out, numeric_digit(p, DIGITS, &bad));
    if (scale > 0)
        out = put16(out, numeric_digit(p, scale, &bad) * missing[scale]);
    return bad ? NULL : out;
}

/* One field as its column has it. NULL: refused. */
static char *put_field(const struct sf_copy_coder *c, char type, struct sf_str s, char *out, struct sf_err *err)
{
    int64_t number = 0;
    char *end = NULL;
    switch (type) {
    case 't':
        out = put32(out, (uint32_t)s.n);
        memcpy(out, s.p, s.n);
        return out + s.n;
    case 'n':
        end = put_numeric(out, s);
        break;
    case 'b':
        end = sf_str_int64(s, &number) ? put64(put32(out, 8), (uint64_t)number) : NULL;
        break;
    case 'i':
        end =
            sf_str_int64(s, &number) && number >= INT32_MIN && number <= INT32_MAX ? put32(put32(out, 4), (uint32_t)number) : NULL;
        break;
    default:
        break;
    }
    if (!end && refuse(c, "22P02", "is no number of its column's type", s, err))
        return NULL;
    return end;
}

/* Where the row that begins at `p` ends, behind its line end; NULL: behind `end`. */
static const char *row_end(const char *p, const char *end)
{
    const char *line_end = memchr(p, '\n', (size_t)(end - p));
    while (line_end) {
        const char *quote = memchr(p, '"', (size_t)(line_end - p));
        if (!quote)
            return line_end + 1;
        quote = memchr(quote + 1, '"', (size_t)(end - quote - 1));
        p = quote ? quote + 1 : end;
        if (p > line_end)
            line_end = memchr(p, '\n', (size_t)(end - p));
    }
    return NULL;
}

/* A field in quotes, unquoted where it stands; *p is moved behind it. False: it has no end. */
static bool unquote(char **p, const char *end, struct sf_str *out)
{
    char *from = *p + 1, *to = from;
    const char *begin = from;
    for (; from < end; from++) {
        if (*from == '"' && (from + 1 >= end || from[1] != '"')) {
            *out = (struct sf_str){begin, (size_t)(to - begin)};
            *p = from + 1;
            return true;
        }
        from += *from == '"';
        *to++ = *from;
    }
    return false;
}

/* One row, `end` behind its last character. */
static enum sf_code code_row(struct sf_copy_coder *c, char *p, const char *end, struct sf_err *err)
{
    size_t n = strlen(c->types);
    struct sf_str row = {p, (size_t)(end - p)};
    char *out = put16(c->coded + c->n_coded, (unsigned)n);
    for (size_t i = 0; i < n; i++) {
        struct sf_str field = {p, 0};
        bool is_quoted = p < end && *p == '"';
        if (is_quoted && !unquote(&p, end, &field))
            return refuse(c, "22P04", "has a quote that does not end", row, err);
        while (!is_quoted && p < end && *p != ',')
            p++;
        if (!is_quoted)
            field.n = (size_t)(p - field.p);
        out = field.n == 0 && !is_quoted ? put32(out, UINT32_MAX) : put_field(c, c->types[i], field, out, err);
        if (!out)
            return SF_E_REFUSED;
        if (i + 1 < n ? p >= end || *p != ',' : p != end)
            return refuse(c, "22P04", "does not have the columns of its table", row, err);
        p++;
    }
    c->n_coded = (size_t)(out - c->coded);
    return SF_OK;
}

/* All whole rows of the text; what is left of it moves to its beginning. */
static enum sf_code code_text(struct sf_copy_coder *c, struct sf_err *err)
{
    char *p = c->text, *end = c->text + c->n_text;
    enum sf_code rc = SF_OK;
    if (c->is_at_end && c->n_text > 0 && end[-1] != '\n') /* there is room for one more */
        *end++ = '\n';
    while (!rc && p < end) {
        const char *after = row_end(p, end);
        if (!after && (c->is_at_end || c->n_text >= MOST_TEXT_BYTES))
            return refuse(c, "22P04", "is too long, or has a quote that does not end", (struct sf_str){p, (size_t)(end - p)}, err);
        if (!after)
            break;
        c->line++;
        if (c->line > 1)
            rc = code_row(c, p, after - 1, err);
        p += after - p;
    }
    c->n_text = (size_t)(end - p);
    memmove(c->text, p, c->n_text);
    return rc;
}

/* Room for `n` bytes of text, and for what they are coded as. */
static void reserve(struct sf_copy_coder *c, size_t n)
{
    c->cap = n;
    c->text = realloc(c->text, n + 1);
    c->coded = realloc(c->coded, MOST_LONGER * (n + 1));
    if (!c->text || !c->coded)
        sf_out_of_memory();
}

static enum sf_code refill(struct sf_copy_coder *c, struct sf_err *err)
{
    static const char signature[] = "PGCOPY\n\377\r\n"; /* its last NUL belongs to it; then flags and no extension */
    size_t got = 0;
    c->at = c->n_coded = 0;
    if (!c->has_begun) {
        c->has_begun = true;
        reserve(c, TEXT_BYTES);
        memcpy(c->coded, signature, sizeof signature);
        memset(c->coded + sizeof signature, 0, 8);
        c->n_coded = sizeof signature + 8;
        return SF_OK;
    }
    if (c->is_at_end) {
        put16(c->coded, 0xffff);
        c->n_coded = 2;
        c->has_ended = true;
        return SF_OK;
    }
    if (c->n_text == c->cap)
        reserve(c, 2 * c->cap);
    enum sf_code rc = c->source(c->from, c->text + c->n_text, c->cap - c->n_text, &got, err);
    if (rc)
        return rc;
    c->n_text += got;
    c->is_at_end = got == 0;
    return code_text(c, err);
}

enum sf_code sf_copy_code(void *coder, void *bytes, size_t n, size_t *got, struct sf_err *err)
{
    struct sf_copy_coder *c = coder;
    while (c->at == c->n_coded && !c->has_ended) {
        enum sf_code rc = refill(c, err);
        if (rc)
            return rc;
    }
    *got = c->n_coded - c->at < n ? c->n_coded - c->at : n;
    memcpy(bytes, c->coded + c->at, *got);
    c->at += *got;
    return SF_OK;
}

void sf_copy_coder_free(struct sf_copy_coder *c)
{
    free(c->text);
    free(c->coded);
}
