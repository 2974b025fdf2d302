/* gzip (RFC 1952) unpacked as it comes in, with Intel's ISA-L, which takes a third of the time that zlib takes. */
#ifndef SF_NET_GUNZIP_H
#define SF_NET_GUNZIP_H

#include "engine/core/err.h"

#include <stddef.h>

/* Reads up to `n` packed bytes; *got = 0: there are no more. */
typedef enum sf_code sf_gunzip_source_fn(void *from, void *bytes, size_t n, size_t *got, struct sf_err *err);

/* Zero it, set the first two, free it. A file may hold several members in a row; only the end of one is a good place to end. */
struct sf_gunzip {
    sf_gunzip_source_fn *source;
    void *from;
    const char *trouble; /* what is wrong with the packed bytes: "is damaged"; NULL: nothing so far. A constant */
    struct sf_gunzip_state *state;
};

/* Fills `bytes` with up to `n` unpacked ones (n > 0); *got = 0: there are no more. SF_E_DATA with `trouble` set and no message: the
 * bytes are no gzip or not whole, whoever knows their name says so. Else an error of the source. */
enum sf_code sf_gunzip_read(struct sf_gunzip *g, void *bytes, size_t n, size_t *got, struct sf_err *err) SF_MUST_CHECK;
void sf_gunzip_free(struct sf_gunzip *g);

#endif
