/* Unpacking gzip that zlib packed: whole however it comes in and goes out, and never half of it without a word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "resources/net/gunzip.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { MOST = 1 << 20 };

struct feed {
    const char *bytes;
    size_t n, at, piece;
    bool fails;
};

static enum sf_code next(void *from, void *bytes, size_t n, size_t *got, struct sf_err *err)
{
    struct feed *f = from;
    if (f->fails && f->at == f->n)
        return sf_fail(err, SF_E_IO, "the disk is gone");
    *got = f->n - f->at < f->piece ? f->n - f->at : f->piece;
    *got = *got < n ? *got : n;
    memcpy(bytes, f->bytes + f->at, *got);
    f->at += *got;
    return SF_OK;
}

/* Unpacks all of it, `room` bytes at a time. `trouble` is set when that is what ends it. */
static enum sf_code unpack(struct feed *feed, size_t room, char *out, size_t *n, const char **trouble)
{
    struct sf_gunzip g = {.source = next, .from = feed};
    struct sf_err err = {0};
    size_t got = 1;
    enum sf_code rc = SF_OK;
    for (*n = 0; !rc && got > 0; *n += got) {
        assert_true(*n + room <= MOST);
        rc = sf_gunzip_read(&g, out + *n, room, &got, &err);
        if (rc)
            break;
    }
    *trouble = g.trouble;
    sf_gunzip_free(&g);
    return rc;
}

static size_t pack(const char *text, size_t n, int level, char *out)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (unsigned char *)(uintptr_t)text;
    z.avail_in = (unsigned)n;
    z.next_out = (unsigned char *)out;
    z.avail_out = MOST;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t packed = MOST - z.avail_out;
    deflateEnd(&z);
    return packed;
}

/* Half of it repeats, half is noise. */
static void fill(char *text, size_t n)
{
    uint32_t seed = 7;
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525 + 1013904223;
        text[i] = i / 100 % 2 ? (char)(seed >> 24) : "2020,Public Works,"[i % 18];
    }
}

static char text[MOST / 4], packed[MOST], out[MOST];

static void members_come_out_whole_in_any_pieces(void **state)
{
    static const size_t sizes[] = {0, 1, 200, 70000}, pieces[] = {1, 7, 1000, MOST}, rooms[] = {1, 3, 4096, 300000};
    (void)state;
    fill(text, sizeof text);
    for (int level = 0; level <= 9; level += 3)
        for (size_t a = 0; a < SF_COUNT(sizes); a++)
            for (size_t b = 0; b < SF_COUNT(sizes); b++) {
                size_t n = pack(text, sizes[a], level, packed);
                n += pack(text + sizes[a], sizes[b], level, packed + n);
                for (size_t i = 0; i < SF_COUNT(pieces); i++)
                    for (size_t k = 0; k < SF_COUNT(rooms); k++) {
                        struct feed feed = {packed, n, 0, pieces[i], false};
                        const char *trouble;
                        size_t got;
                        assert_int_equal(unpack(&feed, rooms[k], out, &got, &trouble), SF_OK);
                        assert_int_equal(got, sizes[a] + sizes[b]);
                        assert_memory_equal(out, text, got);
                    }
            }
}

static void what_is_cut_off_anywhere_says_so(void **state)
{
    (void)state;
    fill(text, 3000);
    for (int level = 0; level <= 9; level += 9) {
        size_t first = pack(text, 3000, level, packed), n = first + pack(text, 100, level, packed + first);
        for (size_t end = 0; end <= n; end++)
            for (size_t piece = 5; piece <= MOST; piece += MOST - 5) {
                struct feed feed = {packed, end, 0, piece, false};
                bool is_whole = end == 0 || end == first || end == n;
                const char *trouble;
                size_t got;
                assert_int_equal(unpack(&feed, 1000, out, &got, &trouble), is_whole ? SF_OK : SF_E_DATA);
                if (is_whole)
                    assert_null(trouble);
                else
                    assert_string_equal(trouble, "ends too early: it is cut off");
            }
    }
}

/* A time and an operating system are in the header, which no sum covers; bits fill up the byte before the sums. */
static bool is_of_no_account(size_t at, size_t n)
{
    return (at >= 4 && at < 10) || at == n - 9;
}

static void what_was_changed_is_damaged(void **state)
{
    (void)state;
    fill(text, 3000);
    size_t n = pack(text, 3000, 6, packed);
    for (size_t at = 0; at < n; at++) {
        char kept = packed[at];
        struct feed feed = {packed, n, 0, MOST, false};
        const char *trouble;
        size_t got;
        packed[at] = (char)(kept ^ 0x10);
        enum sf_code rc = unpack(&feed, 1000, out, &got, &trouble);
        packed[at] = kept;
        if (is_of_no_account(at, n))
            assert_int_equal(rc, SF_OK);
        else
            assert_non_null(trouble);
    }
    memcpy(packed + n, "what is no member", 17);
    struct feed feed = {packed, n + 17, 0, MOST, false};
    const char *trouble;
    size_t got;
    assert_int_equal(unpack(&feed, 1000, out, &got, &trouble), SF_E_DATA);
    assert_string_equal(trouble, "is damaged");
}

static void what_cannot_be_read_is_not_the_files_fault(void **state)
{
    (void)state;
    fill(text, 3000);
    struct feed feed = {packed, pack(text, 3000, 6, packed) / 2, 0, 100, true};
    const char *trouble;
    size_t got;
    assert_int_equal(unpack(&feed, 1000, out, &got, &trouble), SF_E_IO);
    assert_null(trouble);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_come_out_whole_in_any_pieces),
        cmocka_unit_test(what_is_cut_off_anywhere_says_so),
        cmocka_unit_test(what_was_changed_is_damaged),
        cmocka_unit_test(what_cannot_be_read_is_not_the_files_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
