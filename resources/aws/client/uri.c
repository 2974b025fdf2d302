/* See uri.h. */
#include "resources/aws/client/uri.h"

static bool is_unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
           c == '~';
}

static void add_escape(struct sf_buf *buf, char c)
{
    static const char digits[] = "0123456789ABCDEF";
    unsigned char byte = (unsigned char)c;
    sf_buf_add(buf, (struct sf_str){(const char[]){'%', digits[byte >> 4], digits[byte & 15]}, 3});
}

void sf_uri_encode(struct sf_buf *buf, struct sf_str text, bool keep_slash)
{
    for (size_t at = 0; at < text.n;) {
        size_t from = at;
        while (at < text.n && (is_unreserved(text.p[at]) || (keep_slash && text.p[at] == '/')))
            at++;
        sf_buf_add(buf, sf_str_slice(text, from, at));
        if (at < text.n)
            add_escape(buf, text.p[at++]);
    }
}

void sf_uri_encode_stray(struct sf_buf *buf, struct sf_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] > ' ' && text.p[i] < 0x7f)
            sf_buf_addc(buf, text.p[i]);
        else
            add_escape(buf, text.p[i]);
    }
}

struct sf_str sf_uri_decode(struct sf_arena *arena, struct sf_str text)
{
    char *out = sf_arena_alloc(arena, text.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        int high = text.n - i > 2 && text.p[i] == '%' ? sf_hex_digit(text.p[i + 1]) : -1;
        int low = high >= 0 ? sf_hex_digit(text.p[i + 2]) : -1;
        if (low >= 0)
            i += 2;
        out[n++] = low >= 0 ? (char)(high * 16 + low) : text.p[i];
    }
    return (struct sf_str){out, n};
}

struct sf_str sf_uri_normalize(struct sf_arena *arena, struct sf_str path)
{
    char *out = sf_arena_alloc(arena, path.n + 2);
    size_t n = 0; /* of what is written: "/a/b", without a slash at its end */
    for (size_t at = 0; at < path.n;) {
        struct sf_str rest = sf_str_slice(path, at, path.n);
        const char *slash = memchr(rest.p, '/', rest.n);
        struct sf_str segment = {rest.p, slash ? (size_t)(slash - rest.p) : rest.n};
        at += segment.n + 1;
        if (!segment.n || sf_str_is(segment, "."))
            continue;
        if (sf_str_is(segment, "..")) {
            while (n && out[--n] != '/')
                ;
            continue;
        }
        out[n++] = '/';
        memcpy(out + n, segment.p, segment.n);
        n += segment.n;
    }
    if (!n || path.p[path.n - 1] == '/')
        out[n++] = '/';
    out[n] = 0;
    return (struct sf_str){out, n};
}
