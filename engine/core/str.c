/* See str.h. */
#include "engine/core/str.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>

int sf_str_cmp(struct sf_str a, struct sf_str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;
    if (order)
        return order;
    return a.n < b.n ? -1 : a.n > b.n;
}

bool sf_str_starts(struct sf_str s, struct sf_str prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

bool sf_str_ends(struct sf_str s, struct sf_str suffix)
{
    return s.n >= suffix.n && (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

size_t sf_str_find(struct sf_str s, struct sf_str needle)
{
    if (needle.n == 0)
        return 0;
    const char *hit = s.n ? memmem(s.p, s.n, needle.p, needle.n) : NULL;
    return hit ? (size_t)(hit - s.p) : SIZE_MAX;
}

struct sf_str sf_str_slice(struct sf_str s, size_t from, size_t to)
{
    if (to > s.n)
        to = s.n;
    if (from >= to)
        return SF_STR_NONE;
    return (struct sf_str){s.p + from, to - from};
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

struct sf_str sf_str_trim(struct sf_str s)
{
    while (s.n && is_blank(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

/* The number that eight digits are, first one lowest: halved three times by multiplications. False when one is none. */
static bool eight_digits(const char *p, uint64_t *out)
{
    const uint64_t zeros = 0x3030303030303030, above_nine = 0x4646464646464646, tops = 0x8080808080808080;
    uint64_t digits;
    memcpy(&digits, p, sizeof digits);
    digits = le64toh(digits);
    if (((digits + above_nine) | (digits - zeros)) & tops)
        return false;
    digits -= zeros;
    digits = (digits * 10 + (digits >> 8)) & 0x00ff00ff00ff00ff;
    digits = (digits * 100 + (digits >> 16)) & 0x0000ffff0000ffff;
    *out = (digits * 10000 + (digits >> 32)) & 0xffffffff;
    return true;
}

bool sf_str_int64(struct sf_str s, int64_t *out)
{
    bool is_negative = s.n && s.p[0] == '-';
    size_t i = is_negative;
    if (i == s.n || s.n > 20)
        return false;
    uint64_t value = 0, more;
    for (size_t safe = i + 16; i + 8 <= s.n && i < safe; i += 8) { /* 16 of them cannot be too many */
        if (!eight_digits(s.p + i, &more))
            return false;
        value = value * 100000000 + more;
    }
    for (; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(s.p[i] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (value > (uint64_t)INT64_MAX + (is_negative ? 1 : 0))
        return false;
    *out = is_negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

int sf_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Bytes of the well-formed character that `n` bytes at `p` begin with; 0: they begin with none. */
static size_t utf8_length(const unsigned char *p, size_t n)
{
    if (p[0] < 0x80)
        return 1;
    size_t more = p[0] >= 0xf0 ? 3 : p[0] >= 0xe0 ? 2 : 1;
    if (p[0] < 0xc2 || p[0] > 0xf4 || n <= more)
        return 0;
    unsigned char low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t k = 2; k <= more; k++)
        if ((p[k] & 0xc0) != 0x80)
            return 0;
    return more + 1;
}

bool sf_str_is_utf8(struct sf_str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    for (size_t i = 0, length; i < s.n; i += length) {
        length = utf8_length(p + i, s.n - i);
        if (!length)
            return false;
    }
    return true;
}

/* The code point of a well-formed character below U+10000, which all that steer are. */
static unsigned code_point(const unsigned char *p, size_t length)
{
    return length == 1   ? p[0]
           : length == 2 ? (p[0] & 0x1fU) << 6 | (p[1] & 0x3fU)
                         : (p[0] & 0x0fU) << 12 | (p[1] & 0x3fU) << 6 | (p[2] & 0x3fU);
}

/* The character that `n` bytes at `p` begin with, a byte that is none counting for itself: its length, and whether it steers. */
static size_t next_character(const unsigned char *p, size_t n, unsigned *code, bool *steers)
{
    static const struct {
        unsigned first, last;
    } steering[] = {{0, 0x1f}, {0x7f, 0x9f}, {0x61c, 0x61c}, {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069}};
    size_t length = utf8_length(p, n);
    *code = !length ? p[0] : length < 4 ? code_point(p, length) : ' ';
    *steers = !length;
    for (size_t i = 0; i < SF_COUNT(steering); i++)
        *steers |= *code >= steering[i].first && *code <= steering[i].last;
    return length ? length : 1;
}

size_t sf_str_character(struct sf_str s, bool *steers)
{
    unsigned code;
    return next_character((const unsigned char *)s.p, s.n, &code, steers);
}

size_t sf_str_distance(struct sf_str a, struct sf_str b)
{
    enum { MAX = 64 };
    if (a.n > MAX || b.n > MAX)
        return MAX;
    size_t row[MAX + 1];
    for (size_t j = 0; j <= b.n; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            size_t best = diagonal + (a.p[i - 1] != b.p[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[b.n];
}

struct sf_str sf_str_dup(struct sf_arena *arena, struct sf_str s)
{
    char *copy = sf_arena_alloc(arena, s.n + 1);
    if (s.n)
        memcpy(copy, s.p, s.n);
    return (struct sf_str){copy, s.n};
}

struct sf_str sf_str_vfmt(struct sf_arena *arena, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (n < 0)
        sf_out_of_memory();
    char *text = sf_arena_alloc(arena, (size_t)n + 1);
    vsnprintf(text, (size_t)n + 1, fmt, ap);
    return (struct sf_str){text, (size_t)n};
}

struct sf_str sf_str_fmt(struct sf_arena *arena, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct sf_str s = sf_str_vfmt(arena, fmt, ap);
    va_end(ap);
    return s;
}

struct sf_str sf_str_hex(struct sf_arena *arena, const void *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *in = bytes;
    char *out = sf_arena_alloc(arena, n * 2 + 1);
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[in[i] >> 4];
        out[2 * i + 1] = digits[in[i] & 15];
    }
    return (struct sf_str){out, n * 2};
}

static bool make_room(struct sf_buf *buf, size_t more)
{
    if (buf->overflow || more > buf->max - buf->n) {
        buf->overflow = true;
        return false;
    }
    size_t need = buf->n + more + 1;
    if (need <= buf->cap)
        return true;
    size_t cap = buf->cap ? buf->cap * 2 : 128;
    while (cap < need)
        cap *= 2;
    char *grown = realloc(buf->p, cap);
    if (!grown)
        sf_out_of_memory();
    buf->p = grown;
    buf->cap = cap;
    return true;
}

void sf_buf_add(struct sf_buf *buf, struct sf_str s)
{
    if (!make_room(buf, s.n))
        return;
    if (s.n)
        memcpy(buf->p + buf->n, s.p, s.n);
    buf->n += s.n;
    buf->p[buf->n] = 0;
}

void sf_buf_addc(struct sf_buf *buf, char c)
{
    sf_buf_add(buf, (struct sf_str){&c, 1});
}

void sf_buf_addz(struct sf_buf *buf, const char *text)
{
    sf_buf_add(buf, sf_str_of(text));
}

void sf_buf_add_shown(struct sf_buf *buf, struct sf_str text, const char *keep)
{
    size_t from = 0;
    for (size_t i = 0, n; i < text.n; i += n) {
        unsigned code;
        bool steers;
        n = next_character((const unsigned char *)text.p + i, text.n - i, &code, &steers);
        if (!steers || (text.p[i] && strchr(keep, text.p[i])))
            continue;
        sf_buf_add(buf, sf_str_slice(text, from, i));
        sf_buf_addf(buf, n == 1 && code != 0x7f ? "\\x%02X" : "\\u%04X", code);
        from = i + n;
    }
    sf_buf_add(buf, sf_str_slice(text, from, text.n));
}

void sf_buf_addf(struct sf_buf *buf, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0 || !make_room(buf, (size_t)n))
        return;
    va_start(ap, fmt);
    vsnprintf(buf->p + buf->n, (size_t)n + 1, fmt, ap);
    va_end(ap);
    buf->n += (size_t)n;
}

void sf_buf_clear(struct sf_buf *buf)
{
    buf->n = 0;
    buf->overflow = false;
    if (buf->p)
        buf->p[0] = 0;
}

void sf_buf_free(struct sf_buf *buf)
{
    free(buf->p);
    *buf = SF_BUF(buf->max);
}

struct sf_str sf_buf_str(const struct sf_buf *buf)
{
    return (struct sf_str){buf->p ? buf->p : "", buf->n};
}
