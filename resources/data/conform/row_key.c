/* See row_key.h. Level b holds the b-th blocks of the batch's texts; each goes on from a state that level b - 1 left. */
#define OPENSSL_SUPPRESS_DEPRECATED /* one block of SHA-256 at a time, which EVP has no word for */
#include "resources/data/conform/row_key.h"

#include "resources/data/conform/text.h"
#include "resources/data/conform/year_sort.h"

#include <endian.h>
#include <openssl/sha.h>
#include <stdlib.h>

enum {
    SHA256_PART_BYTES = 67,
    LENGTH_BYTES = 8,
    MOST_PADDING = SF_SHA_BLOCK + 2 * LENGTH_BYTES,
    KEPT = SF_KEY_BATCH, /* place of the state that the batch before ended with */
};

struct sf_key_level {
    unsigned char blocks[SF_KEY_BATCH][SF_SHA_BLOCK];
    uint32_t from[SF_KEY_BATCH]; /* places in `before` */
    uint32_t n;
    uint32_t last; /* place in `before` that the next block goes on from */
    struct sf_sha_states before[SF_KEY_BATCH / SF_SHA_LANES + 1];
};

static size_t write_part(unsigned char *out, struct sf_str s)
{
    size_t n = sf_text_write_int((int64_t)s.n, (char *)out);
    out[n++] = ':';
    memcpy(out + n, s.p, s.n);
    return n + s.n;
}

/* Room for `n` bytes of text and what finishes it. */
static void reserve(struct sf_row_keys *k, size_t n)
{
    n += 2 * (SF_TEXT_INT_MAX + 1) + MOST_PADDING;
    if (n <= k->cap)
        return;
    k->cap = 2 * n;
    k->text = realloc(k->text, k->cap);
    if (!k->text)
        sf_out_of_memory();
}

void sf_row_keys_open(struct sf_row_keys *k, const struct sf_rules *rules, int64_t *ids)
{
    *k = (struct sf_row_keys){.ids = ids};
    size_t most = 0;
    for (size_t i = 0; i < rules->n_sides; i++)
        most = rules->sides[i].text.n > most ? rules->sides[i].text.n : most;
    reserve(k, most + 2 * (SF_TEXT_INT_MAX + 1) + SF_RULES_MAX_DIMENSIONS * SHA256_PART_BYTES);
    k->levels = calloc(SF_KEY_LEVELS + 1, sizeof *k->levels); /* one more, for what the last one leaves */
    if (!k->levels)
        sf_out_of_memory();
    for (size_t i = 0; i <= SF_KEY_LEVELS; i++)
        k->levels[i].last = KEPT;
    sf_sha_begin(k->levels[0].before, KEPT);
}

void sf_row_keys_close(struct sf_row_keys *k)
{
    free(k->text);
    free(k->levels);
    *k = (struct sf_row_keys){.ids = NULL};
}

static void change(struct sf_row_keys *k, size_t from)
{
    k->n_valid = from / SF_SHA_BLOCK < k->n_valid ? from / SF_SHA_BLOCK : k->n_valid;
}

void sf_row_keys_set_side(struct sf_row_keys *k, struct sf_str year, const struct sf_rule_side *side)
{
    k->ends[0] = write_part(k->text, year);
    if (side)
        k->ends[0] += write_part(k->text + k->ends[0], side->text);
    k->end = k->ends[0];
    change(k, 0);
}

void sf_row_keys_set_dimension(struct sf_row_keys *k, size_t d, const struct sf_raw *raw)
{
    memcpy(k->text + k->ends[d], raw->sha256_part, SHA256_PART_BYTES);
    k->ends[d + 1] = k->ends[d] + SHA256_PART_BYTES;
    change(k, k->ends[d]);
}

void sf_row_keys_set_details(struct sf_row_keys *k, size_t n_dimensions, const char *tail, size_t n_details)
{
    k->end = k->ends[n_dimensions];
    change(k, k->end);
    for (size_t i = 0; i < n_details; i++) {
        struct sf_str raw = sf_tail_next(&tail);
        reserve(k, k->end + SF_TEXT_INT_MAX + 1 + raw.n);
        k->end += write_part(k->text + k->end, raw);
    }
}

void sf_row_keys_flush(struct sf_row_keys *k)
{
    for (size_t i = 0; i < SF_KEY_LEVELS; i++) {
        struct sf_key_level *level = &k->levels[i], *next = level + 1;
        if (level->n)
            sf_sha_compress(level->before, level->from, (const unsigned char(*)[SF_SHA_BLOCK])level->blocks, level->n,
                            next->before);
        level->n = 0;
    }
    for (size_t i = 0; i < k->n; i++)
        *k->ids++ = (int64_t)(1 + sf_sha_hash60(k->levels[k->rows[i].level].before, k->rows[i].place));
    k->n = 0;
    for (size_t i = 1; i <= SF_KEY_LEVELS; i++) {
        if (k->levels[i].last != KEPT)
            sf_sha_copy(k->levels[i].before, KEPT, k->levels[i].last);
        k->levels[i].last = KEPT;
    }
}

/* A text of more blocks than there are levels, of long details: on its own, from its beginning. */
static void add_long(struct sf_row_keys *k, size_t n_blocks)
{
    sf_row_keys_flush(k);
    SHA256_CTX ctx;
    SHA256_Init(&ctx);
    for (size_t i = 0; i < n_blocks; i++)
        SHA256_Transform(&ctx, k->text + i * SF_SHA_BLOCK);
    *k->ids++ = (int64_t)(1 + (((uint64_t)ctx.h[0] << 32 | ctx.h[1]) >> 4));
}

void sf_row_keys_add(struct sf_row_keys *k, uint64_t occurrence)
{
    char number[SF_TEXT_INT_MAX];
    size_t n = k->end;
    change(k, n);
    if (occurrence == 1) { /* nearly always */
        memcpy(k->text + n, "1:1", 3);
        n += 3;
    } else {
        n += write_part(k->text + n, (struct sf_str){number, sf_text_write_int((int64_t)occurrence, number)});
    }
    uint64_t n_bits = htobe64((uint64_t)n * 8);
    size_t n_blocks = (n + LENGTH_BYTES) / SF_SHA_BLOCK + 1;
    memset(k->text + n, 0, n_blocks * SF_SHA_BLOCK - n);
    k->text[n] = 0x80; /* FIPS 180-4, 5.1.1 */
    memcpy(k->text + n_blocks * SF_SHA_BLOCK - LENGTH_BYTES, &n_bits, LENGTH_BYTES);
    if (n_blocks > SF_KEY_LEVELS) {
        add_long(k, n_blocks);
        return;
    }
    if (k->n == SF_KEY_BATCH)
        sf_row_keys_flush(k);
    for (size_t i = k->n_valid; i < n_blocks; i++) {
        struct sf_key_level *level = &k->levels[i];
        memcpy(level->blocks[level->n], k->text + i * SF_SHA_BLOCK, SF_SHA_BLOCK);
        level->from[level->n] = level->last;
        level[1].last = level->n++;
    }
    k->n_valid = n_blocks;
    k->rows[k->n].level = (uint32_t)n_blocks;
    k->rows[k->n++].place = k->levels[n_blocks].last;
}
