/* IPv4 and IPv6 networks in canonical form: "10.1.2.3/8" and "10.0.0.0/8" are the same one. */
#ifndef SF_CORE_CIDR_H
#define SF_CORE_CIDR_H

#include "engine/core/str.h"

struct sf_cidr {
    unsigned char bytes[16]; /* host bits cleared; IPv4 in the first four */
    unsigned bits;           /* prefix length */
    bool is_v6;
};

/* Parses "address/bits". A bare address is refused unless `allow_host`, which takes it as /32 or /128. */
bool sf_cidr_parse(struct sf_str text, bool allow_host, struct sf_cidr *out) SF_MUST_CHECK;
/* "10.0.0.0/8", as inet_ntop() writes the address. */
struct sf_str sf_cidr_text(struct sf_arena *arena, const struct sf_cidr *cidr);
/* Whether `inner` lies in `outer` (or is the same). */
bool sf_cidr_contains(const struct sf_cidr *outer, const struct sf_cidr *inner);

#endif
