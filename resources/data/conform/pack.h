/* Packing of CSV text as gzip (RFC 1951, 1952), made for tables: many times faster than a general compressor, and smaller than its
 * fastest level on rows of hashed keys.
 *
 * Only the beginnings of fields are looked up in the window, so that a digit costs no search. The bytes that come out depend on
 * the bytes that went in alone: not on the version of a library, nor on how the input was cut into calls. */
#ifndef SF_DATA_CONFORM_PACK_H
#define SF_DATA_CONFORM_PACK_H

#include "engine/core/str.h"

enum {
    SF_PACK_BLOCK = 64 * 1024,                /* bytes of input a deflate block */
    SF_PACK_MAX_OUT = 2 * SF_PACK_BLOCK + 512 /* the most that one call gives */
};

struct sf_pack; /* opaque */

struct sf_pack *sf_pack_new(void);
void sf_pack_free(struct sf_pack *pack);
/* Takes as much of `bytes` as the block has room for, and cuts that off the front of it. When the block is full, *out is a piece of
 * the gzip file, valid until the next call; else it is empty. Call until `bytes` is empty. */
struct sf_str sf_pack_add(struct sf_pack *pack, struct sf_str *bytes);
/* The last piece. */
struct sf_str sf_pack_finish(struct sf_pack *pack);

#endif
