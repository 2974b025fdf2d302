/* Huffman codes of a deflate block (RFC 1951, 3.2.2 and 3.2.7), and the bits they are written as. */
#ifndef SF_DATA_CONFORM_HUFFMAN_H
#define SF_DATA_CONFORM_HUFFMAN_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { SF_HUFFMAN_LITERALS = 286, SF_HUFFMAN_DISTANCES = 30 };

struct sf_huffman_code {
    uint16_t bits; /* the first one lowest, as deflate wants them */
    uint16_t n;
};

struct sf_huffman {
    uint32_t literal_counts[SF_HUFFMAN_LITERALS];
    uint32_t distance_counts[SF_HUFFMAN_DISTANCES];
    struct sf_huffman_code literals[SF_HUFFMAN_LITERALS];
    struct sf_huffman_code distances[SF_HUFFMAN_DISTANCES];
};

/* Bits not written yet, and where to: there must be 8 bytes of room. */
struct sf_bits {
    uint64_t bits;
    unsigned n;
    unsigned char *out;
};

static inline void sf_bits_put(struct sf_bits *b, uint64_t bits, unsigned n)
{
    b->bits |= bits << b->n;
    b->n += n;
}

/* Leaves at most 7 bits behind, so that 57 can be put before the next flush. */
static inline void sf_bits_flush(struct sf_bits *b)
{
    uint64_t word = htole64(b->bits);
    memcpy(b->out, &word, sizeof word);
    b->out += b->n / 8;
    b->bits >>= b->n & ~7u;
    b->n &= 7;
}

/* Makes the codes of what was counted, and writes them: all of a dynamic block that stands before its data. */
void sf_huffman_begin_block(struct sf_huffman *huffman, struct sf_bits *bits);

#endif
