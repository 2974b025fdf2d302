/* See cidr.h. */
#include "engine/core/cidr.h"

#include <arpa/inet.h>

bool sf_cidr_parse(struct sf_str text, bool allow_host, struct sf_cidr *out)
{
    char address[INET6_ADDRSTRLEN];
    size_t slash = sf_str_find(text, SF_STR("/"));
    struct sf_str host = sf_str_slice(text, 0, slash);
    *out = (struct sf_cidr){.bits = 0};
    if (host.n >= sizeof(address) || memchr(text.p ? text.p : "", 0, text.n))
        return false;
    memcpy(address, host.p ? host.p : "", host.n);
    address[host.n] = 0;
    if (inet_pton(AF_INET6, address, out->bytes) == 1)
        out->is_v6 = true;
    else if (inet_pton(AF_INET, address, out->bytes) != 1)
        return false;
    unsigned width = out->is_v6 ? 128 : 32;
    int64_t bits = width;
    if (slash == SIZE_MAX) {
        if (!allow_host)
            return false;
    } else {
        struct sf_str tail = sf_str_slice(text, slash + 1, text.n);
        bool has_leading_zero = tail.n > 1 && tail.p[0] == '0';
        if (has_leading_zero || !sf_str_int64(tail, &bits) || bits < 0 || bits > width)
            return false;
    }
    out->bits = (unsigned)bits;
    for (unsigned bit = out->bits; bit < width; bit++)
        out->bytes[bit / 8] = (unsigned char)(out->bytes[bit / 8] & ~(0x80u >> (bit % 8)));
    return true;
}

struct sf_str sf_cidr_text(struct sf_arena *arena, const struct sf_cidr *cidr)
{
    char address[INET6_ADDRSTRLEN];
    if (!inet_ntop(cidr->is_v6 ? AF_INET6 : AF_INET, cidr->bytes, address, sizeof(address)))
        return SF_STR_NONE;
    return sf_str_fmt(arena, "%s/%u", address, cidr->bits);
}

bool sf_cidr_contains(const struct sf_cidr *outer, const struct sf_cidr *inner)
{
    if (outer->is_v6 != inner->is_v6 || outer->bits > inner->bits)
        return false;
    for (unsigned bit = 0; bit < outer->bits; bit++)
        if ((outer->bytes[bit / 8] ^ inner->bytes[bit / 8]) & (0x80u >> (bit % 8)))
            return false;
    return true;
}
