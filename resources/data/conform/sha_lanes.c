/* See sha_lanes.h. */
#define OPENSSL_SUPPRESS_DEPRECATED /* one block of SHA-256 at a time, which EVP has no word for */
#include "resources/data/conform/sha_lanes.h"

#include <openssl/sha.h>
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

static void load_state(const struct sf_sha_states *states, size_t i, uint32_t *words)
{
    for (size_t word = 0; word < SF_SHA_WORDS; word++)
        words[word] = states[i / SF_SHA_LANES].words[word][i % SF_SHA_LANES];
}

static void store_state(struct sf_sha_states *states, size_t i, const uint32_t *words)
{
    for (size_t word = 0; word < SF_SHA_WORDS; word++)
        states[i / SF_SHA_LANES].words[word][i % SF_SHA_LANES] = words[word];
}

void sf_sha_begin(struct sf_sha_states *states, size_t i)
{
    SHA256_CTX ctx;
    SHA256_Init(&ctx);
    store_state(states, i, ctx.h);
}

void sf_sha_copy(struct sf_sha_states *states, size_t i, size_t from)
{
    uint32_t words[SF_SHA_WORDS];
    load_state(states, from, words);
    store_state(states, i, words);
}

uint64_t sf_sha_hash60(const struct sf_sha_states *states, size_t i)
{
    const struct sf_sha_states *s = &states[i / SF_SHA_LANES];
    size_t lane = i % SF_SHA_LANES;
    return ((uint64_t)s->words[0][lane] << 32 | s->words[1][lane]) >> 4;
}

void sf_sha_compress_plainly(const struct sf_sha_states *in, const uint32_t *from, const unsigned char *const *blocks, size_t n,
                             struct sf_sha_states *out)
{
    SHA256_CTX ctx;
    SHA256_Init(&ctx);
    for (size_t i = 0; i < n; i++) {
        load_state(in, from[i], ctx.h);
        SHA256_Transform(&ctx, blocks[i]);
        store_state(out, i, ctx.h);
    }
}

#ifdef __x86_64__
#define LANES __attribute__((target("avx512f,avx512bw")))
#define LANES_INLINE __attribute__((target("avx512f,avx512bw"), always_inline)) static inline

enum { ROUNDS = 64, SCHEDULED = 16, XOR3 = 0x96, CHOOSE = 0xca, MAJORITY = 0xe8 };

/* FIPS 180-4, 4.2.2. */
static const uint32_t constants[ROUNDS] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
    0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
    0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
    0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

LANES_INLINE __m512i rotated_sum(__m512i x, int a, int b, int c)
{
    return _mm512_ternarylogic_epi32(_mm512_rorv_epi32(x, _mm512_set1_epi32(a)), _mm512_rorv_epi32(x, _mm512_set1_epi32(b)),
                                     _mm512_rorv_epi32(x, _mm512_set1_epi32(c)), XOR3);
}

LANES_INLINE __m512i shifted_sum(__m512i x, int a, int b, unsigned shift)
{
    return _mm512_ternarylogic_epi32(_mm512_rorv_epi32(x, _mm512_set1_epi32(a)), _mm512_rorv_epi32(x, _mm512_set1_epi32(b)),
                                     _mm512_srli_epi32(x, shift), XOR3);
}

/* words[i] becomes word i of all sixteen blocks: rows and columns change places, in pairs, fours, and quarters of a register. */
LANES_INLINE void load_blocks(const unsigned char *const *blocks, __m512i *words)
{
    const __m512i big_endian = _mm512_broadcast_i32x4(_mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203));
    __m512i a[SF_SHA_LANES], b[SF_SHA_LANES];
    for (size_t i = 0; i < SF_SHA_LANES; i++)
        a[i] = _mm512_shuffle_epi8(_mm512_loadu_si512(blocks[i]), big_endian);
    for (size_t i = 0; i < SF_SHA_LANES; i += 2) {
        b[i] = _mm512_unpacklo_epi32(a[i], a[i + 1]);
        b[i + 1] = _mm512_unpackhi_epi32(a[i], a[i + 1]);
    }
    for (size_t i = 0; i < SF_SHA_LANES; i += 4) {
        a[i] = _mm512_unpacklo_epi64(b[i], b[i + 2]);
        a[i + 1] = _mm512_unpackhi_epi64(b[i], b[i + 2]);
        a[i + 2] = _mm512_unpacklo_epi64(b[i + 1], b[i + 3]);
        a[i + 3] = _mm512_unpackhi_epi64(b[i + 1], b[i + 3]);
    }
    for (size_t i = 0; i < 4; i++) {
        __m512i even_low = _mm512_shuffle_i32x4(a[i], a[4 + i], 0x88), odd_low = _mm512_shuffle_i32x4(a[i], a[4 + i], 0xdd);
        __m512i even_high = _mm512_shuffle_i32x4(a[8 + i], a[12 + i], 0x88),
                odd_high = _mm512_shuffle_i32x4(a[8 + i], a[12 + i], 0xdd);
        words[i] = _mm512_shuffle_i32x4(even_low, even_high, 0x88);
        words[4 + i] = _mm512_shuffle_i32x4(odd_low, odd_high, 0x88);
        words[8 + i] = _mm512_shuffle_i32x4(even_low, even_high, 0xdd);
        words[12 + i] = _mm512_shuffle_i32x4(odd_low, odd_high, 0xdd);
    }
}

/* Mostly of messages in a row, but not from a first lane: then two elements are enough, and to gather them costs three times that.
 */
LANES_INLINE void load_states(const struct sf_sha_states *in, const uint32_t *from, __m512i *words)
{
    const __m512i lanes = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    __m512i i = _mm512_loadu_si512(from), in_a_row = _mm512_add_epi32(_mm512_set1_epi32((int)from[0]), lanes);
    if (_mm512_cmpneq_epi32_mask(i, in_a_row) == 0) {
        const struct sf_sha_states *low = &in[from[0] / SF_SHA_LANES], *high = &in[from[SF_SHA_LANES - 1] / SF_SHA_LANES];
        __m512i turn = _mm512_and_si512(in_a_row, _mm512_set1_epi32(SF_SHA_LANES - 1));
        __mmask16 is_high = (__mmask16)((1u << from[0] % SF_SHA_LANES) - 1); /* lanes that come from the second element */
        for (size_t k = 0; k < SF_SHA_WORDS; k++)
            words[k] =
                _mm512_permutexvar_epi32(turn, _mm512_mask_loadu_epi32(_mm512_loadu_si512(low->words[k]), is_high, high->words[k]));
        return;
    }
    __m512i lane = _mm512_and_si512(i, _mm512_set1_epi32(SF_SHA_LANES - 1));
    __m512i place = _mm512_add_epi32(_mm512_slli_epi32(_mm512_sub_epi32(i, lane), 3), lane); /* 128 words an element */
    for (size_t k = 0; k < SF_SHA_WORDS; k++)
        words[k] = _mm512_i32gather_epi32(place, in->words[k], 4);
}

LANES static void compress_lanes(const struct sf_sha_states *in, const uint32_t *from, const unsigned char *const *blocks,
                                 struct sf_sha_states *out)
{
    __m512i w[SCHEDULED], first[SF_SHA_WORDS], v[SF_SHA_WORDS];
    load_blocks(blocks, w);
    load_states(in, from, first);
    for (size_t k = 0; k < SF_SHA_WORDS; k++)
        v[k] = first[k];
#pragma GCC unroll 64
    for (unsigned r = 0; r < ROUNDS; r++) {
        __m512i *word = &w[r % SCHEDULED];
        if (r >= SCHEDULED)
            *word = _mm512_add_epi32(_mm512_add_epi32(*word, shifted_sum(w[(r + 1) % SCHEDULED], 7, 18, 3)),
                                     _mm512_add_epi32(w[(r + 9) % SCHEDULED], shifted_sum(w[(r + 14) % SCHEDULED], 17, 19, 10)));
        /* instead of moving all eight on, what is called a to h moves */
        __m512i a = v[(64 - r) % 8], b = v[(65 - r) % 8], c = v[(66 - r) % 8], e = v[(68 - r) % 8], f = v[(69 - r) % 8],
                g = v[(70 - r) % 8], *d = &v[(67 - r) % 8], *h = &v[(71 - r) % 8];
        __m512i keyed = _mm512_add_epi32(*h, _mm512_add_epi32(*word, _mm512_set1_epi32((int)constants[r])));
        __m512i t1 =
            _mm512_add_epi32(keyed, _mm512_add_epi32(rotated_sum(e, 6, 11, 25), _mm512_ternarylogic_epi32(e, f, g, CHOOSE)));
        *d = _mm512_add_epi32(*d, t1);
        *h = _mm512_add_epi32(t1, _mm512_add_epi32(rotated_sum(a, 2, 13, 22), _mm512_ternarylogic_epi32(a, b, c, MAJORITY)));
    }
    for (size_t k = 0; k < SF_SHA_WORDS; k++)
        _mm512_storeu_si512(out->words[k], _mm512_add_epi32(first[k], v[k]));
}
#endif

void sf_sha_compress(const struct sf_sha_states *in, const uint32_t *from, const unsigned char *const *blocks, size_t n,
                     struct sf_sha_states *out)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")) {
        for (size_t i = 0; i < n; i += SF_SHA_LANES)
            compress_lanes(in, from + i, blocks + i, out + i / SF_SHA_LANES);
        return;
    }
#endif
    sf_sha_compress_plainly(in, from, blocks, n, out);
}
