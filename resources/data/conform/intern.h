/* A hash table from bytes to small numbers, for the hot path: one lookup a dimension and row.
 *
 * The hash is keyed per process, so that a hostile file cannot make it slow. A table belongs to one thread. */
#ifndef SF_DATA_CONFORM_INTERN_H
#define SF_DATA_CONFORM_INTERN_H

#include "engine/core/str.h"

#define SF_INTERN_NONE UINT32_MAX

struct sf_intern_slot {
    uint64_t hash;
    const char *p; /* NULL: free */
    uint32_t n;
    uint32_t number;
};

struct sf_intern {
    struct sf_intern_slot *slots;
    size_t cap; /* power of two, or 0 */
    size_t n;
    uint64_t seed;
};

void sf_intern_open(struct sf_intern *table, uint64_t seed);
void sf_intern_close(struct sf_intern *table);
uint64_t sf_intern_hash(uint64_t seed, struct sf_str bytes);
/* Number of the bytes, or SF_INTERN_NONE. `hash` is sf_intern_hash() of them. */
static inline uint32_t sf_intern_find(const struct sf_intern *table, uint64_t hash, struct sf_str bytes)
{
    if (table->cap == 0)
        return SF_INTERN_NONE;
    for (size_t i = hash & (table->cap - 1);; i = (i + 1) & (table->cap - 1)) {
        const struct sf_intern_slot *slot = &table->slots[i];
        if (!slot->p)
            return SF_INTERN_NONE;
        if (slot->hash == hash && slot->n == bytes.n && memcmp(slot->p, bytes.p, bytes.n) == 0)
            return slot->number;
    }
}
/* Adds bytes that are not in it yet; they are not copied and must live as long as the table. */
void sf_intern_add(struct sf_intern *table, uint64_t hash, struct sf_str bytes, uint32_t number);

/* For many at once: what a table is asked for. */
struct sf_intern_key {
    struct sf_str bytes;
    uint64_t hash;   /* set by the first step; for sf_intern_add() if the bytes are new */
    uint32_t number; /* set by the last: SF_INTERN_NONE if they are */
};
/* Finding many keys is three steps, so that all memory that they take is on its way before it is needed, best with other work
 * between them: hashes and slots, what the slots point at, numbers. The table stays as it is meanwhile. The hash may be another one
 * than sf_intern_hash(), by the processor's own instructions: a table takes the one or the other. */
void sf_intern_hash_all(const struct sf_intern *table, struct sf_intern_key *keys, size_t n);
void sf_intern_expect_all(const struct sf_intern *table, const struct sf_intern_key *keys, size_t n);
void sf_intern_find_all(const struct sf_intern *table, struct sf_intern_key *keys, size_t n);
/* The first and the last as a machine without AVX-512 does them: for tests. */
void sf_intern_hash_all_plainly(const struct sf_intern *table, struct sf_intern_key *keys, size_t n);
void sf_intern_find_all_plainly(const struct sf_intern *table, struct sf_intern_key *keys, size_t n);

#endif
