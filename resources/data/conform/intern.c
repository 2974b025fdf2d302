/* See intern.h. Linear probing at most half full; hash by folded 128-bit products over two lanes of 16 bytes. */
#include "resources/data/conform/intern.h"

#include <stdlib.h>

__extension__ typedef unsigned __int128 u128;

static inline uint64_t fold_product(uint64_t a, uint64_t b)
{
    u128 product = (u128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t load(const char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

uint64_t sf_intern_hash(uint64_t seed, struct sf_str s)
{
    const uint64_t k1 = 0x9e3779b97f4a7c15, k2 = 0xd1b54a32d192ed03, k3 = 0x8cb92ba72f3d8dd7;
    uint64_t a = seed ^ k1, b = seed ^ k2;
    const char *p = s.p;
    size_t n = s.n;
    for (; n >= 32; n -= 32, p += 32) {
        a = fold_product(load(p) ^ k2 ^ seed, load(p + 8) ^ a);
        b = fold_product(load(p + 16) ^ k3 ^ seed, load(p + 24) ^ b);
    }
    if (n >= 16) {
        a = fold_product(load(p) ^ k2 ^ seed, load(p + 8) ^ a);
        n -= 16;
        p += 16;
    }
    uint64_t first = 0, last = 0;
    if (s.n >= 16) { /* the last 16 bytes, whether or not some of them are in already: no copy of an odd length */
        first = load(p + n - 16);
        last = load(p + n - 8);
    } else if (n >= 8) {
        first = load(p);
        last = load(p + n - 8);
    } else if (n) {
        memcpy(&first, p, n);
    }
    b = fold_product(first ^ k3 ^ seed, last ^ b);
    return fold_product(a ^ k3, b ^ s.n ^ k1);
}

void sf_intern_open(struct sf_intern *table, uint64_t seed)
{
    *table = (struct sf_intern){.seed = seed};
}

void sf_intern_close(struct sf_intern *table)
{
    free(table->slots);
    table->slots = NULL;
    table->cap = table->n = 0;
}

static void put(struct sf_intern *table, struct sf_intern_slot slot)
{
    size_t i = slot.hash & (table->cap - 1);
    while (table->slots[i].p)
        i = (i + 1) & (table->cap - 1);
    table->slots[i] = slot;
}

void sf_intern_add(struct sf_intern *table, uint64_t hash, struct sf_str bytes, uint32_t number)
{
    if (2 * (table->n + 1) > table->cap) {
        struct sf_intern old = *table;
        table->cap = old.cap ? 2 * old.cap : 1024;
        table->slots = calloc(table->cap, sizeof *table->slots);
        if (!table->slots)
            sf_out_of_memory();
        for (size_t i = 0; i < old.cap; i++)
            if (old.slots[i].p)
                put(table, old.slots[i]);
        free(old.slots);
    }
    put(table, (struct sf_intern_slot){hash, bytes.p, (uint32_t)bytes.n, number});
    table->n++;
}
