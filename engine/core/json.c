/* See json.h. A recursive-descent reader whose depth is capped, and two writers. Cost is linear in the text: marks are
 * counted forward only, and keys of a large object are looked up in a keyed hash map. */
#include "engine/core/json.h"

#include "engine/core/map.h"

#include <stdlib.h>

enum { FEW_KEYS = 12 }; /* up to here a linear walk finds a duplicate faster than a map */

struct reader {
    struct sf_arena *arena;
    const char *file;
    enum sf_json_mode mode;
    struct sf_str text;
    size_t at;
    size_t depth;
    /* the place last asked for, so that the next is counted from there */
    size_t mark_at;
    uint32_t line, column;
    struct sf_err *err;
};

static struct sf_mark mark_here(struct reader *r, size_t at)
{
    for (; r->mark_at < at; r->mark_at++) {
        unsigned char c = (unsigned char)r->text.p[r->mark_at];
        if (c == '\n') {
            r->line++;
            r->column = 1;
        } else if ((c & 0xc0) != 0x80) {
            r->column++;
        }
    }
    return (struct sf_mark){r->file, r->line, r->column, 1};
}

static enum sf_code fail_at(struct reader *r, size_t at, const char *fmt, ...) SF_PRINTF(3, 4);
static enum sf_code fail_at(struct reader *r, size_t at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct sf_str what = sf_str_vfmt(r->arena, fmt, ap);
    va_end(ap);
    if (at < r->mark_at) {
        r->mark_at = 0;
        r->line = r->column = 1;
    }
    struct sf_mark where = mark_here(r, at);
    enum sf_code code = sf_fail(r->err, SF_E_CONFIG, "invalid JSON: %s", what.p);
    sf_hint(r->err, "see %s:%u:%u", r->file, where.line, where.column);
    if (r->err) {
        r->err->where = where;
        memcpy(r->err->id, "SF0110", sizeof("SF0110"));
    }
    return code;
}

static void skip_blanks(struct reader *r)
{
    while (r->at < r->text.n) {
        char c = r->text.p[r->at];
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
            return;
        r->at++;
    }
}

static bool read_hex4(struct reader *r, size_t at, uint32_t *out)
{
    uint32_t value = 0;
    if (r->text.n - at < 4)
        return false;
    for (size_t i = 0; i < 4; i++) {
        int digit = sf_hex_digit(r->text.p[at + i]);
        if (digit < 0)
            return false;
        value = value * 16 + (uint32_t)digit;
    }
    *out = value;
    return true;
}

static char *put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xc0 | (c >> 6));
        *to++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *to++ = (char)(0xe0 | (c >> 12));
        *to++ = (char)(0x80 | ((c >> 6) & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    } else {
        *to++ = (char)(0xf0 | (c >> 18));
        *to++ = (char)(0x80 | ((c >> 12) & 0x3f));
        *to++ = (char)(0x80 | ((c >> 6) & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    }
    return to;
}

/* One escape; r->at is just behind the backslash. */
static enum sf_code read_escape(struct reader *r, char **to)
{
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    size_t start = r->at - 1;
    char c = r->at < r->text.n ? r->text.p[r->at] : 0;
    if (c != 'u') {
        const char *hit = c ? strchr(from, c) : NULL;
        if (!hit)
            return fail_at(r, start, "unknown escape in a string");
        *(*to)++ = into[hit - from];
        r->at++;
        return SF_OK;
    }
    uint32_t unit = 0, low = 0;
    if (!read_hex4(r, r->at + 1, &unit))
        return fail_at(r, start, "\\u needs four hexadecimal digits");
    r->at += 5;
    if (unit >= 0xd800 && unit <= 0xdfff) {
        bool has_low = unit < 0xdc00 && r->text.n - r->at >= 6 && r->text.p[r->at] == '\\' && r->text.p[r->at + 1] == 'u' &&
                       read_hex4(r, r->at + 2, &low) && low >= 0xdc00 && low <= 0xdfff;
        if (!has_low)
            return fail_at(r, start, "\\u%04x is half of a surrogate pair", unit);
        r->at += 6;
        unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    }
    *to = put_utf8(*to, unit);
    return SF_OK;
}

/* A string; r->at is on its opening quote. */
static enum sf_code read_string(struct reader *r, struct sf_str *out)
{
    size_t start = r->at++;
    size_t end = r->at;
    bool has_escape = false;
    while (end < r->text.n && r->text.p[end] != '"') {
        if ((unsigned char)r->text.p[end] < 0x20)
            return fail_at(r, end, "control character 0x%02x in a string", (unsigned)(unsigned char)r->text.p[end]);
        if (r->text.p[end] == '\\') {
            has_escape = true;
            end++;
        }
        end++;
    }
    if (end >= r->text.n)
        return fail_at(r, start, "this string does not end");
    if (!has_escape) {
        *out = sf_str_dup(r->arena, sf_str_slice(r->text, r->at, end));
        r->at = end + 1;
        return SF_OK;
    }
    char *text = sf_arena_alloc(r->arena, end - r->at + 1), *to = text; /* no escape is shorter than what it stands for */
    while (r->at < end) {
        char c = r->text.p[r->at++];
        if (c != '\\') {
            *to++ = c;
            continue;
        }
        enum sf_code rc = read_escape(r, &to);
        if (rc)
            return rc;
    }
    r->at = end + 1;
    *out = (struct sf_str){text, (size_t)(to - text)};
    return SF_OK;
}

static size_t skip_digits(const struct reader *r, size_t at)
{
    while (at < r->text.n && r->text.p[at] >= '0' && r->text.p[at] <= '9')
        at++;
    return at;
}

static enum sf_code read_number(struct reader *r, struct sf_value *v)
{
    size_t start = r->at, at = start, from;
    bool is_plain_int = true;
    if (r->text.p[at] == '-')
        at++;
    from = at;
    at = skip_digits(r, at);
    if (at == from)
        return fail_at(r, start, "a number needs digits");
    if (at - from > 1 && r->text.p[from] == '0')
        return fail_at(r, start, "a number must not start with 0");
    if (at < r->text.n && r->text.p[at] == '.') {
        is_plain_int = false;
        from = ++at;
        at = skip_digits(r, at);
        if (at == from)
            return fail_at(r, start, "digits must follow the decimal point");
    }
    if (at < r->text.n && (r->text.p[at] == 'e' || r->text.p[at] == 'E')) {
        is_plain_int = false;
        at++;
        if (at < r->text.n && (r->text.p[at] == '+' || r->text.p[at] == '-'))
            at++;
        from = at;
        at = skip_digits(r, at);
        if (at == from)
            return fail_at(r, start, "digits must follow the exponent");
    }
    struct sf_str text = sf_str_slice(r->text, start, at);
    r->at = at;
    int64_t i;
    /* "-0" is no int64: it would come back as "0" */
    if (is_plain_int && !sf_str_is(text, "-0") && sf_str_int64(text, &i)) {
        v->type = SF_V_INT;
        v->i = i;
        return SF_OK;
    }
    v->type = SF_V_NUMBER;
    v->s = sf_str_dup(r->arena, text);
    return SF_OK;
}

static enum sf_code read_value(struct reader *r, const struct sf_value **out);

static enum sf_code read_list(struct reader *r, struct sf_value *v)
{
    size_t n = 0, cap = 0;
    const struct sf_value **items = NULL;
    v->type = SF_V_LIST;
    r->at++;
    skip_blanks(r);
    if (r->at < r->text.n && r->text.p[r->at] == ']') {
        r->at++;
        return SF_OK;
    }
    for (;;) {
        const struct sf_value *item = NULL;
        enum sf_code rc = read_value(r, &item);
        if (rc)
            return rc;
        items = sf_arena_grow(r->arena, items, n, &cap, sizeof(*items));
        items[n++] = item;
        skip_blanks(r);
        char c = r->at < r->text.n ? r->text.p[r->at] : 0;
        if (c != ',' && c != ']')
            return fail_at(r, r->at, "',' or ']' expected");
        r->at++;
        if (c == ']')
            break;
    }
    v->list.items = items;
    v->list.n = n;
    return SF_OK;
}

static struct sf_pair *add_pair(struct reader *r, struct sf_value *map)
{
    map->map.pairs = sf_arena_grow(r->arena, map->map.pairs, map->map.n, &map->map.cap, sizeof(*map->map.pairs));
    return &map->map.pairs[map->map.n++];
}

/* Whether the key is new; `seen` is made when the object gets large. */
static bool note_key(struct reader *r, const struct sf_value *map, struct sf_map **seen, struct sf_str key)
{
    static char present;
    if (map->map.n < FEW_KEYS)
        return !sf_map_pair(map, key);
    if (!*seen) {
        *seen = sf_map_new(r->arena);
        for (size_t i = 0; i < map->map.n; i++)
            sf_map_put(*seen, map->map.pairs[i].key, &present);
    }
    if (sf_map_find(*seen, key))
        return false;
    sf_map_put(*seen, key, &present);
    return true;
}

/* {"$secret": x} and {"$unknown": x} stand for what they name; any other key that starts with $ was written with one more. */
static enum sf_code decode_state(struct reader *r, struct sf_value *v, size_t start)
{
    if (v->map.n == 1 && (sf_str_is(v->map.pairs[0].key, "$secret") || sf_str_is(v->map.pairs[0].key, "$unknown"))) {
        const struct sf_value *inner = v->map.pairs[0].value;
        bool is_secret = sf_str_is(v->map.pairs[0].key, "$secret");
        if (inner->type != SF_V_STRING)
            return fail_at(r, start, "'%s' must hold a string", v->map.pairs[0].key.p);
        v->type = is_secret ? SF_V_FINGERPRINT : SF_V_UNKNOWN;
        v->is_secret = is_secret;
        v->s = inner->s;
        return SF_OK;
    }
    for (size_t i = 0; i < v->map.n; i++) {
        struct sf_str *key = &v->map.pairs[i].key;
        if (sf_str_starts(*key, SF_STR("$$")))
            *key = (struct sf_str){key->p + 1, key->n - 1};
    }
    return SF_OK;
}

static enum sf_code read_map(struct reader *r, struct sf_value *v)
{
    size_t start = r->at++;
    struct sf_map *seen = NULL;
    v->type = SF_V_MAP;
    skip_blanks(r);
    if (r->at < r->text.n && r->text.p[r->at] == '}') {
        r->at++;
        return SF_OK;
    }
    for (;;) {
        skip_blanks(r);
        if (r->at >= r->text.n || r->text.p[r->at] != '"')
            return fail_at(r, r->at, "a key in double quotes expected");
        struct sf_mark key_mark = mark_here(r, r->at);
        size_t key_at = r->at;
        struct sf_str key = SF_STR_NONE;
        enum sf_code rc = read_string(r, &key);
        if (rc)
            return rc;
        if (!note_key(r, v, &seen, key))
            return fail_at(r, key_at, "duplicate key '%.*s'", SF_ARG(sf_str_slice(key, 0, 64)));
        skip_blanks(r);
        if (r->at >= r->text.n || r->text.p[r->at] != ':')
            return fail_at(r, r->at, "':' expected");
        r->at++;
        const struct sf_value *value = NULL;
        if ((rc = read_value(r, &value)))
            return rc;
        *add_pair(r, v) = (struct sf_pair){key, value, key_mark};
        skip_blanks(r);
        char c = r->at < r->text.n ? r->text.p[r->at] : 0;
        if (c != ',' && c != '}')
            return fail_at(r, r->at, "',' or '}' expected");
        r->at++;
        if (c == '}')
            break;
    }
    return r->mode == SF_JSON_STATE ? decode_state(r, v, start) : SF_OK;
}

static bool take_word(struct reader *r, const char *word)
{
    struct sf_str s = sf_str_of(word);
    if (!sf_str_starts(sf_str_slice(r->text, r->at, r->text.n), s))
        return false;
    r->at += s.n;
    return true;
}

static enum sf_code read_value(struct reader *r, const struct sf_value **out)
{
    skip_blanks(r);
    if (r->at >= r->text.n)
        return fail_at(r, r->at, "a value expected, but the text ends");
    struct sf_value *v = SF_NEW(r->arena, struct sf_value);
    v->mark = mark_here(r, r->at);
    *out = v;
    char c = r->text.p[r->at];
    if (c == '{' || c == '[') {
        if (++r->depth > SF_MAX_JSON_DEPTH)
            return fail_at(r, r->at, "nested deeper than %d levels", SF_MAX_JSON_DEPTH);
        enum sf_code rc = c == '{' ? read_map(r, v) : read_list(r, v);
        r->depth--;
        return rc;
    }
    if (c == '"') {
        v->type = SF_V_STRING;
        return read_string(r, &v->s);
    }
    if (c == '-' || (c >= '0' && c <= '9'))
        return read_number(r, v);
    if (take_word(r, "null"))
        return SF_OK;
    v->type = SF_V_BOOL;
    if (take_word(r, "true")) {
        v->b = true;
        return SF_OK;
    }
    if (take_word(r, "false"))
        return SF_OK;
    return fail_at(r, r->at, "a value expected");
}

enum sf_code sf_json_parse(struct sf_arena *arena, struct sf_str text, const char *file, enum sf_json_mode mode,
                           const struct sf_value **out, struct sf_err *err)
{
    struct reader r = {.arena = arena, .file = file, .mode = mode, .text = text, .line = 1, .column = 1, .err = err};
    if (text.n > SF_MAX_JSON_BYTES)
        return fail_at(&r, 0, "larger than %d MiB", SF_MAX_JSON_BYTES / 1024 / 1024);
    if (sf_str_starts(text, SF_STR("\xef\xbb\xbf")))
        return fail_at(&r, 0, "the text starts with a byte order mark");
    if (!sf_str_is_utf8(text))
        return fail_at(&r, 0, "the text is not UTF-8");
    enum sf_code rc = read_value(&r, out);
    if (rc)
        return rc;
    skip_blanks(&r);
    if (r.at < text.n)
        return fail_at(&r, r.at, "something follows the value");
    return SF_OK;
}

/* --- writing --- */

static void write_text(struct sf_buf *buf, struct sf_str s)
{
    static const char hex[] = "0123456789abcdef";
    size_t from = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        sf_buf_add(buf, sf_str_slice(s, from, i));
        from = i + 1;
        sf_buf_addc(buf, '\\');
        const char *named = strchr("\"\"\\\\\bb\ff\nn\rr\tt", c); /* pairs: character, its letter */
        if (c && named) {
            sf_buf_addc(buf, named[1]);
        } else {
            sf_buf_addz(buf, "u00");
            sf_buf_addc(buf, hex[c >> 4]);
            sf_buf_addc(buf, hex[c & 15]);
        }
    }
    sf_buf_add(buf, sf_str_slice(s, from, s.n));
}

void sf_json_write_string(struct sf_buf *buf, struct sf_str s)
{
    sf_buf_addc(buf, '"');
    if (sf_str_is_utf8(s)) {
        write_text(buf, s);
    } else { /* a file name, say: what is not UTF-8 becomes U+FFFD, for the output must be JSON */
        for (size_t i = 0; i < s.n;) {
            size_t n = 1;
            while (n < 4 && i + n <= s.n && !sf_str_is_utf8(sf_str_slice(s, i, i + n)))
                n++;
            bool is_good = i + n <= s.n && sf_str_is_utf8(sf_str_slice(s, i, i + n));
            write_text(buf, is_good ? sf_str_slice(s, i, i + n) : SF_STR("\xef\xbf\xbd"));
            i += is_good ? n : 1;
        }
    }
    sf_buf_addc(buf, '"');
}

static int by_key(const void *a, const void *b)
{
    return sf_str_cmp((*(const struct sf_pair *const *)a)->key, (*(const struct sf_pair *const *)b)->key);
}

struct writer {
    struct sf_buf *buf;
    enum sf_json_mode mode;
    bool is_pretty;
};

static void new_line(const struct writer *w, size_t depth)
{
    if (!w->is_pretty)
        return;
    sf_buf_addc(w->buf, '\n');
    for (size_t i = 0; i < depth; i++)
        sf_buf_addz(w->buf, "  ");
}

static void write_value(const struct writer *w, const struct sf_value *v, size_t depth);

static void write_pair(const struct writer *w, const struct sf_pair *pair, bool is_first, size_t depth)
{
    if (!is_first)
        sf_buf_addc(w->buf, ',');
    new_line(w, depth + 1);
    if (w->mode == SF_JSON_STATE && pair->key.n && pair->key.p[0] == '$') {
        sf_buf_addz(w->buf, "\"$");
        write_text(w->buf, pair->key);
        sf_buf_addc(w->buf, '"');
    } else {
        sf_json_write_string(w->buf, pair->key);
    }
    sf_buf_addz(w->buf, w->is_pretty ? ": " : ":");
    write_value(w, pair->value, depth + 1);
}

static void write_map(const struct writer *w, const struct sf_value *v, size_t depth)
{
    enum { FEW = 64 };
    sf_buf_addc(w->buf, '{');
    if (w->is_pretty) {
        for (size_t i = 0; i < v->map.n; i++)
            write_pair(w, &v->map.pairs[i], i == 0, depth);
    } else if (v->map.n) {
        const struct sf_pair *few[FEW], **many = v->map.n > FEW ? malloc(v->map.n * sizeof(struct sf_pair *)) : NULL;
        const struct sf_pair **sorted = v->map.n > FEW ? many : few;
        if (!sorted)
            sf_out_of_memory();
        for (size_t i = 0; i < v->map.n; i++)
            sorted[i] = &v->map.pairs[i];
        qsort(sorted, v->map.n, sizeof(struct sf_pair *), by_key);
        for (size_t i = 0; i < v->map.n; i++)
            write_pair(w, sorted[i], i == 0, depth);
        free(many);
    }
    if (v->map.n)
        new_line(w, depth);
    sf_buf_addc(w->buf, '}');
}

static void write_list(const struct writer *w, const struct sf_value *v, size_t depth)
{
    sf_buf_addc(w->buf, '[');
    for (size_t i = 0; i < v->list.n; i++) {
        if (i)
            sf_buf_addc(w->buf, ',');
        new_line(w, depth + 1);
        write_value(w, v->list.items[i], depth + 1);
    }
    if (v->list.n)
        new_line(w, depth);
    sf_buf_addc(w->buf, ']');
}

/* {"$secret":"hmac:..."} */
static void write_marked(const struct writer *w, const char *key, struct sf_str text)
{
    sf_buf_addf(w->buf, "{\"%s\":", key);
    sf_json_write_string(w->buf, text);
    sf_buf_addc(w->buf, '}');
}

static void write_value(const struct writer *w, const struct sf_value *v, size_t depth)
{
    if (!v)
        v = &sf_null_value;
    if (v->is_secret || v->type == SF_V_FINGERPRINT) {
        if (w->mode == SF_JSON_PLAIN)
            sf_buf_addz(w->buf, "\"(secret)\"");
        else
            write_marked(w, "$secret", v->type == SF_V_FINGERPRINT ? v->s : SF_STR_NONE);
        return;
    }
    switch (v->type) {
    case SF_V_NULL:
        sf_buf_addz(w->buf, "null");
        return;
    case SF_V_BOOL:
        sf_buf_addz(w->buf, v->b ? "true" : "false");
        return;
    case SF_V_INT:
        sf_buf_addf(w->buf, "%lld", (long long)v->i);
        return;
    case SF_V_NUMBER:
        sf_buf_add(w->buf, v->s);
        return;
    case SF_V_STRING:
        sf_json_write_string(w->buf, v->s);
        return;
    case SF_V_LIST:
        write_list(w, v, depth);
        return;
    case SF_V_MAP:
        write_map(w, v, depth);
        return;
    case SF_V_UNKNOWN:
        if (w->mode == SF_JSON_PLAIN)
            sf_buf_addz(w->buf, "null");
        else
            write_marked(w, "$unknown", v->s);
        return;
    case SF_V_FINGERPRINT:
        return; /* is above */
    }
}

void sf_json_write(struct sf_buf *buf, const struct sf_value *v, enum sf_json_mode mode)
{
    write_value(&(struct writer){buf, mode, false}, v, 0);
}

void sf_json_write_pretty(struct sf_buf *buf, const struct sf_value *v, enum sf_json_mode mode)
{
    write_value(&(struct writer){buf, mode, true}, v, 0);
}

struct sf_str sf_json_text(struct sf_arena *arena, const struct sf_value *v, enum sf_json_mode mode)
{
    struct sf_buf buf = SF_BUF(SF_MAX_JSON_BYTES);
    sf_json_write(&buf, v, mode);
    struct sf_str text = sf_str_dup(arena, sf_buf_str(&buf));
    sf_buf_free(&buf);
    return text;
}
