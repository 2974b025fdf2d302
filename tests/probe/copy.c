/* sfprobe copy FILE [BLOCK [THREADS]]: a CSV file as PostgreSQL prints it with COPY ... TO, so that the two can be compared byte
 * for byte: columns parted by tabs, \N for nothing (and nothing for ""), the text format's escapes.
 *
 * As in a real run threads take chunks in turn and index them side by side; small blocks bring the edges of chunks to every place
 * of a record. Each chunk is indexed by every scanner that the machine has: that they agree is part of the answer. */
#include "resources/data/conform/csv.h"
#include "tests/probe/probe.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_THREADS = 16, MAX_TEXT = 64 * 1024 * 1024 };

struct run {
    FILE *in;
    pthread_mutex_t lock;
    pthread_cond_t has_turned;
    struct sf_csv_splitter splitter; /* under the lock, like all that follows */
    uint64_t turn;                   /* number of the chunk whose text is printed next */
    size_t columns;                  /* of the first record */
    enum sf_code rc;
    struct sf_err err; /* of the first one met */
};

static enum sf_code read_stream(void *ctx, char *bytes, size_t n, size_t *got, struct sf_err *err)
{
    FILE *in = ctx;
    *got = fread(bytes, 1, n, in);
    return ferror(in) ? sf_fail_errno(err, SF_E_IO, "cannot read the file") : SF_OK;
}

static void add_field(struct sf_buf *out, struct sf_str raw, char *scratch)
{
    static const char escaped[] = "\b\f\n\r\t\v\\", letters[] = "bfnrtv\\";
    if (raw.n == 0)
        sf_buf_addz(out, "\\N");
    struct sf_str value = sf_csv_value(raw, scratch);
    for (size_t i = 0; i < value.n; i++) {
        const char *e = value.p[i] ? strchr(escaped, value.p[i]) : NULL;
        if (e)
            sf_buf_addc(out, '\\');
        sf_buf_addc(out, e ? letters[e - escaped] : value.p[i]);
    }
}

/* By the scanner of a real run, then by each of them. */
static enum sf_code index_every_way(struct sf_csv_chunk *chunk, struct sf_err *err)
{
    enum sf_code rc = sf_csv_index(chunk, err);
    size_t n = chunk->n_ends;
    uint32_t *ends = malloc((n + 1) * sizeof *ends);
    if (!ends)
        sf_out_of_memory();
    if (n)
        memcpy(ends, chunk->ends, n * sizeof *ends);
    for (enum sf_csv_scanner scanner = SF_CSV_SCAN_BYTES; scanner <= SF_CSV_SCAN_AVX512; scanner++) {
        if (!sf_csv_has_scanner(scanner))
            continue;
        enum sf_code other = sf_csv_index_by(chunk, scanner, err);
        if (other != rc || chunk->n_ends != n || (n && memcmp(ends, chunk->ends, n * sizeof *ends) != 0)) {
            rc = sf_fail(err, SF_E_INTERNAL, "scanner %d finds other fields in chunk %llu", (int)scanner,
                         (unsigned long long)chunk->number);
            break;
        }
    }
    free(ends);
    return rc;
}

static enum sf_code add_chunk(struct sf_buf *out, const struct sf_csv_chunk *chunk, size_t columns, char *scratch,
                              struct sf_err *err)
{
    struct sf_csv_record r;
    for (bool more = sf_csv_first(chunk, &r); more; more = sf_csv_next(&r)) {
        if (r.n_fields != columns)
            return sf_csv_fail_ragged(&r, columns, err);
        for (size_t i = 0; i < r.n_fields; i++) {
            if (i)
                sf_buf_addc(out, '\t');
            add_field(out, sf_csv_raw(&r, i), scratch);
        }
        sf_buf_addc(out, '\n');
    }
    return out->overflow ? sf_fail(err, SF_E_DATA, "a chunk of over %d bytes", MAX_TEXT) : SF_OK;
}

/* Takes the next chunk. The first record's fields are counted before anybody else goes on. False: there is none left. */
static bool take_chunk(struct run *run, struct sf_csv_chunk *chunk, enum sf_code *rc, struct sf_err *err)
{
    bool end = true;
    pthread_mutex_lock(&run->lock);
    if (!run->rc && !run->splitter.is_at_end) {
        *rc = sf_csv_split(&run->splitter, chunk, &end, err);
        struct sf_csv_record first;
        if (!*rc && !end && run->columns == 0 && !(*rc = sf_csv_index(chunk, err)) && sf_csv_first(chunk, &first))
            run->columns = first.n_fields;
        if (*rc && !run->rc) {
            run->rc = *rc;
            run->err = *err;
            end = true;
        }
    }
    pthread_mutex_unlock(&run->lock);
    return !end;
}

static void *work(void *argument)
{
    struct run *run = argument;
    struct sf_csv_chunk chunk = {.bytes = NULL};
    struct sf_buf out = SF_BUF(MAX_TEXT);
    struct sf_err err = {.code = SF_OK};
    enum sf_code rc = SF_OK;
    while (take_chunk(run, &chunk, &rc, &err)) {
        char *scratch = malloc(chunk.n + 1);
        if (!scratch)
            sf_out_of_memory();
        sf_buf_clear(&out);
        rc = index_every_way(&chunk, &err);
        if (!rc)
            rc = add_chunk(&out, &chunk, run->columns, scratch, &err);
        free(scratch);
        pthread_mutex_lock(&run->lock);
        while (run->turn != chunk.number)
            pthread_cond_wait(&run->has_turned, &run->lock);
        run->turn++;
        if (!run->rc && fwrite(out.p ? out.p : "", 1, out.n, stdout) != out.n)
            rc = sf_fail_errno(&err, SF_E_IO, "cannot write");
        if (rc && !run->rc) {
            run->rc = rc;
            run->err = err;
        }
        pthread_cond_broadcast(&run->has_turned);
        pthread_mutex_unlock(&run->lock);
    }
    sf_buf_free(&out);
    sf_csv_chunk_free(&chunk);
    return NULL;
}

int sf_probe_copy(int argc, char **argv)
{
    if (argc < 1 || argc > 3) {
        fputs("usage: sfprobe copy FILE [BLOCK [THREADS]]\n", stderr);
        return 64;
    }
    size_t block = argc > 1 ? strtoul(argv[1], NULL, 10) : SF_CSV_BLOCK, n_threads = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
    struct run run = {.in = fopen(argv[0], "rb"), .lock = PTHREAD_MUTEX_INITIALIZER, .has_turned = PTHREAD_COND_INITIALIZER};
    if (!run.in) {
        sf_fail_errno(&run.err, SF_E_IO, "cannot read '%s'", argv[0]);
        return sf_probe_refuse(&run.err);
    }
    sf_csv_splitter_open(&run.splitter, read_stream, run.in, argv[0]);
    run.splitter.block = block < 4 ? 4 : block > SF_CSV_BLOCK ? SF_CSV_BLOCK : block;
    pthread_t threads[MAX_THREADS];
    size_t n = 0;
    while (n < MAX_THREADS && n + 1 < n_threads && pthread_create(&threads[n], NULL, work, &run) == 0)
        n++;
    work(&run);
    for (size_t i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    sf_csv_splitter_close(&run.splitter);
    fclose(run.in);
    return run.rc || fflush(stdout) ? sf_probe_refuse(&run.err) : 0;
}
