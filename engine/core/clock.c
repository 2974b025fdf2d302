/* See clock.h. The virtual clock is the one mutable global of the engine: it exists for tests and is off otherwise. */
#include "engine/core/clock.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

static atomic_bool is_virtual;
static _Atomic int64_t virtual_ms;

static int64_t read_clock(clockid_t id)
{
    if (atomic_load(&is_virtual))
        return atomic_load(&virtual_ms);
    struct timespec now;
    if (clock_gettime(id, &now) != 0)
        abort(); /* only an invalid clock id can fail */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t sf_clock_ms(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t sf_clock_wall_ms(void)
{
    return read_clock(CLOCK_REALTIME);
}

void sf_clock_use_virtual(int64_t start_ms)
{
    atomic_store(&virtual_ms, start_ms);
    atomic_store(&is_virtual, true);
}

void sf_clock_advance(int64_t by_ms)
{
    atomic_fetch_add(&virtual_ms, by_ms);
}

bool sf_clock_is_virtual(void)
{
    return atomic_load(&is_virtual);
}

struct sf_str sf_clock_rfc3339(struct sf_arena *arena, int64_t wall_ms)
{
    int64_t seconds = wall_ms / 1000 - (wall_ms % 1000 < 0);
    time_t at = (time_t)seconds;
    struct tm utc;
    char text[64];
    if (!gmtime_r(&at, &utc) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc))
        return SF_STR("0000-00-00T00:00:00Z");
    return sf_str_dup(arena, sf_str_of(text));
}

void sf_random_bytes(void *bytes, size_t n)
{
    unsigned char *at = bytes;
    while (n) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            fputs("error: the operating system gives no random bytes\nhint: getrandom() needs Linux 3.17 or newer\n", stderr);
            abort();
        }
        at += got;
        n -= (size_t)got;
    }
}

struct sf_str sf_random_uuid(struct sf_arena *arena)
{
    unsigned char b[16];
    sf_random_bytes(b, sizeof(b));
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40); /* RFC 9562, 5.4: version 4 */
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    return sf_str_fmt(arena, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3], b[4],
                      b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

struct sf_str sf_sha256_hex(struct sf_arena *arena, struct sf_str bytes)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int n = 0;
    if (EVP_Digest(bytes.p ? bytes.p : "", bytes.n, digest, &n, EVP_sha256(), NULL) != 1)
        sf_out_of_memory(); /* the only way in which it fails */
    return sf_str_hex(arena, digest, n);
}
