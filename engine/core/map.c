/* See map.h. Open addressing with linear probing over SipHash-1-3; the key is drawn once per process and then only read. */
#include "engine/core/map.h"

#include "engine/core/clock.h"

#include <pthread.h>

struct slot {
    uint64_t hash; /* never 0 in a used slot */
    struct sf_str key;
    void *item;
};

struct sf_map {
    struct sf_arena *arena;
    struct slot *slots;
    size_t cap; /* power of two, or 0 */
    size_t n;
};

static uint64_t hash_key[2];
static pthread_once_t hash_key_once = PTHREAD_ONCE_INIT;

static void draw_hash_key(void)
{
    sf_random_bytes(hash_key, sizeof(hash_key));
}

static uint64_t rotl(uint64_t x, unsigned by)
{
    return (x << by) | (x >> (64 - by));
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

static uint64_t hash_of(struct sf_str s)
{
    uint64_t v[4] = {hash_key[0] ^ 0x736f6d6570736575u, hash_key[1] ^ 0x646f72616e646f6du, hash_key[0] ^ 0x6c7967656e657261u,
                     hash_key[1] ^ 0x7465646279746573u};
    size_t i = 0;
    for (; s.n - i >= 8; i += 8) {
        uint64_t word;
        memcpy(&word, s.p + i, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    uint64_t last = (uint64_t)s.n << 56;
    for (unsigned shift = 0; i < s.n; i++, shift += 8)
        last |= (uint64_t)(unsigned char)s.p[i] << shift;
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int k = 0; k < 3; k++)
        sip_round(v);
    uint64_t hash = v[0] ^ v[1] ^ v[2] ^ v[3];
    return hash ? hash : 1;
}

struct sf_map *sf_map_new(struct sf_arena *arena)
{
    pthread_once(&hash_key_once, draw_hash_key);
    struct sf_map *map = SF_NEW(arena, struct sf_map);
    map->arena = arena;
    return map;
}

/* The slot that holds the key, or the free one where it belongs. */
static struct slot *slot_of(const struct sf_map *map, uint64_t hash, struct sf_str key)
{
    size_t mask = map->cap - 1;
    for (size_t i = (size_t)hash & mask;; i = (i + 1) & mask) {
        struct slot *slot = &map->slots[i];
        if (slot->hash == 0 || (slot->hash == hash && sf_str_eq(slot->key, key)))
            return slot;
    }
}

static void grow(struct sf_map *map)
{
    struct slot *old = map->slots;
    size_t old_cap = map->cap;
    map->cap = old_cap ? old_cap * 2 : 16;
    map->slots = SF_NEW_ARRAY(map->arena, map->cap, struct slot);
    for (size_t i = 0; i < old_cap; i++)
        if (old[i].hash)
            *slot_of(map, old[i].hash, old[i].key) = old[i];
}

void sf_map_put(struct sf_map *map, struct sf_str key, void *item)
{
    if ((map->n + 1) * 4 > map->cap * 3)
        grow(map);
    uint64_t hash = hash_of(key);
    struct slot *slot = slot_of(map, hash, key);
    if (!slot->hash) {
        *slot = (struct slot){hash, key, item};
        map->n++;
    }
    slot->item = item;
}

void *sf_map_find(const struct sf_map *map, struct sf_str key)
{
    if (!map || !map->n)
        return NULL;
    return slot_of(map, hash_of(key), key)->item;
}

size_t sf_map_count(const struct sf_map *map)
{
    return map->n;
}
