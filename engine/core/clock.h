/* Time, randomness: the one seam through which the engine sees them, so that a test can run a schedule in virtual time. */
#ifndef SF_CORE_CLOCK_H
#define SF_CORE_CLOCK_H

#include "engine/core/str.h"

/* Milliseconds of the monotonic clock. */
int64_t sf_clock_ms(void);
/* Wall time, milliseconds since 1970-01-01 UTC. */
int64_t sf_clock_wall_ms(void);
/* "2026-11-20T13:35:39Z". */
struct sf_str sf_clock_rfc3339(struct sf_arena *arena, int64_t wall_ms);
/* Fills `n` random bytes from the operating system; never fails. */
void sf_random_bytes(void *bytes, size_t n);
/* A version 4 UUID, 36 characters. */
struct sf_str sf_random_uuid(struct sf_arena *arena);
/* Lowercase hex SHA-256 (64 characters) of the bytes. */
struct sf_str sf_sha256_hex(struct sf_arena *arena, struct sf_str bytes);

/* Test builds replace both clocks by a virtual one that only sf_clock_advance() moves. */
void sf_clock_use_virtual(int64_t start_ms);
void sf_clock_advance(int64_t by_ms);
bool sf_clock_is_virtual(void);

#endif
