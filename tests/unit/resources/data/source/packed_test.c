/* Source files packed with gzip or zstd: whole ones are read, cut and damaged ones refused. */
#include "resources/data/conform/source.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zstd.h>

enum { ROWS = 40000, MAX_BYTES = 1 << 20 };

struct fixture {
    char path[64];
    char *plain, *packed;
    size_t n_plain, n_packed, ends_at; /* ends_at: of the first of two frames */
    struct sf_err err;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->plain = malloc(MAX_BYTES);
    f->packed = malloc(MAX_BYTES);
    assert_non_null(f->plain);
    assert_non_null(f->packed);
    snprintf(f->path, sizeof f->path, "/tmp/sf-packed-XXXXXX");
    int fd = mkstemp(f->path);
    assert_true(fd >= 0);
    close(fd);
    for (int i = 0; i < ROWS; i++)
        f->n_plain += (size_t)snprintf(f->plain + f->n_plain, MAX_BYTES - f->n_plain, "%d,\"row\"\n", i);
    size_t half = f->n_plain / 2;
    f->ends_at = ZSTD_compress(f->packed, MAX_BYTES, f->plain, half, 1);
    assert_false(ZSTD_isError(f->ends_at));
    size_t rest = ZSTD_compress(f->packed + f->ends_at, MAX_BYTES - f->ends_at, f->plain + half, f->n_plain - half, 1);
    assert_false(ZSTD_isError(rest));
    f->n_packed = f->ends_at + rest;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    unlink(f->path);
    free(f->plain);
    free(f->packed);
    free(f);
    return 0;
}

/* Reads the first `n` packed bytes back into `out`; its length is *got. */
static enum sf_code read_back(struct fixture *f, size_t n, char *out, size_t *got)
{
    int fd = open(f->path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_int_equal(write(fd, f->packed, n), n);
    close(fd);
    struct sf_source *source;
    struct sf_csv_chunk chunk = {0};
    bool end = false;
    *got = 0;
    enum sf_code rc = sf_source_open_file(f->path, false, &source, &f->err);
    assert_int_equal(rc, SF_OK);
    while (!rc && !end) {
        rc = sf_source_next(source, &chunk, &end, &f->err);
        if (rc || end)
            break;
        memcpy(out + *got, chunk.bytes, chunk.n);
        *got += chunk.n;
    }
    sf_csv_chunk_free(&chunk);
    sf_source_close(source);
    return rc;
}

static void a_zstd_file_of_several_frames_is_read_whole(void **state)
{
    struct fixture *f = *state;
    char *out = malloc(MAX_BYTES);
    size_t n;
    assert_int_equal(read_back(f, f->n_packed, out, &n), SF_OK);
    assert_int_equal(n, f->n_plain);
    assert_memory_equal(out, f->plain, n);
    free(out);
}

static void a_zstd_file_cut_off_inside_a_frame_is_refused(void **state)
{
    struct fixture *f = *state;
    char *out = malloc(MAX_BYTES);
    size_t n;
    assert_int_equal(read_back(f, f->n_packed - 3, out, &n), SF_E_DATA);
    assert_non_null(strstr(f->err.message, "the zstd file ends too early"));
    assert_non_null(strstr(f->err.hint, "zstd -t"));
    free(out);
}

static void a_damaged_zstd_file_is_refused(void **state)
{
    struct fixture *f = *state;
    char *out = malloc(MAX_BYTES);
    size_t n;
    memset(f->packed + f->ends_at, 'x', 8);
    assert_int_equal(read_back(f, f->n_packed, out, &n), SF_E_DATA);
    assert_non_null(strstr(f->err.message, "the zstd file is damaged"));
    free(out);
}

static void a_zstd_file_that_takes_more_memory_than_is_given_is_not_called_damaged(void **state)
{
    struct fixture *f = *state;
    char *out = malloc(MAX_BYTES);
    size_t n;
    /* RFC 8878, 3.1.1: the magic number, no content size, a window of 2^28 bytes, one raw block of a byte */
    static const unsigned char frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x90, 0x09, 0x00, 0x00, 'x'};
    memcpy(f->packed, frame, sizeof frame);
    assert_int_equal(read_back(f, sizeof frame, out, &n), SF_E_DATA);
    assert_non_null(strstr(f->err.message, "the zstd file takes more than 128 MiB of memory"));
    assert_non_null(strstr(f->err.hint, "--long"));
    f->packed[5] = (char)0x88; /* 2^27 */
    assert_int_equal(read_back(f, sizeof frame, out, &n), SF_OK);
    free(out);
}

int main(void)
{
#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        EACH(a_zstd_file_of_several_frames_is_read_whole),
        EACH(a_zstd_file_that_takes_more_memory_than_is_given_is_not_called_damaged),
        EACH(a_zstd_file_cut_off_inside_a_frame_is_refused),
        EACH(a_damaged_zstd_file_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
