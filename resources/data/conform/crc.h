/* CRC-32 as gzip has it (RFC 1952, 8): zlib's, four times as fast where the processor multiplies without carry (a fifth of what
 * packing cost was this sum). */
#ifndef SF_DATA_CONFORM_CRC_H
#define SF_DATA_CONFORM_CRC_H

#include <stddef.h>
#include <stdint.h>

/* Goes on from `crc`, which is 0 to begin with. */
uint32_t sf_crc32(uint32_t crc, const char *bytes, size_t n);

#endif
