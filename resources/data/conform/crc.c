/* See crc.h. The text is folded into 64 bytes, these into 16, by multiplying what is further away from the end by x to the power of
 * that distance, modulo the polynomial: V. Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ", Intel
 * 2009, whose table of the reflected polynomial the constants are from. ISA-L does the last 16 bytes: a fold leaves the remainder
 * as it is. */
#include "resources/data/conform/crc.h"

#include <isa-l/crc.h>
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>

enum { FOLDED = 64, LEAST = 2 * FOLDED };

#define CLMUL __attribute__((target("pclmul,sse4.1")))

/* `a` moved on by the distance that `by` stands for, and what stands there added. */
CLMUL static inline __m128i fold(__m128i a, __m128i by, const char *p)
{
    __m128i low = _mm_clmulepi64_si128(a, by, 0x00), high = _mm_clmulepi64_si128(a, by, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), _mm_loadu_si128((const __m128i *)(const void *)p));
}

/* n is at least LEAST. Returns how many bytes it took: the sum over `rest` from 0 on, in place of them, is the same. */
CLMUL static size_t fold_all(uint32_t crc, const char *bytes, size_t n, char rest[16])
{
    const __m128i by_64 = _mm_set_epi64x(0x01c6e41596, 0x0154442bd4), by_16 = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0);
    __m128i v[4];
    for (size_t i = 0; i < 4; i++)
        v[i] = _mm_loadu_si128((const __m128i *)(const void *)(bytes + 16 * i));
    v[0] = _mm_xor_si128(v[0], _mm_cvtsi32_si128((int)~crc));
    size_t at = FOLDED;
    for (; at + FOLDED <= n; at += FOLDED)
#pragma GCC unroll 4 /* so that v is registers */
        for (size_t i = 0; i < 4; i++)
            v[i] = fold(v[i], by_64, bytes + at + 16 * i);
    char next[FOLDED];
    for (size_t i = 0; i < 4; i++)
        _mm_storeu_si128((__m128i *)(void *)(next + 16 * i), v[i]);
    for (size_t i = 1; i < 4; i++)
        v[0] = fold(v[0], by_16, next + 16 * i);
    _mm_storeu_si128((__m128i *)(void *)rest, v[0]);
    return at;
}
#endif

uint32_t sf_crc32(uint32_t crc, const char *bytes, size_t n)
{
#ifdef __x86_64__
    if (n >= LEAST && __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1")) {
        char rest[16];
        size_t done = fold_all(crc, bytes, n, rest);
        crc = crc32_gzip_refl(UINT32_MAX, (const unsigned char *)rest, sizeof rest);
        bytes += done;
        n -= done;
    }
#endif
    return crc32_gzip_refl(crc, (const unsigned char *)bytes, n);
}
