/* See source.h. */
#include "resources/data/conform/source.h"

#include "resources/net/gunzip.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>
#include <zstd_errors.h>

enum { PACKED_BYTES = 64 * 1024, SAMPLE_ROWS = 1024 };

struct sf_source {
    pthread_mutex_t lock;
    struct sf_csv_splitter splitter;
    int fd;
    const char *name;
    /* gzip, zstd */
    struct sf_gunzip gunzip;
    ZSTD_DStream *zstd;
    bool is_between_frames;
    ZSTD_inBuffer zstd_in;
    unsigned char packed[PACKED_BYTES];
    /* bytes */
    struct sf_str bytes;
    /* sample */
    struct sf_sample *sample;
    uint64_t next_row, next_number;
    bool is_sample;
};

static struct sf_source *make(const char *name)
{
    struct sf_source *s = calloc(1, sizeof *s);
    if (!s)
        sf_out_of_memory();
    pthread_mutex_init(&s->lock, NULL);
    s->fd = -1;
    s->name = name;
    return s;
}

void sf_source_close(struct sf_source *s)
{
    if (!s)
        return;
    sf_gunzip_free(&s->gunzip);
    ZSTD_freeDStream(s->zstd);
    if (s->fd >= 0)
        close(s->fd);
    sf_csv_splitter_close(&s->splitter);
    sf_sample_close(s->sample);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static enum sf_code read_fd(void *ctx, void *bytes, size_t n, size_t *got, struct sf_err *err)
{
    struct sf_source *s = ctx;
    ssize_t r;
    do
        r = read(s->fd, bytes, n);
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return sf_fail_errno(err, SF_E_IO, "cannot read '%s'", s->name);
    *got = (size_t)r;
    return SF_OK;
}

static enum sf_code read_plain(void *ctx, char *bytes, size_t n, size_t *got, struct sf_err *err)
{
    return read_fd(ctx, bytes, n, got, err);
}

static enum sf_code fail_packed(const struct sf_source *s, const char *what, struct sf_err *err)
{
    const char *program = s->zstd ? "zstd" : "gzip";
    sf_fail(err, SF_E_DATA, "'%s': the %s file %s", s->name, program, what);
    sf_hint(err, "fetch the file again; %s -t FILE shows whether it is whole", program);
    return SF_E_DATA;
}

static enum sf_code read_gzip(void *ctx, char *bytes, size_t n, size_t *got, struct sf_err *err)
{
    struct sf_source *s = ctx;
    enum sf_code rc = sf_gunzip_read(&s->gunzip, bytes, n, got, err);
    return s->gunzip.trouble ? fail_packed(s, s->gunzip.trouble, err) : rc;
}

/* zstd files may hold several frames in a row (RFC 8878); only the end of a frame is a good place for the file to end. */
static enum sf_code read_zstd(void *ctx, char *bytes, size_t n, size_t *got, struct sf_err *err)
{
    struct sf_source *s = ctx;
    ZSTD_outBuffer out = {bytes, n, 0};
    while (out.pos == 0) {
        if (s->zstd_in.pos == s->zstd_in.size) {
            size_t more = 0;
            enum sf_code rc = read_fd(s, s->packed, PACKED_BYTES, &more, err);
            if (rc)
                return rc;
            if (more == 0 && !s->is_between_frames)
                return fail_packed(s, "ends too early: it is cut off", err);
            if (more == 0)
                break;
            s->zstd_in = (ZSTD_inBuffer){s->packed, more, 0};
        }
        size_t left = ZSTD_decompressStream(s->zstd, &out, &s->zstd_in);
        if (ZSTD_getErrorCode(left) == ZSTD_error_frameParameter_windowTooLarge) {
            sf_fail(err, SF_E_DATA, "'%s': the zstd file takes more than 128 MiB of memory to unpack", s->name);
            sf_hint(err, "pack it again without --long and --ultra, or give the plain CSV file");
            return SF_E_DATA;
        }
        if (ZSTD_isError(left))
            return fail_packed(s, "is damaged", err);
        s->is_between_frames = left == 0;
    }
    *got = out.pos;
    return SF_OK;
}

static enum sf_code read_bytes(void *ctx, char *bytes, size_t n, size_t *got, struct sf_err *err)
{
    struct sf_source *s = ctx;
    (void)err;
    *got = n < s->bytes.n ? n : s->bytes.n;
    if (*got)
        memcpy(bytes, s->bytes.p, *got);
    s->bytes = sf_str_slice(s->bytes, *got, s->bytes.n);
    return SF_OK;
}

/* Sets how the file is read; SF_E_DATA when that is known not to be CSV. */
static enum sf_code detect_packing(struct sf_source *s, sf_csv_read_fn **how, struct sf_err *err)
{
    unsigned char magic[4] = {0};
    ssize_t n = pread(s->fd, magic, sizeof magic, 0);
    *how = read_plain;
    if (n >= 2 && magic[0] == 0x1f && magic[1] == 0x8b) {
        s->gunzip = (struct sf_gunzip){.source = read_fd, .from = s};
        *how = read_gzip;
    } else if (n >= 4 && memcmp(magic, "\x28\xb5\x2f\xfd", 4) == 0) {
        if (!(s->zstd = ZSTD_createDStream()))
            sf_out_of_memory();
        *how = read_zstd;
    } else if (n >= 4 && memcmp(magic, "PK\3\4", 4) == 0) {
        sf_fail(err, SF_E_DATA, "'%s' is a ZIP archive or an Excel workbook, not CSV", s->name);
        sf_hint(err, "give the plain CSV file, or one packed with gzip or zstd");
        return SF_E_DATA;
    }
    return SF_OK;
}

enum sf_code sf_source_open_file(const char *path, bool needs_final_newline, struct sf_source **out, struct sf_err *err)
{
    *out = NULL;
    struct sf_source *s = make(path);
    s->fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    sf_csv_read_fn *how = NULL;
    enum sf_code rc = SF_OK;
    if (s->fd < 0 || fstat(s->fd, &st) != 0)
        rc = sf_fail_errno(err, SF_E_IO, "cannot read source file '%s'", path);
    else if (!S_ISREG(st.st_mode)) {
        rc = sf_fail(err, SF_E_DATA, "source file '%s' is not a regular file", path);
        sf_hint(err, "a source is read more than once: name a CSV file, not a directory or a pipe");
    }
    if (!rc)
        rc = detect_packing(s, &how, err);
    if (rc) {
        sf_source_close(s);
        return rc;
    }
    sf_csv_splitter_open(&s->splitter, how, s, s->name);
    s->splitter.needs_final_newline = needs_final_newline;
    *out = s;
    return SF_OK;
}

void sf_source_open_bytes(const char *name, struct sf_str bytes, struct sf_source **out)
{
    struct sf_source *s = make(name);
    s->bytes = bytes;
    sf_csv_splitter_open(&s->splitter, read_bytes, s, s->name);
    *out = s;
}

enum sf_code sf_source_open_sample(const struct sf_sample_spec *spec, struct sf_source **out, struct sf_err *err)
{
    *out = NULL;
    struct sf_source *s = make("sample");
    s->is_sample = true;
    enum sf_code rc = sf_sample_open(spec, &s->sample, err);
    if (rc)
        sf_source_close(s);
    else
        *out = s;
    return rc;
}

/* Only handing out the range needs the lock: rows are made on the caller's thread. */
static enum sf_code next_sample(struct sf_source *s, struct sf_csv_chunk *chunk, bool *end, struct sf_err *err)
{
    pthread_mutex_lock(&s->lock);
    uint64_t first = s->next_row, all = sf_sample_rows(s->sample), number = s->next_number;
    uint64_t n = all - first < SAMPLE_ROWS ? all - first : SAMPLE_ROWS;
    *end = n == 0 && number > 0;
    s->next_row += n;
    s->next_number += !*end;
    pthread_mutex_unlock(&s->lock);
    if (*end)
        return SF_OK;
    struct sf_buf rows = SF_BUF((SAMPLE_ROWS + 1) * SF_SAMPLE_MAX_ROW_BYTES);
    if (number == 0)
        sf_sample_header(s->sample, &rows);
    enum sf_code rc = sf_sample_chunk(s->sample, first, n, &rows, err);
    if (!rc) {
        sf_csv_chunk_reserve(chunk, rows.n);
        memcpy(chunk->bytes, rows.p, rows.n);
        chunk->n = rows.n;
        chunk->n_ends = 0;
        chunk->file = s->name;
        chunk->first_line = number == 0 ? 1 : first + 2;
        chunk->number = number;
        chunk->eol = SF_CSV_EOL_LF;
    }
    sf_buf_free(&rows);
    return rc;
}

enum sf_code sf_source_next(struct sf_source *s, struct sf_csv_chunk *chunk, bool *end, struct sf_err *err)
{
    if (s->is_sample)
        return next_sample(s, chunk, end, err);
    pthread_mutex_lock(&s->lock);
    enum sf_code rc = sf_csv_split(&s->splitter, chunk, end, err);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

bool sf_source_lacks_final_newline(const struct sf_source *s)
{
    return !s->is_sample && s->splitter.lacks_final_newline;
}
