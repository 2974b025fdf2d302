/* Accepted rows between parsing and writing, kept by fiscal year, spilled to a file when memory is used up.
 *
 * A row is of one size: the first measure, the side, the members' numbers (24 bytes with three dimensions). Where the rules have
 * details or more measures it has a tail of its own length besides. Blocks hold up to 1,024 rows of one year, then their tails.
 * Each worker has a store of its own; all share one pool. */
#ifndef SF_DATA_CONFORM_ROWS_H
#define SF_DATA_CONFORM_ROWS_H

#include "engine/core/err.h"

#include <stdatomic.h>

enum { SF_ROWS_BLOCK = 1024, SF_ROWS_TAIL_BYTES = 64 * 1024 /* of tails, behind which a block is full */ };

struct sf_row {
    int64_t cents;    /* of the first measure */
    uint32_t words[]; /* the side, then the number of the raw member in each dimension */
};

struct sf_rows_block {
    char *rows, *tails; /* NULL: in the spill file, one behind the other */
    uint64_t offset;
    uint32_t n, tail_bytes;
};

struct sf_rows_year {
    struct sf_rows_block open;
    size_t cap_tails;
    struct sf_rows_block *blocks;
    size_t n_blocks, cap_blocks;
    uint64_t n, tail_bytes; /* in all */
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
    size_t row_bytes; /* from one row of a block to the next */
};

/* Makes the spill file at once: it costs nothing while it is empty. `dir` must exist. */
enum sf_code sf_rows_pool_open(struct sf_rows_pool *pool, const char *dir, size_t max_bytes, struct sf_err *err) SF_MUST_CHECK;
void sf_rows_pool_close(struct sf_rows_pool *pool);
void sf_rows_open(struct sf_rows *rows, struct sf_rows_pool *pool, size_t n_years, size_t n_dimensions);
void sf_rows_close(struct sf_rows *rows);
/* Room for one more row of the year, its tail (may be empty) kept already; the caller fills the rest. NULL: spilling failed, see
 * err. */
struct sf_row *sf_rows_add(struct sf_rows *rows, size_t year, struct sf_str tail, struct sf_err *err);

/* A block as it can be read, and memory to read it into: zero it to begin with, free(bytes) in the end. */
struct sf_rows_view {
    const char *rows, *tails;
    size_t n, tail_bytes;
};
struct sf_rows_buffer {
    char *bytes;
    size_t cap;
};

/* Block `i` of the year's rows, where it is in memory, or in `buffer`. out->n is 0 behind the last one. */
enum sf_code sf_rows_read(const struct sf_rows *rows, size_t year, size_t i, struct sf_rows_buffer *buffer,
                          struct sf_rows_view *out, struct sf_err *err) SF_MUST_CHECK;
static inline const struct sf_row *sf_rows_at(const struct sf_rows *rows, const struct sf_rows_view *view, size_t i)
{
    return (const void *)(view->rows + i * rows->row_bytes);
}
/* Frees what the year holds in memory. */
void sf_rows_drop(struct sf_rows *rows, size_t year);

#endif
