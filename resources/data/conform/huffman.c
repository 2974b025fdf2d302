/* See huffman.h. */
#include "resources/data/conform/huffman.h"

#include <stdbool.h>
#include <stdlib.h>

enum {
    MAX_BITS = 12,       /* of 15: four fit between two flushes, at next to no loss */
    MAX_LENGTH_BITS = 7, /* of the codes that code lengths are written with */
    N_LENGTHS = 19,
    N_ALL = SF_HUFFMAN_LITERALS + SF_HUFFMAN_DISTANCES,
    REPEAT = 16,
    ZEROS_FEW = 17,
    ZEROS_MANY = 18,
    DYNAMIC_BLOCK = 2,
};

struct leaf {
    uint32_t count;
    uint32_t symbol;
};

static int order_leaves(const void *a, const void *b)
{
    const struct leaf *x = a, *y = b;
    if (x->count != y->count)
        return x->count < y->count ? -1 : 1;
    return (x->symbol > y->symbol) - (x->symbol < y->symbol);
}

/* How many symbols get codes of each length: two queues, leaves and joints, both by rising count; then no code over `max`. */
static void count_lengths(const struct leaf *leaves, size_t n, unsigned max, size_t *of_length)
{
    uint64_t weight[N_ALL] = {0};
    uint16_t parent_of_leaf[N_ALL] = {0}, parent[N_ALL] = {0}, depth[N_ALL] = {0};
    size_t leaf = 0, joint = 0;
    for (size_t made = 0; made + 1 < n; made++) {
        weight[made] = 0;
        for (int side = 0; side < 2; side++) {
            bool is_leaf = leaf < n && (joint == made || leaves[leaf].count <= weight[joint]);
            weight[made] += is_leaf ? leaves[leaf].count : weight[joint];
            if (is_leaf)
                parent_of_leaf[leaf++] = (uint16_t)made;
            else
                parent[joint++] = (uint16_t)made;
        }
    }
    depth[n - 2] = 0;
    for (size_t i = n - 2; i-- > 0;)
        depth[i] = (uint16_t)(depth[parent[i]] + 1);
    uint64_t taken = 0; /* of the code space, in codes of `max` bits */
    for (size_t i = 0; i < n; i++) {
        unsigned length = depth[parent_of_leaf[i]] + 1u;
        length = length < max ? length : max;
        of_length[length]++;
        taken += (uint64_t)1 << (max - length);
    }
    for (; taken > (uint64_t)1 << max; taken--) {
        unsigned length = max - 1;
        while (of_length[length] == 0)
            length--;
        of_length[length]--;
        of_length[length + 1] += 2;
        of_length[max]--;
    }
}

static uint16_t reversed(unsigned bits, unsigned n)
{
    unsigned out = 0;
    for (unsigned i = 0; i < n; i++)
        out |= (bits >> i & 1) << (n - 1 - i);
    return (uint16_t)out;
}

static void make_codes(uint32_t *counts, size_t n, unsigned max, struct sf_huffman_code *codes)
{
    struct leaf leaves[N_ALL] = {{0, 0}};
    size_t n_leaves = 0, of_length[MAX_BITS + 1] = {0};
    for (size_t i = 0; i < n; i++)
        n_leaves += counts[i] != 0;
    for (size_t i = 0; n_leaves < 2; i++) { /* a lone code would have no bits */
        n_leaves += counts[i] == 0;
        counts[i] += counts[i] == 0;
    }
    n_leaves = 0;
    for (size_t i = 0; i < n; i++) {
        codes[i] = (struct sf_huffman_code){0, 0};
        if (counts[i])
            leaves[n_leaves++] = (struct leaf){counts[i], (uint32_t)i};
    }
    qsort(leaves, n_leaves, sizeof *leaves, order_leaves);
    count_lengths(leaves, n_leaves, max, of_length);
    for (unsigned length = max, i = 0; length > 0; length--)
        for (size_t k = 0; k < of_length[length]; k++)
            codes[leaves[i++].symbol].n = (uint16_t)length;
    unsigned next = 0;
    for (unsigned length = 1; length <= max; length++, next <<= 1)
        for (size_t i = 0; i < n; i++)
            if (codes[i].n == length)
                codes[i].bits = reversed(next++, length);
}

struct length_symbol {
    uint8_t number, extra, extra_bits;
};

/* Code lengths, runs of them folded. */
static size_t fold_lengths(const uint8_t *lengths, size_t n, struct length_symbol *out)
{
    size_t n_out = 0;
    for (size_t i = 0; i < n;) {
        size_t same = 1;
        while (i + same < n && lengths[i + same] == lengths[i])
            same++;
        size_t most = lengths[i] ? 6 : 138, repeat = same < most ? same : most;
        if (lengths[i] == 0 && repeat >= 11) {
            out[n_out++] = (struct length_symbol){ZEROS_MANY, (uint8_t)(repeat - 11), 7};
        } else if (lengths[i] == 0 && repeat >= 3) {
            out[n_out++] = (struct length_symbol){ZEROS_FEW, (uint8_t)(repeat - 3), 3};
        } else if (lengths[i] && i > 0 && lengths[i - 1] == lengths[i] && repeat >= 3) {
            out[n_out++] = (struct length_symbol){REPEAT, (uint8_t)(repeat - 3), 2};
        } else {
            out[n_out++] = (struct length_symbol){lengths[i], 0, 0};
            repeat = 1;
        }
        i += repeat;
    }
    return n_out;
}

void sf_huffman_begin_block(struct sf_huffman *h, struct sf_bits *bits)
{
    static const uint8_t order[N_LENGTHS] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    make_codes(h->literal_counts, SF_HUFFMAN_LITERALS, MAX_BITS, h->literals);
    make_codes(h->distance_counts, SF_HUFFMAN_DISTANCES, MAX_BITS, h->distances);
    uint8_t lengths[N_ALL];
    for (size_t i = 0; i < SF_HUFFMAN_LITERALS; i++)
        lengths[i] = (uint8_t)h->literals[i].n;
    for (size_t i = 0; i < SF_HUFFMAN_DISTANCES; i++)
        lengths[SF_HUFFMAN_LITERALS + i] = (uint8_t)h->distances[i].n;
    struct length_symbol symbols[N_ALL];
    size_t n = fold_lengths(lengths, N_ALL, symbols);
    uint32_t counts[N_LENGTHS] = {0};
    struct sf_huffman_code codes[N_LENGTHS];
    for (size_t i = 0; i < n; i++)
        counts[symbols[i].number]++;
    make_codes(counts, N_LENGTHS, MAX_LENGTH_BITS, codes);

    sf_bits_put(bits, DYNAMIC_BLOCK, 2);
    sf_bits_put(bits, SF_HUFFMAN_LITERALS - 257, 5);
    sf_bits_put(bits, SF_HUFFMAN_DISTANCES - 1, 5);
    sf_bits_put(bits, N_LENGTHS - 4, 4);
    for (size_t i = 0; i < N_LENGTHS; i++) {
        sf_bits_flush(bits);
        sf_bits_put(bits, codes[order[i]].n, 3);
    }
    for (size_t i = 0; i < n; i++) {
        sf_bits_flush(bits);
        sf_bits_put(bits, codes[symbols[i].number].bits, codes[symbols[i].number].n);
        sf_bits_put(bits, symbols[i].extra, symbols[i].extra_bits);
    }
    sf_bits_flush(bits);
}
