/* Packing of CSV text as gzip (RFC 1951, 1952), made for tables: many times faster than a general compressor, and smaller than its
 * fastest level on rows of hashed keys.
 *
 * Only the beginnings of fields are looked up in the window, so that a digit costs no search; a writer that knows what repeats
 * tells it, and nothing is searched at all. The bytes that come out depend on the bytes that went in, and on what was told, alone:
 * not on the version of a library, nor on how the input was cut into calls. */
#ifndef SF_DATA_CONFORM_PACK_H
#define SF_DATA_CONFORM_PACK_H

#include "engine/core/str.h"
#include "resources/data/conform/huffman.h"

enum {
    SF_PACK_BLOCK = 64 * 1024,                                     /* bytes of input a deflate block */
    SF_PACK_MAX_ROW = 1024,                                        /* the most that one row may take whose repeats are told */
    SF_PACK_MAX_OUT = 2 * (SF_PACK_BLOCK + SF_PACK_MAX_ROW) + 512, /* the most that one call gives */
    SF_PACK_WINDOW = 32 * 1024,
    SF_PACK_MAX_LENGTH = 258,
    SF_PACK_MIN_TOLD = 4,
    SF_PACK_TOKEN = 32, /* a token's text is readable up to here */
    SF_PACK_HASH_BITS = 13,
    SF_PACK_PAIRS = 64 * 64,
};

/* Literals, then a match; length 0 ends the block. */
struct sf_pack_run {
    uint32_t literals;
    uint16_t length;
    uint16_t less_one; /* distance less 1 */
};

/* A length with its code and extra bits, as they are written. */
struct sf_pack_bits {
    uint32_t bits, n;
};

/* For the functions below alone, but for crc and n_bytes, of all that went in. */
struct sf_pack {
    size_t start, end; /* of what is not packed yet, in `in` */
    size_t literals;   /* where those behind the last run begin: for writers that tell */
    size_t n_runs;     /* told in this block */
    uint64_t place;    /* of in[0] in the text */
    uint32_t crc, n_bytes;
    uint64_t bits; /* not a whole byte yet */
    unsigned n_bits;
    size_t coded;         /* up to here the block is written already, row by row; 0: nothing of it */
    struct sf_bits ahead; /* what comes behind that */
    bool is_told;         /* one of those rows had a repeat */
    bool has_begun;
    bool has_digits;                        /* those below are of these codes */
    unsigned widest;                        /* bits of one of them */
    unsigned n_blocks;                      /* with these codes */
    uint32_t slots[1 << SF_PACK_HASH_BITS]; /* where the bytes with this hash were last a field's beginning; it may wrap */
    /* from here on nothing is read before it is written */
    struct sf_pack_bits lengths[SF_PACK_MAX_LENGTH + 1];
    uint32_t pairs[SF_PACK_PAIRS]; /* of two literals below 64, the first one lowest: their codes, and from bit 24 how many bits */
    uint64_t digits[1000], first_digits[1000], cents[100]; /* of "007", "7", ".07": see join() */
    struct sf_pack_run runs[SF_PACK_BLOCK / SF_PACK_MIN_TOLD + SF_PACK_MAX_ROW];
    struct sf_huffman huffman;
    char in[SF_PACK_WINDOW + SF_PACK_BLOCK + SF_PACK_MAX_ROW];
    unsigned char out[SF_PACK_MAX_OUT];
};

struct sf_pack *sf_pack_new(void);
/* As new, for the next file. */
void sf_pack_restart(struct sf_pack *pack);
void sf_pack_free(struct sf_pack *pack);
/* Takes as much of `bytes` as the block has room for, and cuts that off the front of it. When the block is full, *out is a piece of
 * the gzip file, valid until the next call; else it is empty. Call until `bytes` is empty. */
struct sf_str sf_pack_add(struct sf_pack *pack, struct sf_str *bytes);
/* The last piece. */
struct sf_str sf_pack_finish(struct sf_pack *pack);

/* For writers that know what repeats, row by row: text is written where it is packed from, and nothing is searched in a block where
 * a repeat was told. When sf_pack_is_full(), sf_pack_take() the piece before the next row. */
static inline char *sf_pack_room(struct sf_pack *p)
{
    return p->in + p->end;
}
static inline void sf_pack_wrote(struct sf_pack *p, size_t n)
{
    p->end += n;
}
/* Adds a text that was at *place (0: nowhere yet) before, and notes where it is now. Where texts follow each other as they did
 * there, they are one match. */
static inline void sf_pack_token(struct sf_pack *p, const char *text, size_t n, uint64_t *place)
{
    uint64_t here = p->place + p->end, less_one = here - *place - 1;
    memcpy(p->in + p->end, text, SF_PACK_TOKEN); /* of a length known here: a copy of just as much costs a call */
    if (n > SF_PACK_TOKEN)
        memcpy(p->in + p->end, text, n);
    *place = here;
    if (less_one < SF_PACK_WINDOW && n >= SF_PACK_MIN_TOLD) {
        struct sf_pack_run *last = &p->runs[p->n_runs - (p->n_runs > 0)];
        if (p->n_runs && p->literals == p->end && last->less_one == less_one && last->length + n <= SF_PACK_MAX_LENGTH)
            last->length = (uint16_t)(last->length + n);
        else
            p->runs[p->n_runs++] = (struct sf_pack_run){(uint32_t)(p->end - p->literals), (uint16_t)n, (uint16_t)less_one};
        p->literals = p->end + n;
    }
    p->end += n;
}
static inline bool sf_pack_is_full(const struct sf_pack *p)
{
    return p->end - p->start >= SF_PACK_BLOCK;
}
struct sf_str sf_pack_take(struct sf_pack *p);

/* A token of a row: text that is readable up to SF_PACK_TOKEN, and where it was last, for sf_pack_token(). */
struct sf_pack_told {
    const char *text;
    size_t n;
    uint64_t *place;
};
/* A row of the number, a comma, the tokens, and amounts with commas between: what the three calls above give for it, in a third of
 * the time where the codes are known already. It must fit SF_PACK_MAX_ROW. */
void sf_pack_row(struct sf_pack *p, uint64_t number, const struct sf_pack_told *told, size_t n_told, const int64_t *cents,
                 size_t n_cents);

#endif
