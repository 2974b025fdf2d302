/* Accepted rows between parsing and writing: 24 bytes each, kept by fiscal year, spilled to a file when memory is used up.
 *
 * Each worker has a store of its own; all share one pool. Blocks hold 1,024 rows of one year. */
#ifndef SF_DATA_CONFORM_ROWS_H
#define SF_DATA_CONFORM_ROWS_H

#include "engine/core/err.h"

#include <stdatomic.h>

enum { SF_ROWS_BLOCK = 1024, SF_ROWS_RAW_BITS = 26 };

struct sf_row {
    int64_t cents;
    uint32_t raw[4]; /* number of the raw member in each dimension; the side in the top bits of the first */
};

struct sf_rows_block {
    struct sf_row *rows; /* NULL: in the spill file */
    uint64_t offset;
    uint32_t n;
};

struct sf_rows_year {
    struct sf_row *open;
    uint32_t n_open;
    struct sf_rows_block *blocks;
    size_t n_blocks, cap_blocks;
    uint64_t n; /* rows in all */
};

struct sf_rows_pool {
    int fd;           /* unlinked temporary file, or -1 while all fits */
    const char *dir;  /* where it is made */
    size_t max_bytes; /* of blocks in memory */
    atomic_size_t used_bytes;
    atomic_ullong end; /* of the file */
};

struct sf_rows {
    struct sf_rows_pool *pool;
    struct sf_rows_year *years;
    size_t n_years;
};

/* Makes the spill file at once: it costs nothing while it is empty. `dir` must exist. */
enum sf_code sf_rows_pool_open(struct sf_rows_pool *pool, const char *dir, size_t max_bytes, struct sf_err *err) SF_MUST_CHECK;
void sf_rows_pool_close(struct sf_rows_pool *pool);
void sf_rows_open(struct sf_rows *rows, struct sf_rows_pool *pool, size_t n_years);
void sf_rows_close(struct sf_rows *rows);
/* Room for one more row of the year; the caller fills it. NULL: spilling failed, see err. */
struct sf_row *sf_rows_add(struct sf_rows *rows, size_t year, struct sf_err *err);
/* Block `i` of the year's rows: where it is in memory, or in `buffer` (SF_ROWS_BLOCK rows). *n is 0 behind the last one. */
enum sf_code sf_rows_block(const struct sf_rows *rows, size_t year, size_t i, struct sf_row *buffer, const struct sf_row **block,
                           size_t *n, struct sf_err *err) SF_MUST_CHECK;
/* Frees what the year holds in memory. */
void sf_rows_drop(struct sf_rows *rows, size_t year);

#endif
