/* See intern.h. Linear probing at most half full; hash by folded 128-bit products over two lanes of 16 bytes. */
#include "resources/data/conform/intern.h"

#include <stdlib.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

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
        table->slots = malloc(table->cap * sizeof *table->slots);
        if (!table->slots)
            sf_out_of_memory();
        memset(table->slots, 0, table->cap * sizeof *table->slots); /* a page of calloc() that is read first is faulted in twice */
        for (size_t i = 0; i < old.cap; i++)
            if (old.slots[i].p)
                put(table, old.slots[i]);
        free(old.slots);
    }
    put(table, (struct sf_intern_slot){hash, bytes.p, (uint32_t)bytes.n, number});
    table->n++;
}

/* Asks for the memory that a find with this hash will look at: first the slot, later what it points at. */
static inline void expect_slot(const struct sf_intern *table, uint64_t hash)
{
    __builtin_prefetch(&table->slots[hash & (table->cap - 1)]);
}

static inline void expect_bytes(const struct sf_intern *table, uint64_t hash)
{
    const struct sf_intern_slot *slot = &table->slots[hash & (table->cap - 1)];
    size_t last = slot->n;
    __builtin_prefetch(slot->p); /* a line of the cache each; as many for all, since a wrong guess costs more than a line */
    __builtin_prefetch(slot->p + (last < 64 ? last : 64));
    __builtin_prefetch(slot->p + last);
}

void sf_intern_hash_all_plainly(const struct sf_intern *table, struct sf_intern_key *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        keys[i].hash = sf_intern_hash(table->seed, keys[i].bytes);
        if (table->cap)
            expect_slot(table, keys[i].hash);
    }
}

void sf_intern_expect_all(const struct sf_intern *table, const struct sf_intern_key *keys, size_t n)
{
    for (size_t i = 0; i < n && table->cap; i++)
        expect_bytes(table, keys[i].hash);
}

void sf_intern_find_all_plainly(const struct sf_intern *table, struct sf_intern_key *keys, size_t n)
{
    for (size_t i = 0; i < n; i++)
        keys[i].number = sf_intern_find(table, keys[i].hash, keys[i].bytes);
}

#ifdef __x86_64__
#define WIDE __attribute__((target("avx512f,avx512bw,avx512vl,vaes,aes,bmi2")))

enum { STEP = 64 };

WIDE static inline __mmask64 step_mask(size_t n)
{
    return n >= STEP ? ~(__mmask64)0 : _bzhi_u64(~(uint64_t)0, (unsigned)n);
}

WIDE static inline __m512i take_step(__m512i sum, __m512i secret, struct sf_str s)
{
    sum = _mm512_xor_si512(sum, _mm512_maskz_loadu_epi8(step_mask(s.n), s.p));
    return _mm512_aesenc_epi128(_mm512_aesenc_epi128(sum, secret), secret);
}

/* Two rounds of AES a step of 64 bytes, in four lanes that are then folded by two rounds each: nobody who does not know the seed
 * can tell which texts meet. Two steps without asking whether the second has any bytes: a wrong guess costs more. */
WIDE static inline uint64_t hash_widely(__m512i secret, struct sf_str s)
{
    __m512i sum = take_step(secret, secret, s);
    size_t at = s.n < STEP ? s.n : STEP;
    do {
        sum = take_step(sum, secret, (struct sf_str){s.p + at, s.n - at});
        at += STEP;
    } while (at < s.n);
    const __m128i key = _mm_xor_si128(_mm512_castsi512_si128(secret), _mm_set1_epi64x((long long)s.n));
    __m128i a = _mm_aesenc_si128(_mm_aesenc_si128(_mm512_castsi512_si128(sum), key), _mm512_extracti32x4_epi32(sum, 1));
    __m128i b = _mm_aesenc_si128(_mm_aesenc_si128(_mm512_extracti32x4_epi32(sum, 2), key), _mm512_extracti32x4_epi32(sum, 3));
    a = _mm_aesenc_si128(_mm_aesenc_si128(a, key), b);
    return (uint64_t)_mm_cvtsi128_si64(_mm_aesenc_si128(_mm_aesenc_si128(a, key), key));
}

WIDE static inline bool differs_here(const char *a, const char *b, size_t n)
{
    __mmask64 mask = step_mask(n);
    return _mm512_mask_cmpneq_epi8_mask(mask, _mm512_maskz_loadu_epi8(mask, a), _mm512_maskz_loadu_epi8(mask, b)) != 0;
}

WIDE static inline bool is_same_widely(const char *a, const char *b, size_t n)
{
    size_t at = n < STEP ? n : STEP;
    bool differs = differs_here(a, b, n);
    do {
        differs |= differs_here(a + at, b + at, n - at);
        at += STEP;
    } while (at < n);
    return !differs;
}

WIDE static inline uint32_t find_widely(const struct sf_intern *table, const struct sf_intern_key *key)
{
    for (size_t i = key->hash & (table->cap - 1);; i = (i + 1) & (table->cap - 1)) {
        const struct sf_intern_slot *slot = &table->slots[i];
        if (!slot->p)
            return SF_INTERN_NONE;
        if (slot->hash == key->hash && slot->n == key->bytes.n && is_same_widely(slot->p, key->bytes.p, slot->n))
            return slot->number;
    }
}

WIDE static void hash_all_widely(const struct sf_intern *table, struct sf_intern_key *keys, size_t n)
{
    const uint64_t k1 = 0x9e3779b97f4a7c15, k2 = 0xd1b54a32d192ed03, k3 = 0x8cb92ba72f3d8dd7;
    const long long x = (long long)(table->seed ^ k1), y = (long long)fold_product(table->seed ^ k2, k3);
    const __m512i secret = _mm512_xor_si512(_mm512_set_epi64(x, y, x, y, x, y, x, y), _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0));
    for (size_t i = 0; i < n; i++) {
        keys[i].hash = hash_widely(secret, keys[i].bytes);
        if (table->cap)
            expect_slot(table, keys[i].hash);
    }
}

WIDE static void find_all_widely(const struct sf_intern *table, struct sf_intern_key *keys, size_t n)
{
    for (size_t i = 0; i < n; i++)
        keys[i].number = table->cap ? find_widely(table, &keys[i]) : SF_INTERN_NONE;
}

static bool is_wide(void)
{
#ifdef __clang__ /* whose version 14 does not know the last of these names */
    return false;
#else
    return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("aes") &&
           __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("vaes");
#endif
}
#endif

void sf_intern_hash_all(const struct sf_intern *table, struct sf_intern_key *keys, size_t n)
{
#ifdef __x86_64__
    if (is_wide()) {
        hash_all_widely(table, keys, n);
        return;
    }
#endif
    sf_intern_hash_all_plainly(table, keys, n);
}

void sf_intern_find_all(const struct sf_intern *table, struct sf_intern_key *keys, size_t n)
{
#ifdef __x86_64__
    if (is_wide()) {
        find_all_widely(table, keys, n);
        return;
    }
#endif
    sf_intern_find_all_plainly(table, keys, n);
}
