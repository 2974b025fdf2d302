/* See rows.h. */
#include "resources/data/conform/rows.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BLOCK_BYTES = SF_ROWS_BLOCK * (int)sizeof(struct sf_row) };

enum sf_code sf_rows_pool_open(struct sf_rows_pool *pool, const char *dir, size_t max_bytes, struct sf_err *err)
{
    pool->dir = dir;
    pool->max_bytes = max_bytes;
    atomic_init(&pool->used_bytes, 0);
    atomic_init(&pool->end, 0);
    char path[4096];
    if (snprintf(path, sizeof path, "%s/.spill-XXXXXX", dir) >= (int)sizeof path)
        return sf_fail(err, SF_E_IO, "path '%s' is too long", dir);
    pool->fd = mkostemp(path, O_CLOEXEC);
    if (pool->fd < 0)
        return sf_fail_errno(err, SF_E_IO, "cannot make a temporary file in '%s'", dir);
    unlink(path);
    return SF_OK;
}

void sf_rows_pool_close(struct sf_rows_pool *pool)
{
    if (pool->fd >= 0)
        close(pool->fd);
    pool->fd = -1;
}

void sf_rows_open(struct sf_rows *rows, struct sf_rows_pool *pool, size_t n_years)
{
    *rows = (struct sf_rows){.pool = pool, .n_years = n_years};
    rows->years = calloc(n_years, sizeof *rows->years);
    if (!rows->years)
        sf_out_of_memory();
}

void sf_rows_drop(struct sf_rows *rows, size_t year)
{
    struct sf_rows_year *y = &rows->years[year];
    for (size_t i = 0; i < y->n_blocks; i++)
        free(y->blocks[i].rows);
    free(y->blocks);
    free(y->open);
    *y = (struct sf_rows_year){.open = NULL};
}

void sf_rows_close(struct sf_rows *rows)
{
    for (size_t i = 0; rows->years && i < rows->n_years; i++)
        sf_rows_drop(rows, i);
    free(rows->years);
    rows->years = NULL;
}

static enum sf_code write_block(struct sf_rows_pool *pool, const struct sf_row *rows, uint64_t offset, struct sf_err *err)
{
    const char *p = (const char *)rows;
    for (size_t done = 0; done < BLOCK_BYTES;) {
        ssize_t n = pwrite(pool->fd, p + done, BLOCK_BYTES - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return sf_fail_errno(err, SF_E_IO, "cannot write a temporary file in '%s'", pool->dir);
        done += (size_t)n;
    }
    return SF_OK;
}

static enum sf_code read_block(const struct sf_rows_pool *pool, struct sf_row *rows, uint64_t offset, struct sf_err *err)
{
    char *p = (char *)rows;
    for (size_t done = 0; done < BLOCK_BYTES;) {
        ssize_t n = pread(pool->fd, p + done, BLOCK_BYTES - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return sf_fail_errno(err, SF_E_IO, "cannot read a temporary file in '%s'", pool->dir);
        done += (size_t)n;
    }
    return SF_OK;
}

/* Puts the full open block aside: in memory if the pool allows, else in the file, keeping its memory for the next one. */
static enum sf_code shelve(struct sf_rows *rows, struct sf_rows_year *y, struct sf_err *err)
{
    if (y->n_blocks == y->cap_blocks) {
        y->cap_blocks = y->cap_blocks ? 2 * y->cap_blocks : 16;
        struct sf_rows_block *blocks = realloc(y->blocks, y->cap_blocks * sizeof *blocks);
        if (!blocks)
            sf_out_of_memory();
        y->blocks = blocks;
    }
    struct sf_rows_block block = {NULL, 0, y->n_open};
    struct sf_rows_pool *pool = rows->pool;
    if (atomic_fetch_add(&pool->used_bytes, (size_t)BLOCK_BYTES) + BLOCK_BYTES <= pool->max_bytes) {
        block.rows = y->open;
        y->open = NULL;
    } else {
        atomic_fetch_sub(&pool->used_bytes, (size_t)BLOCK_BYTES);
        block.offset = atomic_fetch_add(&pool->end, (unsigned long long)BLOCK_BYTES);
        enum sf_code rc = write_block(pool, y->open, block.offset, err);
        if (rc)
            return rc;
    }
    y->blocks[y->n_blocks++] = block;
    y->n_open = 0;
    return SF_OK;
}

struct sf_row *sf_rows_add(struct sf_rows *rows, size_t year, struct sf_err *err)
{
    struct sf_rows_year *y = &rows->years[year];
    if (y->n_open == SF_ROWS_BLOCK && shelve(rows, y, err))
        return NULL;
    if (!y->open) {
        y->open = malloc(BLOCK_BYTES);
        if (!y->open)
            sf_out_of_memory();
    }
    y->n++;
    return &y->open[y->n_open++];
}

enum sf_code sf_rows_block(const struct sf_rows *rows, size_t year, size_t i, struct sf_row *buffer, const struct sf_row **block,
                           size_t *n, struct sf_err *err)
{
    const struct sf_rows_year *y = &rows->years[year];
    if (i >= y->n_blocks) {
        *block = y->open;
        *n = i == y->n_blocks ? y->n_open : 0;
        return SF_OK;
    }
    *block = y->blocks[i].rows ? y->blocks[i].rows : buffer;
    *n = y->blocks[i].n;
    return y->blocks[i].rows ? SF_OK : read_block(rows->pool, buffer, y->blocks[i].offset, err);
}
