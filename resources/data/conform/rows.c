/* See rows.h. */
#include "resources/data/conform/rows.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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

void sf_rows_open(struct sf_rows *rows, struct sf_rows_pool *pool, size_t n_years, size_t n_dimensions)
{
    const size_t align = sizeof(int64_t);
    size_t bytes = sizeof(struct sf_row) + (1 + n_dimensions) * sizeof(uint32_t);
    *rows = (struct sf_rows){.pool = pool, .n_years = n_years, .row_bytes = (bytes + align - 1) / align * align};
    rows->years = calloc(n_years, sizeof *rows->years);
    if (!rows->years)
        sf_out_of_memory();
}

static void free_block(struct sf_rows_block *block)
{
    free(block->rows);
    free(block->tails);
}

void sf_rows_drop(struct sf_rows *rows, size_t year)
{
    struct sf_rows_year *y = &rows->years[year];
    for (size_t i = 0; i < y->n_blocks; i++)
        free_block(&y->blocks[i]);
    free(y->blocks);
    free_block(&y->open);
    *y = (struct sf_rows_year){.n = 0};
}

void sf_rows_close(struct sf_rows *rows)
{
    for (size_t i = 0; rows->years && i < rows->n_years; i++)
        sf_rows_drop(rows, i);
    free(rows->years);
    rows->years = NULL;
}

static void *resize(void *p, size_t n)
{
    p = realloc(p, n);
    if (!p)
        sf_out_of_memory();
    return p;
}

static enum sf_code write_at(struct sf_rows_pool *pool, const char *p, size_t size, uint64_t offset, struct sf_err *err)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = pwrite(pool->fd, p + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return sf_fail_errno(err, SF_E_IO, "cannot write a temporary file in '%s'", pool->dir);
        done += (size_t)n;
    }
    return SF_OK;
}

static enum sf_code read_at(const struct sf_rows_pool *pool, char *p, size_t size, uint64_t offset, struct sf_err *err)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(pool->fd, p + done, size - done, (off_t)(offset + done));
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
        y->blocks = resize(y->blocks, y->cap_blocks * sizeof *y->blocks);
    }
    struct sf_rows_pool *pool = rows->pool;
    struct sf_rows_block *open = &y->open, block = {.n = open->n, .tail_bytes = open->tail_bytes};
    size_t row_bytes = open->n * rows->row_bytes, bytes = row_bytes + open->tail_bytes;
    if (atomic_fetch_add(&pool->used_bytes, bytes) + bytes <= pool->max_bytes) {
        block.rows = open->n < SF_ROWS_BLOCK ? resize(open->rows, row_bytes) : open->rows;
        block.tails = open->tail_bytes ? resize(open->tails, open->tail_bytes) : open->tails;
        open->rows = open->tails = NULL;
        y->cap_tails = 0;
    } else {
        atomic_fetch_sub(&pool->used_bytes, bytes);
        block.offset = atomic_fetch_add(&pool->end, (unsigned long long)bytes);
        enum sf_code rc = write_at(pool, open->rows, row_bytes, block.offset, err);
        if (!rc && open->tail_bytes)
            rc = write_at(pool, open->tails, open->tail_bytes, block.offset + row_bytes, err);
        if (rc)
            return rc;
    }
    y->blocks[y->n_blocks++] = block;
    open->n = open->tail_bytes = 0;
    return SF_OK;
}

static void add_tail(struct sf_rows_year *y, struct sf_str tail)
{
    size_t need = y->open.tail_bytes + tail.n;
    if (!y->open.tails || need > y->cap_tails) {
        y->cap_tails = need < SF_ROWS_TAIL_BYTES / 4 ? SF_ROWS_TAIL_BYTES / 4 : 2 * need;
        y->open.tails = resize(y->open.tails, y->cap_tails);
    }
    memcpy(y->open.tails + y->open.tail_bytes, tail.p, tail.n);
    y->open.tail_bytes += (uint32_t)tail.n;
    y->tail_bytes += tail.n;
}

struct sf_row *sf_rows_add(struct sf_rows *rows, size_t year, struct sf_str tail, struct sf_err *err)
{
    struct sf_rows_year *y = &rows->years[year];
    if ((y->open.n == SF_ROWS_BLOCK || y->open.tail_bytes >= SF_ROWS_TAIL_BYTES) && shelve(rows, y, err))
        return NULL;
    if (!y->open.rows)
        y->open.rows = resize(NULL, SF_ROWS_BLOCK * rows->row_bytes);
    if (tail.n)
        add_tail(y, tail);
    y->n++;
    return (void *)(y->open.rows + y->open.n++ * rows->row_bytes);
}

enum sf_code sf_rows_read(const struct sf_rows *rows, size_t year, size_t i, struct sf_rows_buffer *buffer,
                          struct sf_rows_view *out, struct sf_err *err)
{
    const struct sf_rows_year *y = &rows->years[year];
    const struct sf_rows_block *block = i < y->n_blocks ? &y->blocks[i] : &y->open;
    *out = (struct sf_rows_view){block->rows, block->tails, block->n, block->tail_bytes};
    if (i > y->n_blocks)
        out->n = 0;
    if (i >= y->n_blocks || block->rows)
        return SF_OK;
    size_t row_bytes = block->n * rows->row_bytes, bytes = row_bytes + block->tail_bytes;
    if (bytes > buffer->cap) {
        buffer->bytes = resize(buffer->bytes, bytes);
        buffer->cap = bytes;
    }
    out->rows = buffer->bytes;
    out->tails = buffer->bytes + row_bytes;
    return read_at(rows->pool, buffer->bytes, bytes, block->offset, err);
}
