/* See row_key.h. Level b holds the b-th blocks of the batch's texts; each goes on from a state that level b - 1 left. */
#define OPENSSL_SUPPRESS_DEPRECATED /* one block of SHA-256 at a time, which EVP has no word for */
#include "resources/data/conform/row_key.h"

#include "resources/data/conform/text.h"
#include "resources/data/conform/year_sort.h"

#include <endian.h>
#include <openssl/sha.h>
#include <stdlib.h>

enum {
    PART = 67,  /* bytes of a dimension's */
    FRONT = 64, /* of year and side, that are copied at least */
    LENGTH_BYTES = 8,
    BEHIND = SF_SHA_BLOCK + LENGTH_BYTES, /* the most that finishes a text, and is cleared behind it */
    KEPT = SF_KEY_BATCH,                  /* place of the state that the batch before ended with */
    MAX_TEXT = 256 * 1024 * 1024,
};

struct sf_key_level {
    const unsigned char *blocks[SF_KEY_BATCH];
    uint32_t from[SF_KEY_BATCH]; /* places in `before` */
    uint32_t n;
    uint32_t last; /* place in `before` that the next block goes on from */
    struct sf_sha_states before[SF_KEY_BATCH / SF_SHA_LANES + 1];
};

static void *allocate(void *p, size_t n)
{
    p = realloc(p, n);
    if (!p)
        sf_out_of_memory();
    return p;
}

void sf_row_keys_open(struct sf_row_keys *k, const struct sf_rules *rules, int64_t *ids)
{
    *k = (struct sf_row_keys){.ids = ids, .n_dimensions = rules->n_dimensions};
    k->front = k->details = SF_BUF(MAX_TEXT);
    k->levels = calloc(SF_KEY_LEVELS + 1, sizeof *k->levels); /* one more, for what the last one leaves */
    if (!k->levels)
        sf_out_of_memory();
    for (size_t i = 0; i <= SF_KEY_LEVELS; i++)
        k->levels[i].last = KEPT;
    sf_sha_begin(k->levels[0].before, KEPT);
}

void sf_row_keys_close(struct sf_row_keys *k)
{
    sf_buf_free(&k->front);
    sf_buf_free(&k->details);
    free(k->texts);
    free(k->levels);
    *k = (struct sf_row_keys){.ids = NULL};
}

static void change(struct sf_row_keys *k, size_t from)
{
    k->n_valid = from / SF_SHA_BLOCK < k->n_valid ? from / SF_SHA_BLOCK : k->n_valid;
}

void sf_row_keys_set_side(struct sf_row_keys *k, struct sf_str year, const struct sf_rule_side *side)
{
    static const char room[FRONT] = {0};
    sf_buf_clear(&k->front);
    sf_text_part(&k->front, year);
    if (side)
        sf_text_part(&k->front, side->text);
    k->ends[0] = k->front.n;
    sf_buf_add(&k->front, (struct sf_str){room, sizeof room});
    change(k, 0);
}

void sf_row_keys_set_dimension(struct sf_row_keys *k, size_t d, const struct sf_raw *raw)
{
    k->parts[d] = raw->sha256_part;
    k->ends[d + 1] = k->ends[d] + PART;
    change(k, k->ends[d]);
}

void sf_row_keys_set_details(struct sf_row_keys *k, size_t n_dimensions, const char *tail, size_t n_details)
{
    k->n_dimensions = n_dimensions;
    change(k, k->ends[n_dimensions]);
    sf_buf_clear(&k->details);
    for (size_t i = 0; i < n_details; i++)
        sf_text_part(&k->details, sf_tail_next(&tail));
}

void sf_row_keys_flush(struct sf_row_keys *k)
{
    for (size_t i = 0; i < SF_KEY_LEVELS; i++) {
        struct sf_key_level *level = &k->levels[i], *next = level + 1;
        if (level->n == 0)
            continue;
        for (size_t at = level->n; at % SF_SHA_LANES; at++) { /* idle lanes hash the first one's block */
            level->blocks[at] = level->blocks[0];
            level->from[at] = level->from[0];
        }
        sf_sha_compress(level->before, level->from, level->blocks, level->n, next->before);
        level->n = 0;
    }
    for (size_t i = 0; i < k->n; i++)
        *k->ids++ = (int64_t)(1 + sf_sha_hash60(k->levels[k->rows[i].level].before, k->rows[i].place));
    k->n = k->used = 0;
    for (size_t i = 1; i <= SF_KEY_LEVELS; i++) {
        if (k->levels[i].last != KEPT)
            sf_sha_copy(k->levels[i].before, KEPT, k->levels[i].last);
        k->levels[i].last = KEPT;
    }
}

/* A text of more blocks than there are levels, of long details: on its own, from its beginning. */
static void add_long(struct sf_row_keys *k, const unsigned char *text, size_t n_blocks)
{
    SHA256_CTX ctx;
    SHA256_Init(&ctx);
    for (size_t i = 0; i < n_blocks; i++)
        SHA256_Transform(&ctx, text + i * SF_SHA_BLOCK);
    *k->ids++ = (int64_t)(1 + (((uint64_t)ctx.h[0] << 32 | ctx.h[1]) >> 4));
}

/* Where the next row's text goes: `n` bytes and what finishes it. */
static unsigned char *text_room(struct sf_row_keys *k, size_t n)
{
    size_t need = n + 2 * (SF_TEXT_INT_MAX + 1) + 2 * BEHIND;
    if (k->n == SF_KEY_BATCH || k->used + need > k->cap)
        sf_row_keys_flush(k);
    if (need > k->cap) {
        size_t usual = (need + SF_SHA_BLOCK) / SF_SHA_BLOCK * SF_SHA_BLOCK * SF_KEY_BATCH, most = SF_KEY_LEVELS * SF_SHA_BLOCK;
        k->cap = need < most ? usual : 2 * need;
        k->texts = allocate(k->texts, k->cap);
    }
    return k->texts + k->used;
}

void sf_row_keys_add(struct sf_row_keys *k, uint64_t occurrence)
{
    size_t n = k->ends[k->n_dimensions];
    unsigned char *text = text_room(k, n + FRONT + k->details.n);
    /* copies of a length known here, front to back: each writes over what the one before wrote too much */
    memcpy(text, k->front.p, FRONT);
    if (k->ends[0] > FRONT)
        memcpy(text, k->front.p, k->ends[0]);
    for (size_t d = 0; d < k->n_dimensions; d++)
        memcpy(text + k->ends[d], k->parts[d], PART);
    if (k->details.n)
        memcpy(text + n, k->details.p, k->details.n);
    n += k->details.n;
    change(k, n);
    if (occurrence == 1) { /* nearly always */
        static const char first[] = {'1', ':', '1'};
        memcpy(text + n, first, sizeof first);
        n += sizeof first;
    } else {
        char number[SF_TEXT_INT_MAX];
        size_t length = sf_text_write_int((int64_t)occurrence, number);
        n += sf_text_write_int((int64_t)length, (char *)text + n);
        text[n++] = ':';
        memcpy(text + n, number, length);
        n += length;
    }
    uint64_t n_bits = htobe64((uint64_t)n * 8);
    size_t n_blocks = (n + LENGTH_BYTES) / SF_SHA_BLOCK + 1;
    memset(text + n, 0, BEHIND);
    text[n] = 0x80; /* FIPS 180-4, 5.1.1 */
    memcpy(text + n_blocks * SF_SHA_BLOCK - LENGTH_BYTES, &n_bits, LENGTH_BYTES);
    if (n_blocks > SF_KEY_LEVELS) {
        sf_row_keys_flush(k); /* the text stays where it is */
        add_long(k, text, n_blocks);
        return;
    }
    k->used += n_blocks * SF_SHA_BLOCK;
    for (size_t i = k->n_valid; i < n_blocks; i++) {
        struct sf_key_level *level = &k->levels[i];
        level->blocks[level->n] = text + i * SF_SHA_BLOCK;
        level->from[level->n] = level->last;
        level[1].last = level->n++;
    }
    k->n_valid = n_blocks;
    k->rows[k->n].level = (uint32_t)n_blocks;
    k->rows[k->n++].place = k->levels[n_blocks].last;
}
