/* Strings: a view for everything read, a capped buffer for everything built.
 *
 * A view does not own its bytes. Views made by this module from an arena are NUL-terminated one byte past `n`, so
 * `.p` may go to C APIs; a view into the middle of something is not. A buffer always is NUL-terminated, never grows past
 * its maximum, and remembers that it would have had to (`overflow`), so a sequence of appends needs one check. */
#ifndef SF_CORE_STR_H
#define SF_CORE_STR_H

#include "engine/core/arena.h"

#include <stdarg.h>
#include <string.h>

struct sf_str {
    const char *p; /* may be NULL only when n is 0 */
    size_t n;      /* bytes */
};

#define SF_STR(literal) ((struct sf_str){(literal), sizeof(literal) - 1})
#define SF_STR_NONE ((struct sf_str){NULL, 0})
#define SF_ARG(s) (int)(s).n, ((s).p ? (s).p : "") /* for "%.*s" */

/* View of a C string; NULL gives the empty view. */
static inline struct sf_str sf_str_of(const char *text)
{
    return (struct sf_str){text, text ? strlen(text) : 0};
}

static inline bool sf_str_eq(struct sf_str a, struct sf_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool sf_str_is(struct sf_str a, const char *text)
{
    return sf_str_eq(a, sf_str_of(text));
}

/* Bytewise order: <0, 0, >0. */
int sf_str_cmp(struct sf_str a, struct sf_str b);
bool sf_str_starts(struct sf_str s, struct sf_str prefix);
bool sf_str_ends(struct sf_str s, struct sf_str suffix);
/* Position of `needle` in `s`, or SIZE_MAX. */
size_t sf_str_find(struct sf_str s, struct sf_str needle);
/* `s` from byte `from` to before `to`, both clipped to its length. */
struct sf_str sf_str_slice(struct sf_str s, size_t from, size_t to);
/* `s` without blanks, tabs and line ends on either side. */
struct sf_str sf_str_trim(struct sf_str s);
/* Parses a whole decimal int64 (optional '-', no blanks, no '+'). False when it is not one or does not fit. */
bool sf_str_int64(struct sf_str s, int64_t *out) SF_MUST_CHECK;
/* Value of a hexadecimal digit, of either case, or -1. */
int sf_hex_digit(char c);
/* Whether the bytes are well-formed UTF-8 (no surrogates, no overlong forms). */
bool sf_str_is_utf8(struct sf_str s);
/* Bytes of the character that `s`, which is not empty, begins with, and whether a terminal would act on it instead of showing it:
 * a control character (C0, DEL, C1), one that turns the direction of text or ends a line (Unicode's bidirectional controls and
 * separators), or a byte that is no UTF-8, which counts for itself. */
size_t sf_str_character(struct sf_str s, bool *steers);
/* Levenshtein distance over bytes, for "did you mean"; both at most 64 bytes, else 64. */
size_t sf_str_distance(struct sf_str a, struct sf_str b);

/* NUL-terminated copies in the arena. */
struct sf_str sf_str_dup(struct sf_arena *arena, struct sf_str s);
struct sf_str sf_str_fmt(struct sf_arena *arena, const char *fmt, ...) SF_PRINTF(2, 3);
struct sf_str sf_str_vfmt(struct sf_arena *arena, const char *fmt, va_list ap);
/* Lowercase hex of `n` bytes. */
struct sf_str sf_str_hex(struct sf_arena *arena, const void *bytes, size_t n);

struct sf_buf {
    char *p;  /* never NULL after the first append; NUL-terminated */
    size_t n; /* bytes without the NUL */
    size_t cap;
    size_t max; /* hard maximum of n */
    bool overflow;
};

#define SF_BUF(max_bytes) ((struct sf_buf){NULL, 0, 0, (max_bytes), false})

void sf_buf_add(struct sf_buf *buf, struct sf_str s);
void sf_buf_addc(struct sf_buf *buf, char c);
void sf_buf_addz(struct sf_buf *buf, const char *text);
/* `text` as people may see it, whoever wrote it: what would steer a terminal comes out as \x1B or \u202E (in JSON text: as JSON
 * escapes), but for the characters in `keep`. */
void sf_buf_add_shown(struct sf_buf *buf, struct sf_str text, const char *keep);
void sf_buf_addf(struct sf_buf *buf, const char *fmt, ...) SF_PRINTF(2, 3);
void sf_buf_clear(struct sf_buf *buf);              /* keeps the memory */
void sf_buf_free(struct sf_buf *buf);               /* back to the state of SF_BUF() */
struct sf_str sf_buf_str(const struct sf_buf *buf); /* view, valid until the next append */

#endif
