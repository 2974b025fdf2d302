/* See uri.h. */
#include "resources/aws/client/uri.h"

static bool is_unreserved(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
           c == '~';
}

void sf_uri_encode(struct sf_buf *buf, struct sf_str text, bool keep_slash)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t from = 0;
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (is_unreserved(c) || (keep_slash && c == '/'))
            continue;
        const char escape[] = {'%', digits[c >> 4], digits[c & 15]};
        sf_buf_add(buf, sf_str_slice(text, from, i));
        sf_buf_add(buf, (struct sf_str){escape, sizeof(escape)});
        from = i + 1;
    }
    sf_buf_add(buf, sf_str_slice(text, from, text.n));
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

struct sf_str sf_uri_decode(struct sf_arena *arena, struct sf_str text)
{
    char *out = sf_arena_alloc(arena, text.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        bool is_escape = text.p[i] == '%' && i + 2 < text.n && hex_value(text.p[i + 1]) >= 0 && hex_value(text.p[i + 2]) >= 0;
        out[n++] = is_escape ? (char)(hex_value(text.p[i + 1]) * 16 + hex_value(text.p[i + 2])) : text.p[i];
        i += is_escape ? 2 : 0;
    }
    return (struct sf_str){out, n};
}

struct sf_str sf_uri_normalize(struct sf_arena *arena, struct sf_str path)
{
    char *out = sf_arena_alloc(arena, path.n + 2);
    size_t n = 0;
    for (size_t at = 0, end; at < path.n; at = end + 1) {
        for (end = at; end < path.n && path.p[end] != '/'; end++) {
        }
        struct sf_str segment = sf_str_slice(path, at, end);
        bool is_up = sf_str_is(segment, "..");
        while (is_up && n > 0 && out[--n] != '/') {
        }
        if (!segment.n || is_up || sf_str_is(segment, "."))
            continue;
        out[n++] = '/';
        memcpy(out + n, segment.p, segment.n);
        n += segment.n;
    }
    if (!n || path.p[path.n - 1] == '/')
        out[n++] = '/';
    return (struct sf_str){out, n};
}
